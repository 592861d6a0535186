"""The outbox of notifications, asynchronous."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import ParamSpec, TypeVar

from guardrail.store.protocol import Store
from guardrail.types import Notice, NoticeCount, NoticeState

P = ParamSpec("P")
R = TypeVar("R")


class AsyncNotices:
    """The part of an asynchronous store that keeps notices."""

    store: Store

    def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        """Have a thread do it."""
        raise NotImplementedError

    async def add_notices(self, notices: Sequence[Notice]) -> int:
        return await self._run(self.store.add_notices, notices)

    async def claim_notices(self, channel: str, *, by: str, now: str, until: str, most: int = 1) -> list[Notice]:
        return await self._run(self.store.claim_notices, channel, by=by, now=now, until=until, most=most)

    async def settle_notices(self, notices: Sequence[Notice]) -> bool:
        return await self._run(self.store.settle_notices, notices)

    async def notices(
        self, *, channel: str | None = None, state: NoticeState | None = None, limit: int = 50, after: str = ""
    ) -> list[Notice]:
        return await self._run(self.store.notices, channel=channel, state=state, limit=limit, after=after)

    async def count_notices(self) -> list[NoticeCount]:
        return await self._run(self.store.count_notices)

    async def due_notices(self, channel: str, *, now: str, limit: int = 1000) -> int:
        return await self._run(self.store.due_notices, channel, now=now, limit=limit)

    async def forget_notices(self, before: str, *, limit: int = 1000) -> int:
        return await self._run(self.store.forget_notices, before, limit=limit)
