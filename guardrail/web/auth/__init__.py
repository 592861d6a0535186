"""Who asks: sessions and tokens, and the pages to get one."""

from __future__ import annotations

from fastapi import APIRouter

from guardrail.web.auth import entering, oidc_pages, own, people
from guardrail.web.auth.doors import access_of, first_run
from guardrail.web.auth.middleware import Authenticated
from guardrail.web.auth.oidc_pages import use_provider
from guardrail.web.auth.oidc_settings import load as load_provider

router = APIRouter(include_in_schema=False)
for _room in (entering, oidc_pages, own, people):
    router.include_router(_room.router)

__all__ = ["Authenticated", "access_of", "first_run", "load_provider", "router", "use_provider"]
