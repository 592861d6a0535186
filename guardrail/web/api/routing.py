"""What all routes of the API have in common."""

from __future__ import annotations

import json
from typing import Any, Final

from fastapi import APIRouter
from starlette.responses import JSONResponse

from guardrail.web.errors import PROBLEM, kind_with


class Answer(JSONResponse):
    """JSON in ASCII: half a character that a model wrote comes out as it is, and breaks nothing."""

    def render(self, content: Any) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What the description says of answers with these statuses."""
    return {
        status: {
            "description": kind_with(status).title,
            "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status in statuses
    }


READING: Final = problems(401, 403, 422, 503)
WRITING: Final = problems(400, 401, 403, 404, 409, 413, 415, 422, 503)


def room(tag: str) -> APIRouter:
    """A router for routes about one thing."""
    return APIRouter(prefix="/api/v1", tags=[tag], default_response_class=Answer)
