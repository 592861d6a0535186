"""The pages that people open."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles

from guardrail.web.pages import dashboard, judging, log, records, reviews

router = APIRouter(include_in_schema=False)
for _room in (reviews, dashboard, judging, records, log):
    router.include_router(_room.router)

__all__ = ["mount_static", "router"]


def mount_static(app: FastAPI) -> None:
    """Serve the style and the script."""
    app.mount("/static", StaticFiles(directory=Path(__file__).parent.parent / "static"), name="static")
