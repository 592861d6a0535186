"""Encrypted values, asynchronous."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from guardrail.store.protocol import Store
from guardrail.types import Sealed

P = ParamSpec("P")
R = TypeVar("R")


class AsyncSealed:
    """The part of an asynchronous store that keeps encrypted values."""

    store: Store

    def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        """Have a thread do it."""
        raise NotImplementedError

    async def add_sealed(self, sealed: Sealed) -> bool:
        return await self._run(self.store.add_sealed, sealed)

    async def sealed(self, review_id: str) -> list[Sealed]:
        return await self._run(self.store.sealed, review_id)
