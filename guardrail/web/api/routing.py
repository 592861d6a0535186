"""What all routes of the API have in common."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import JSONResponse

from guardrail.review import READ
from guardrail.web.errors import PROBLEM, kind_with
from guardrail.web.house import need, need_person, principal


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


READING: Final = problems(401, 403, 405, 421, 422, 500, 503)
WRITING: Final = problems(400, 401, 403, 404, 405, 409, 413, 415, 421, 422, 429, 500, 503, 507)


def signed_in(request: Request) -> None:
    """Somebody who is known here."""
    principal(request)


def may_read(request: Request) -> None:
    """Somebody whose credentials are for reading."""
    need(request, READ, "read reviews")


def may_decide(request: Request) -> None:
    """A person whose credentials are for deciding."""
    need_person(request, "decide")


def room(tag: str, needed: Callable[[Request], None] | None) -> APIRouter:
    """A router for routes about one thing. Who asks is looked at first: before what they say."""
    first = [] if needed is None else [Depends(needed)]
    return APIRouter(prefix="/api/v1", tags=[tag], default_response_class=Answer, dependencies=first)
