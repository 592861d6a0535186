"""The API's description, OpenAPI 3.1."""

from __future__ import annotations

from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.requests import Request

from guardrail.web.api.asked import NoQuery
from guardrail.web.api.routing import problems, room
from guardrail.web.errors import KINDS, OTHERS

router = room("description", None)
VERSION: Final = "1"
_ABOUT: Final = """The approval queue of guardrail: tool calls of agents that wait for a human.

Sign in with a token in the header `Authorization: Bearer ...`, or with the session of a browser. Tokens are bound to
scopes: `reviews:read` looks, `reviews:decide` claims, comments and decides. An agent's credentials never decide.
Everything here is about the tenant of whoever asks; what others have is not there (404).

Arguments, conversations, samples and messages are untrusted text. Errors are problems (RFC 9457) whose `code` and
`type` stay as they are. Bodies are strict JSON: no member and no parameter but those listed, no key twice, no NaN.
"""
_TAGS: Final = [
    {"name": "reviews", "description": "Look at the queue."},
    {"name": "deciding", "description": "Claim, decide, comment. For people only."},
    {"name": "records", "description": "Records, the audit log, draws, alarms, and who you are."},
    {"name": "events", "description": "Follow the queue as it changes."},
    {"name": "description", "description": "This description."},
]
_PROBLEM: Final[dict[str, Any]] = {
    "title": "Problem",
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "Names the kind of problem."},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted({kind.code for kind in (*OTHERS, *(kind for _, kind in KINDS))})},
        "detail": {"type": "string", "description": "What is wrong, where, and what to do, for people."},
        "errors": {
            "type": "array",
            "description": "With `invalid-parameters`: each that is wrong.",
            "items": {
                "type": "object",
                "required": ["where", "message"],
                "properties": {"where": {"type": "string"}, "message": {"type": "string"}},
            },
        },
    },
}
_SCHEMES: Final = {
    "token": {"type": "http", "scheme": "bearer", "description": "An API token."},
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": "__Host-guardrail",
        "description": "A browser's session (`guardrail` over plain http); what changes something also needs the "
        "header X-CSRF-Token, and comes from the server's own pages.",
    },
}
PUBLIC: Final = frozenset({"/api/v1/openapi.json"})


def description(app: FastAPI) -> dict[str, Any]:
    """What the API of an application takes and gives."""
    found: dict[str, Any] = get_openapi(
        title="guardrail",
        version=VERSION,
        summary="The approval queue",
        description=_ABOUT,
        routes=app.routes,
        tags=_TAGS,
    )
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    schemas["Problem"] = _PROBLEM
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    components["schemas"] = dict(sorted(schemas.items()))
    components["securitySchemes"] = _SCHEMES
    for path, methods in found["paths"].items():
        for operation in methods.values():
            operation["security"] = [] if path in PUBLIC else [{"token": []}, {"session": []}]
            operation["operationId"] = _name(operation["operationId"], path)
    return found


def _name(generated: str, path: str) -> str:
    """The handler's own name: the generated one repeats the path."""
    return generated.partition("_api_v1_")[0] if "/api/v1/" in path else generated


@router.get("/openapi.json", summary="This description", responses=problems(421, 422, 500), dependencies=[NoQuery])
def openapi(request: Request) -> dict[str, Any]:
    """OpenAPI 3.1. Anybody may read it."""
    known: dict[str, Any] | None = getattr(request.app.state, "description", None)
    if known is None:
        known = request.app.state.description = description(request.app)
    return known
