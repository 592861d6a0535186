"""What becomes of an exception: a status, and a body in the form that was asked for."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from guardrail.errors import (
    ConfigError,
    GuardrailError,
    InvalidDecision,
    NotFound,
    NotPermitted,
    NotSignedIn,
    ReviewConflict,
    ReviewError,
    StoreError,
    StoreLocked,
    TooManyReviews,
)

STATUS: Final[tuple[tuple[type[GuardrailError], int], ...]] = (
    (NotSignedIn, 401),
    (NotPermitted, 403),
    (NotFound, 404),
    (ReviewConflict, 409),
    (InvalidDecision, 422),
    (TooManyReviews, 429),
    (StoreLocked, 503),
    (StoreError, 400),
    (ReviewError, 409),
    (ConfigError, 400),
)
"""The first kind that fits says the status."""


def status_of(error: GuardrailError) -> int:
    """The HTTP status of an exception of this package."""
    return next((status for kind, status in STATUS if isinstance(error, kind)), 500)


def add_error_handlers(app: FastAPI) -> None:
    """Answer exceptions of this package; all others are a bug, and say nothing of themselves."""

    async def answered(_: Request, error: Exception) -> Response:
        assert isinstance(error, GuardrailError)
        return JSONResponse({"detail": str(error)}, status_code=status_of(error))

    app.add_exception_handler(GuardrailError, answered)
