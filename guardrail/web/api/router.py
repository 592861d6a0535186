"""All routes of the API together."""

from __future__ import annotations

from fastapi import APIRouter

from guardrail.web.api import deciding, description, events, records, reviews

router = APIRouter()
for _room in (reviews, deciding, records, events, description):
    router.include_router(_room.router)
