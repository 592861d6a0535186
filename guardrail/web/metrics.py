"""Figures for monitoring, about all tenants together and without a name of any.

Decisions are read from the audit log, so that those of the command line and of other processes count too: every process
tells of the whole store, and figures of several must not be added up. Only requests are this process's own.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guardrail.errors import StoreError
from guardrail.review import WAITING
from guardrail.store import Store
from guardrail.types import AuditEntry, Review, Tier
from guardrail.web.following import Following

_log = logging.getLogger("guardrail.web")
_access = logging.getLogger("guardrail.web.access")
CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_FRESH: Final = 5.0
"""Seconds for which counted reviews are taken as they are."""
_MOST_OPEN: Final = 10_000
_MOST_NEWS: Final = 10_000
_WAITED: Final = (10, 30, 60, 120, 300, 600, 1800, 3600, 3 * 3600, 12 * 3600, 24 * 3600, 72 * 3600)
_TOOK: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Metrics:
    """The figures of one application, in a registry of its own."""

    def __init__(self, store: Store, clock: Callable[[], datetime]) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._counted = -_FRESH
        self._following: dict[str, Following] = {}
        self._mark: int | None = None
        self.registry = CollectorRegistry()
        self._open = Gauge(
            "guardrail_reviews_open",
            f"Reviews that nobody has decided (at most {_MOST_OPEN} are counted).",
            ("tier", "state"),
            registry=self.registry,
        )
        self._oldest = Gauge(
            "guardrail_reviews_oldest_seconds",
            "Age of the oldest review that nobody has decided.",
            registry=self.registry,
        )
        self._decisions = Counter(
            "guardrail_decisions",
            "Reviews that ended with a decision, or by their deadline.",
            ("tier", "type"),
            registry=self.registry,
        )
        self._waited = Histogram(
            "guardrail_review_wait_seconds",
            "Seconds from asking to the decision.",
            ("tier",),
            buckets=_WAITED,
            registry=self.registry,
        )
        self._requests = Counter(
            "guardrail_http_requests", "HTTP requests.", ("method", "route", "status"), registry=self.registry
        )
        self._took = Histogram(
            "guardrail_http_request_seconds",
            "Seconds until an answer was sent; streams are left out.",
            ("route",),
            buckets=_TOOK,
            registry=self.registry,
        )
        for tier in Tier:
            for state in WAITING:
                self._open.labels(tier.value, state.value)

    def text(self) -> bytes:
        """The figures as Prometheus reads them."""
        with self._lock:
            self._decided()
            if time.monotonic() - self._counted >= _FRESH:
                self._count()
                self._counted = time.monotonic()
        return generate_latest(self.registry)

    def request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count a request."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        if not route.endswith("/events"):
            self._took.labels(route).observe(seconds)

    def _count(self) -> None:
        waiting = self._store.reviews(states=WAITING, limit=_MOST_OPEN)
        counts = dict.fromkeys(((tier, state) for tier in Tier for state in WAITING), 0)
        for review in waiting:
            counts[review.tier, review.state] += 1
        for (tier, state), count in counts.items():
            self._open.labels(tier.value, state.value).set(count)
        self._oldest.set(max((_seconds(one.at, self._clock().isoformat()) for one in waiting), default=0))

    def _decided(self) -> None:
        mark = self._store.change_mark()
        if mark == self._mark:
            return
        first, self._mark = self._mark is None, mark
        for tenant in self._store.audit_tenants():
            if tenant not in self._following:
                # a tenant that came up since has all its entries before it
                self._following[tenant] = Following(self._store, tenant, from_start=not first)
            news = self._following[tenant].news(_MOST_NEWS)
            if news is None:
                _log.warning("more than %d changes at once: their decisions are not counted", _MOST_NEWS)
            for entry in news or ():
                if entry.what in ("review.decided", "review.expired"):
                    self._decision(entry)

    def _decision(self, entry: AuditEntry) -> None:
        try:
            review: Review = self._store.review(entry.subject)
        except StoreError:
            return
        kind = "expired" if entry.what == "review.expired" or review.decision is None else review.decision.type.value
        self._decisions.labels(review.tier.value, kind).inc()
        self._waited.labels(review.tier.value).observe(_seconds(review.at, entry.at))


class Counted:
    """Counts every request by its route, never by its path: that would name reviews, and one-time links."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status = time.perf_counter(), 500

        async def out(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, out)
        finally:
            seconds, route = time.perf_counter() - started, route_of(scope)
            scope["app"].state.house.metrics.request(scope["method"], route, status, seconds)
            _access.info("%s %s %d %.0f ms", scope["method"], route, status, seconds * 1000)


def route_of(scope: Scope) -> str:
    """The route of a request, with names in the place of values; "other" where there is none."""
    path = getattr(scope.get("route"), "path", None)
    return path if isinstance(path, str) else "other"


def _seconds(since: str, until: str) -> float:
    try:
        start, end = (datetime.fromisoformat(at) for at in (since, until))
        zoned = [one if one.tzinfo else one.replace(tzinfo=UTC) for one in (start, end)]
        return max(0.0, (zoned[1] - zoned[0]).total_seconds())
    except (ValueError, OverflowError):
        return 0.0
