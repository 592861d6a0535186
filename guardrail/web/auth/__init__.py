"""Who asks: sessions, tokens, and the pages to get one."""

from __future__ import annotations

from fastapi import APIRouter

from guardrail.web.auth.middleware import Authenticated

router = APIRouter()

__all__ = ["Authenticated", "router"]
