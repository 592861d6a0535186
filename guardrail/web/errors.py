"""What becomes of an exception: a status, and a body in the form that was asked for.

Programs get a problem (RFC 9457), of which ``code`` and ``type`` stay as they are; people get a page. What nobody
foresaw is told without details, and logged without the values that it was about.
"""

from __future__ import annotations

import logging
import math
import traceback
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardrail.errors import (
    AccessError,
    ConfigError,
    GuardrailError,
    InvalidDecision,
    NotFound,
    NotPermitted,
    NotSignedIn,
    ReviewConflict,
    ReviewError,
    StoreError,
    StoreFull,
    StoreLocked,
    TooManyAttempts,
    TooManyReviews,
)
from guardrail.visible import plain

_log = logging.getLogger("guardrail.web")
PROBLEM: Final = "application/problem+json"
FAILED: Final = "guardrail.exception"
"""Where the scope of a request has the exception that nobody foresaw."""
_FRAMES: Final = 12
_LONGEST: Final = 2_000


@dataclass(frozen=True)
class Kind:
    """A kind of problem: what programs go by, and what people read above the details."""

    status: int
    code: str
    title: str

    @property
    def type(self) -> str:
        """The URI that names the kind."""
        return f"urn:guardrail:problem:{self.code}"


INVALID: Final = Kind(400, "invalid-request", "The request cannot be read")
UNPROCESSABLE: Final = Kind(422, "invalid-parameters", "The request says something that it may not")
INTERNAL: Final = Kind(500, "internal-error", "Something went wrong here")
NOT_FOUND: Final = Kind(404, "not-found", "There is nothing here")
KINDS: Final[tuple[tuple[type[GuardrailError], Kind], ...]] = (
    (NotSignedIn, Kind(401, "not-signed-in", "Nobody is signed in")),
    (NotPermitted, Kind(403, "not-permitted", "This is not permitted")),
    (NotFound, NOT_FOUND),
    (ReviewConflict, Kind(409, "conflict", "The review does not stand where this can be done")),
    (InvalidDecision, Kind(422, "invalid-decision", "This is no decision on this call")),
    (TooManyReviews, Kind(429, "too-many-requests", "Too much at once")),
    (StoreLocked, Kind(503, "store-busy", "The store is busy")),
    (StoreFull, Kind(507, "store-full", "The store is full")),
    (StoreError, Kind(503, "store-failed", "The store could not be read or written")),
    (ReviewError, Kind(409, "conflict", "The review does not stand where this can be done")),
    (TooManyAttempts, Kind(429, "too-many-requests", "Too much at once")),
    (AccessError, UNPROCESSABLE),
    (ConfigError, INVALID),
)
"""The first class that fits says the kind."""
OTHERS: Final = (
    INVALID,
    NOT_FOUND,
    Kind(405, "method-not-allowed", "This cannot be done here"),
    Kind(406, "not-acceptable", "Nothing here has the form that is asked for"),
    Kind(408, "timeout", "The request took too long"),
    Kind(413, "too-large", "The request is too large"),
    Kind(415, "unsupported-media-type", "The request has another form than is read here"),
    Kind(421, "wrong-host", "This server has another address"),
    UNPROCESSABLE,
    Kind(429, "too-many-requests", "Too much at once"),
    INTERNAL,
)
_BY_STATUS: Final = {kind.status: kind for _, kind in reversed(KINDS)} | {kind.status: kind for kind in OTHERS}
_SILENT: Final = frozenset({503, 507})
"""Of these the store's own words stay in the log: they may name paths and addresses."""


class Refused(GuardrailError):
    """A request that is refused before it reaches anything, with its kind."""

    def __init__(self, kind: Kind, detail: str) -> None:
        super().__init__(detail)
        self.kind = kind


def kind_of(error: GuardrailError) -> Kind:
    """Which problem an exception of this package is."""
    if isinstance(error, Refused):
        return error.kind
    return next((kind for cls, kind in KINDS if isinstance(error, cls)), INTERNAL)


def kind_with(status: int) -> Kind:
    """The kind of problem that has a status."""
    return _BY_STATUS.get(status) or Kind(status, f"http-{status}", "The request failed")


def status_of(error: GuardrailError) -> int:
    """The HTTP status of an exception of this package."""
    return kind_of(error).status


def problem(kind: Kind, detail: str, headers: dict[str, str] | None = None, **more: Any) -> Response:
    """A problem as programs read it. ``more`` are members of its own."""
    body = {"type": kind.type, "title": kind.title, "status": kind.status, "code": kind.code, "detail": detail, **more}
    if kind.status == 401:
        headers = {"www-authenticate": "Bearer", **(headers or {})}
    if kind.status in (429, 503):
        headers = {"retry-after": "2", **(headers or {})}
    return JSONResponse(body, kind.status, headers, PROBLEM)


def described(error: GuardrailError) -> tuple[Kind, str]:
    """The kind of an exception of this package, and what may be said of it."""
    kind = kind_of(error)
    if kind.status in _SILENT or kind is INTERNAL:
        _log.error("%s: %s", type(error).__name__, plain(str(error))[:_LONGEST])
        return kind, "Try again in a moment. What happened is in the server's log."
    return kind, str(error)[:_LONGEST].encode("utf-8", "replace").decode()


def answer(request: HTTPConnection, kind: Kind, detail: str, **more: Any) -> Response:
    """The answer to a request that failed, as whoever asked reads it: a problem, a page, or the way to sign in."""
    if not wants_page(request):
        return problem(kind, detail, **more)
    if kind.status == 401:
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?{urlencode({'next': here})}", 303)
    from guardrail.web.templating import page

    assert isinstance(request, Request)
    try:
        return page(request, "error.html", status=kind.status, title=kind.title, detail=detail)
    except Exception:  # noqa: BLE001 - a page about a failure must not be another one
        return Response(f"{kind.title}\n\n{plain(detail)}\n", kind.status, media_type="text/plain")


def wants_page(request: HTTPConnection) -> bool:
    """Whether a person asks, in a browser, for a page."""
    path = request.url.path
    accepted = request.headers.get("accept", "")
    return not path.startswith(("/api/", "/metrics", "/healthz", "/readyz")) and "text/html" in accepted


def add_error_handlers(app: FastAPI) -> None:
    """Answer the exceptions of this package, of FastAPI and of Starlette; ``Unbroken`` answers all others."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, GuardrailError)
        response = answer(request, *described(error))
        if isinstance(error, TooManyAttempts):
            response.headers["retry-after"] = str(max(1, math.ceil(error.seconds)))
        return response

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        # where and what, but never the input: it holds arguments
        found = [{"where": _where(one["loc"]), "message": _text(one["msg"])} for one in error.errors()[:20]]
        detail = "; ".join(f"{one['where']}: {one['message']}" for one in found[:5])[:_LONGEST]
        return answer(request, UNPROCESSABLE, detail, errors=found)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        kind = kind_with(error.status_code)
        said = kind.title if error.detail == kind.title else _text(str(error.detail))
        response = answer(request, kind, said)
        for name, value in (error.headers or {}).items():
            response.headers[name] = value
        return response

    app.add_exception_handler(GuardrailError, ours)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)


def _where(place: tuple[int | str, ...]) -> str:
    return _text(".".join(str(part) for part in place))[:200]


def _text(said: str) -> str:
    return said[:500].encode("utf-8", "replace").decode()


class Unbroken:
    """Answers what nobody foresaw, and logs which exception it was and where, without what it says: that may have
    arguments in it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def out(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, out)
        except Exception as error:
            if scope["type"] != "http":
                raise
            scope[FAILED] = error
            _log.error("%s: %s at %s", scope["method"], _chain(error), _place(error))
            if begun:
                raise ConnectionError("the answer broke off") from None
            detail = "It is not your request that is wrong. What happened is in the server's log."
            await answer(Request(scope, receive), INTERNAL, detail)(scope, receive, send)


def _chain(error: BaseException | None) -> str:
    names: list[str] = []
    while error is not None and len(names) < 5:
        names.append(type(error).__name__)
        error = error.__cause__ or error.__context__
    return " from ".join(names)


def _place(error: Exception) -> str:
    frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
    return " < ".join(f"{one.filename.rpartition('/')[2]}:{one.lineno} {one.name}" for one in reversed(frames))
