"""The HTTP API, version 1."""

from __future__ import annotations

from fastapi import APIRouter

router = APIRouter(prefix="/api/v1")

__all__ = ["router"]
