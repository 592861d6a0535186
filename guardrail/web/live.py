"""What happens in the queue, told to everybody who looks: one thread a process waits for changes of the store, and
hands them on.

An event names what changed (ids, states, revisions) and never what is in it. Nobody gets events of another tenant.
"""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from guardrail.errors import StoreError, TooManyReviews
from guardrail.store import Store
from guardrail.types import AuditEntry, Principal
from guardrail.web.following import Following

_log = logging.getLogger("guardrail.web")
_WAIT: Final = 1.0
_MOST_NEWS: Final = 200
"""Changes at once that are told one by one; of more, clients are told to look at everything again."""
_KEPT: Final = 1_000
"""Events of a tenant that are kept for clients that come back."""
_BACKLOG: Final = 500
"""Events that a client which does not read may have before it."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that changed. Whoever has it has seen every change up to ``mark`` (the store's change mark), and
    whoever has seen every change up to ``upto`` does not need it.
    """

    name: str
    mark: int
    upto: int
    data: dict[str, str | int] = field(default_factory=dict)

    def encoded(self) -> bytes:
        """As it goes over the wire."""
        data = json.dumps(self.data, separators=(",", ":"))
        return f"id: {self.mark}\nevent: {self.name}\ndata: {data}\n\n".encode()


def reset(mark: int) -> Event:
    """Tells a client to look at everything again: it may have missed something."""
    return Event(name="reset", mark=mark, upto=mark)


class _Tenant:
    """What everybody of a tenant is told, from a mark on."""

    def __init__(self, store: Store, name: str) -> None:
        self.seen = store.change_mark()  # before, and the other after: what comes in between is told twice, never not
        self.following = Following(store, name)
        self.since = store.change_mark()
        self.recent: deque[Event] = deque(maxlen=_KEPT)

    def missed(self, mark: int) -> list[Event]:
        """What somebody did not see who saw everything up to a mark."""
        if mark < self.since or (len(self.recent) == _KEPT and mark < self.recent[0].upto):
            return [reset(self.seen)]
        return [event for event in self.recent if event.upto > mark]


class Subscription:
    """The events of one client, in its event loop."""

    def __init__(self, who: Principal) -> None:
        self.tenant = who.tenant
        self.name = who.name
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[Event] = deque()
        self._ended = False
        self._changed = asyncio.Event()

    def offer(self, events: Iterable[Event]) -> None:
        """Hand events over, from any thread. One that does not read loses them, and is told so."""
        given = list(events)
        try:
            self._loop.call_soon_threadsafe(self._take, given)
        except RuntimeError:
            self._ended = True  # its loop is closed: nobody reads

    def end(self) -> None:
        """No more events come, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._close)
        except RuntimeError:
            self._ended = True

    async def next(self, seconds: float) -> Event | None:
        """The next event, or None after so many seconds, or where it is over."""
        if not self._waiting and not self._ended:
            try:
                async with asyncio.timeout(seconds):
                    await self._changed.wait()
            except TimeoutError:
                return None
        self._changed.clear()
        return self._waiting.popleft() if self._waiting else None

    @property
    def over(self) -> bool:
        """Whether everything was read, and no more comes."""
        return self._ended and not self._waiting

    def _take(self, events: list[Event]) -> None:
        if len(self._waiting) + len(events) > _BACKLOG:
            events = [reset(self._waiting[0].mark if self._waiting else events[0].mark)]
            self._waiting.clear()
        self._waiting.extend(events)
        if events:
            self._changed.set()

    def _close(self) -> None:
        self._ended = True
        self._changed.set()


class Live:
    """Everybody who looks. The thread that waits runs while somebody does."""

    def __init__(self, store: Store, *, most: int, each: int) -> None:
        self._store = store
        self._most, self._each = most, each
        self._lock = threading.Lock()
        self._subscribed: set[Subscription] = set()
        self._tenants: dict[str, _Tenant] = {}
        self._thread: threading.Thread | None = None
        self._closed = False
        self._look = False

    def __len__(self) -> int:
        return len(self._subscribed)

    def close(self) -> None:
        """End every stream; no new one begins."""
        with self._lock:
            self._closed = True
            for one in self._subscribed:
                one.end()

    async def subscribe(self, who: Principal, since: int | None) -> Subscription:
        """From now on, or from ``since``, the mark of the last event that was seen. ``leave`` ends it.

        Raises:
            TooManyReviews: too many streams are open.
        """
        one = Subscription(who)
        with self._lock:
            mine = sum((other.tenant, other.name) == (one.tenant, one.name) for other in self._subscribed)
            if self._closed or len(self._subscribed) >= self._most or mine >= self._each:
                raise TooManyReviews("too many streams of events are open: close one, or look again now and then")
            self._subscribed.add(one)
        try:
            await asyncio.to_thread(self._begin, one, since)
        except BaseException:
            self.leave(one)
            raise
        return one

    def leave(self, one: Subscription) -> None:
        """Nobody reads these events any more."""
        with self._lock:
            self._subscribed.discard(one)
            if not any(other.tenant == one.tenant for other in self._subscribed):
                self._tenants.pop(one.tenant, None)

    def _begin(self, one: Subscription, since: int | None) -> None:
        now = self._store.change_mark()
        fresh = None if one.tenant in self._tenants else _Tenant(self._store, one.tenant)
        with self._lock:
            if self._closed:
                one.end()
            if one not in self._subscribed:
                return
            if one.tenant not in self._tenants:
                self._tenants[one.tenant] = fresh or _Tenant(self._store, one.tenant)
                self._look = True  # at once: the thread may be waiting since a later mark
            tenant = self._tenants[one.tenant]
            missed = [] if since is None else [reset(tenant.seen)] if since > now else tenant.missed(since)
            one.offer([Event(name="hello", mark=tenant.seen, upto=tenant.seen), *missed])
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="guardrail-live", daemon=True)
                self._thread.start()

    def _watch(self) -> None:
        mark: int | None = None
        while True:
            with self._lock:
                if self._closed or not self._subscribed:
                    self._thread = None
                    return
                look, self._look = self._look or mark is None, False
            try:
                if look or self._store.wait_for_change(_WAIT, since=mark):
                    mark = self._store.change_mark()
                    with self._lock:
                        tenants = list(self._tenants.items())
                    for name, tenant in tenants:
                        self._tell(name, tenant, mark)
            except Exception as error:  # noqa: BLE001 - whatever a store raises, those who look must be served on
                if self._closed:  # so is the store, perhaps
                    continue
                _log.warning("waiting for changes failed: %s", type(error).__name__)
                mark = None
                time.sleep(_WAIT)

    def _tell(self, name: str, tenant: _Tenant, mark: int) -> None:
        news = tenant.following.news(_MOST_NEWS)
        told = [("reset", {})] if news is None else list(_changes(self._store, name, news))
        upto = self._store.change_mark()
        events = [Event(name=what, mark=mark, upto=upto, data=data) for what, data in told]
        with self._lock:
            tenant.seen = mark
            tenant.recent.extend(events)
            for one in self._subscribed:
                if one.tenant == name and events:
                    one.offer(events)


def _changes(store: Store, tenant: str, news: Iterable[AuditEntry]) -> Iterator[tuple[str, dict[str, str | int]]]:
    """One event a review that changed, and one a kind of anything else."""
    reviews: dict[str, str] = {}
    kinds: dict[str, None] = {}
    for entry in news:
        kind, _, what = entry.what.partition(".")
        if kind == "review":
            reviews[entry.subject] = what
        else:
            kinds[kind] = None
    for subject, what in reviews.items():
        yield "review", {"id": subject, "what": what, **_stands(store, tenant, subject)}
    for kind in kinds:
        yield "changed", {"kind": kind}


def _stands(store: Store, tenant: str, review_id: str) -> dict[str, str | int]:
    try:
        review = store.review(review_id)
    except StoreError:  # it was deleted, or is damaged: that it changed is still so
        return {}
    if review.id != review_id or review.tenant != tenant:
        return {}
    return {"state": review.state.value, "tier": review.tier.value, "revision": review.revision}
