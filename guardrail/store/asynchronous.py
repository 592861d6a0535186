"""A store for programs that run in an event loop: the same methods, awaited, done by threads of its own."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from guardrail.audit import AuditView
from guardrail.store.async_access import AsyncAccess
from guardrail.store.async_notices import AsyncNotices
from guardrail.store.async_sealed import AsyncSealed
from guardrail.store.protocol import Store
from guardrail.types import (
    Alarm,
    AuditDraw,
    AuditEntry,
    AuditHead,
    Label,
    Record,
    Review,
    ReviewFilter,
    ReviewPage,
    ReviewState,
    Spending,
    Usage,
)

P = ParamSpec("P")
R = TypeVar("R")
_LOOK_EVERY = 1.0


class AsyncStore(AsyncNotices, AsyncSealed, AsyncAccess):
    """Any store, asynchronous. ``threads`` bounds how many calls run at once; the others wait for their turn.

    What ``Store`` says of each method holds. A call that is cancelled is still carried out once a thread has begun it.
    """

    def __init__(self, store: Store, *, threads: int = 8) -> None:
        self.store = store
        self.url = store.url
        self._threads = ThreadPoolExecutor(threads, "guardrail-store")
        # those who wait share one thread, so that they keep nobody from working
        self._waiting = ThreadPoolExecutor(1, "guardrail-store-wait")
        self._looking: asyncio.Future[bool] | None = None

    async def add_record(self, record: Record) -> bool:
        return await self._run(self.store.add_record, record)

    async def record(self, record_id: str) -> Record:
        return await self._run(self.store.record, record_id)

    async def records(
        self, *, thread_id: str | None = None, limit: int = 50, before: str | None = None
    ) -> list[Record]:
        return await self._run(self.store.records, thread_id=thread_id, limit=limit, before=before)

    async def add_label(self, record_id: str, label: Label) -> Record:
        return await self._run(self.store.add_label, record_id, label)

    async def labelled(self, *, after: int = 0, limit: int = 500) -> list[tuple[int, str, Label]]:
        return await self._run(self.store.labelled, after=after, limit=limit)

    async def add_draws(self, draws: Sequence[AuditDraw]) -> int:
        return await self._run(self.store.add_draws, draws)

    async def draws(
        self, *, record_id: str | None = None, limit: int = 500, after: int = 0
    ) -> list[tuple[int, AuditDraw]]:
        return await self._run(self.store.draws, record_id=record_id, limit=limit, after=after)

    async def raise_alarm(self, alarm: Alarm) -> bool:
        return await self._run(self.store.raise_alarm, alarm)

    async def alarms(self, *, standing: bool = True) -> list[Alarm]:
        return await self._run(self.store.alarms, standing=standing)

    async def clear_alarm(self, alarm_id: str, *, by: str, at: str, note: str = "") -> Alarm:
        return await self._run(self.store.clear_alarm, alarm_id, by=by, at=at, note=note)

    async def state(self, key: str) -> tuple[int, str] | None:
        return await self._run(self.store.state, key)

    async def put_state(self, key: str, text: str, *, revision: int) -> bool:
        return await self._run(self.store.put_state, key, text, revision=revision)

    async def add_review(self, review: Review) -> Review:
        return await self._run(self.store.add_review, review)

    async def review(self, review_id: str) -> Review:
        return await self._run(self.store.review, review_id)

    async def reviews(
        self,
        *,
        states: frozenset[ReviewState] | None = None,
        thread_id: str | None = None,
        record_id: str | None = None,
        limit: int = 50,
    ) -> list[Review]:
        return await self._run(self.store.reviews, states=states, thread_id=thread_id, record_id=record_id, limit=limit)

    async def find_reviews(self, wanted: ReviewFilter, *, limit: int = 50, after: str = "") -> ReviewPage:
        return await self._run(self.store.find_reviews, wanted, limit=limit, after=after)

    async def due_reviews(self, before: str, *, limit: int = 500) -> list[Review]:
        return await self._run(self.store.due_reviews, before, limit=limit)

    async def compare_and_set(self, review: Review) -> bool:
        return await self._run(self.store.compare_and_set, review)

    async def note(self, entry: AuditEntry) -> AuditEntry:
        return await self._run(self.store.note, entry)

    async def audit_entries(
        self,
        *,
        tenant: str = "",
        shard: int | None = None,
        after: int = 0,
        subject: str | None = None,
        limit: int = 500,
    ) -> list[AuditEntry]:
        return await self._run(
            self.store.audit_entries, tenant=tenant, shard=shard, after=after, subject=subject, limit=limit
        )

    async def audit_heads(self, *, tenant: str = "") -> list[AuditHead]:
        return await self._run(self.store.audit_heads, tenant=tenant)

    async def audit_tenants(self) -> list[str]:
        return await self._run(self.store.audit_tenants)

    async def with_audit_view(self, work: Callable[[AuditView], R], *, tenant: str = "") -> R:
        """What ``work`` makes of a tenant's whole log, in one thread and at one moment (``Store.audit_view``)."""

        def whole() -> R:
            with self.store.audit_view(tenant=tenant) as view:
                return work(view)

        return await self._run(whole)

    async def seal(self, *, by: str, tenant: str = "", at: str = "") -> list[AuditHead]:
        return await self._run(self.store.seal, by=by, tenant=tenant, at=at)

    async def change_mark(self) -> int:
        return await self._run(self.store.change_mark)

    async def wait_for_change(self, timeout: float, *, since: int | None = None) -> bool:  # noqa: ASYNC109 (the store's own: it ends with False)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        start = await self.change_mark() if since is None else since
        while (mark := await self.change_mark()) <= start:
            left = deadline - loop.time()
            if left <= 0:
                return False
            if self._looking is None or self._looking.done():
                look = functools.partial(self.store.wait_for_change, _LOOK_EVERY, since=mark)
                self._looking = loop.run_in_executor(self._waiting, look)
            await asyncio.wait([self._looking], timeout=left)
        return True

    async def spend(self, entry: Spending) -> None:
        await self._run(self.store.spend, entry)

    async def spent(self, *, thread_id: str | None = None, since: str | None = None) -> dict[str, Usage]:
        return await self._run(self.store.spent, thread_id=thread_id, since=since)

    async def close(self) -> None:
        await self._run(self.store.close)
        if self._looking is not None:
            await asyncio.wait([self._looking], timeout=2 * _LOOK_EVERY)
        self._threads.shutdown(wait=False)
        self._waiting.shutdown(wait=False)

    async def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        call = functools.partial(work, *args, **kwargs)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)
