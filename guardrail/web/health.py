"""What a machine that watches this one asks."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from guardrail.errors import NotPermitted
from guardrail.web.api.asked import NoQuery
from guardrail.web.house import house, need_operator
from guardrail.web.metrics import CONTENT_TYPE

METRICS = "metrics:read"
"""The scope to read figures."""
router = APIRouter(include_in_schema=False, dependencies=[NoQuery])


@router.get("/healthz")
def healthz() -> Response:
    """The process answers."""
    return PlainTextResponse("ok\n")


@router.get("/readyz")
def readyz(request: Request) -> Response:
    """The store answers too."""
    house(request).store.change_mark()
    return PlainTextResponse("ok\n")


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """Figures as Prometheus reads them, of all tenants together: for this server's own people, with the scope
    ``metrics:read`` or the role ``admin``, or for everybody where its settings say so.
    """
    if not house(request).settings.open_metrics:
        who = need_operator(request, METRICS, "read metrics")
        if who.scopes is None and "admin" not in who.roles:
            raise NotPermitted(f"{who.name} may not read metrics: the role admin or the scope {METRICS} is needed")
    return Response(house(request).metrics.text(), media_type=CONTENT_TYPE)
