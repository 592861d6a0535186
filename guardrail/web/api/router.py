"""All routes of the API together."""

from __future__ import annotations

from fastapi import APIRouter

from guardrail.web.api import deciding, description, events, records, reviews

router = APIRouter()
for _room in (reviews.router, deciding.router, records.router, records.own, events.router, description.router):
    router.include_router(_room)
