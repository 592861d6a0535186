"""The application, put together: who asks, what may be asked, and in which room it is answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from starlette.types import ASGIApp

from guardrail.access import Access
from guardrail.clock import utc_now
from guardrail.policy import Policy
from guardrail.review import Queue
from guardrail.store import Store
from guardrail.version import __version__
from guardrail.web import api, auth, health, pages
from guardrail.web.errors import Unbroken, add_error_handlers
from guardrail.web.guarding import Guarding
from guardrail.web.headers import Headers
from guardrail.web.house import House
from guardrail.web.metrics import Counted
from guardrail.web.settings import Settings


def create_app(
    store: Store,
    *,
    settings: Settings | None = None,
    policy: Policy | None = None,
    clock: Callable[[], datetime] = utc_now,
    door: Callable[[ASGIApp], ASGIApp] = auth.Authenticated,
) -> FastAPI:
    """The pages and the API over a store. The caller closes the store.

    ``door`` is the middleware that finds out who asks, and sets ``principal`` and ``csrf`` of the request's state.
    """
    settings = settings or Settings()
    app = FastAPI(title="guardrail", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.house = House(
        store=store, queue=Queue(store, tenant=None, clock=clock), settings=settings, clock=clock, policy=policy
    )
    app.state.access = access = Access(store, clock=clock)
    access.hours = settings.session_hours
    add_error_handlers(app)
    app.include_router(api.router)
    app.include_router(health.router)
    app.include_router(auth.router)
    app.include_router(pages.router)
    pages.mount_static(app)
    app.add_middleware(door)
    app.add_middleware(Guarding)  # before anybody reads a cookie or a body
    app.add_middleware(Unbroken)
    app.add_middleware(Counted)
    app.add_middleware(Headers)  # outermost: every answer has them
    return app
