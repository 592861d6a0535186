"""What is kept about access, asynchronous."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ParamSpec, TypeVar

from guardrail.store.protocol import Store
from guardrail.types import AccessEntry, AccessKind, AuditEntry

P = ParamSpec("P")
R = TypeVar("R")


class AsyncAccess:
    """The part of an asynchronous store that keeps accounts, sessions, tokens and one-time links."""

    store: Store

    def _run(self, work: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        """Have a thread do it."""
        raise NotImplementedError

    async def access(self, kind: AccessKind, identity: str) -> AccessEntry | None:
        return await self._run(self.store.access, kind, identity)

    async def accesses(
        self,
        kind: AccessKind,
        *,
        tenant: str | None = None,
        owner: str | None = None,
        after: str = "",
        limit: int = 100,
    ) -> list[AccessEntry]:
        return await self._run(self.store.accesses, kind, tenant=tenant, owner=owner, after=after, limit=limit)

    async def put_access(self, entry: AccessEntry, *, note: AuditEntry | None = None) -> bool:
        return await self._run(self.store.put_access, entry, note=note)

    async def drop_access(self, kind: AccessKind, identity: str, *, note: AuditEntry | None = None) -> bool:
        return await self._run(self.store.drop_access, kind, identity, note=note)

    async def forget_access(self, before: str) -> int:
        return await self._run(self.store.forget_access, before)
