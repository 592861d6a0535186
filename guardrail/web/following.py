"""What is new in the audit log of a tenant since one last looked."""

from __future__ import annotations

from collections.abc import Iterator

from guardrail.store import Store
from guardrail.types import AuditEntry

_PAGE = 500


class Following:
    """Reads on in the chains of one tenant, from where they end now, or from their beginning."""

    def __init__(self, store: Store, tenant: str, *, from_start: bool = False) -> None:
        self._store = store
        self._tenant = tenant
        self._at = {} if from_start else self._ends()

    def news(self, most: int) -> list[AuditEntry] | None:
        """What was written since the last call, each chain in its order; None, and all is skipped, if that is more."""
        heads = self._ends()
        grown = {shard: end for shard, end in heads.items() if end > self._at.get(shard, 0)}
        new = sum(end - self._at.get(shard, 0) for shard, end in grown.items())
        found = None if new > most else [entry for shard in grown for entry in self._chain(shard, heads[shard])]
        self._at |= grown
        return found

    def _ends(self) -> dict[int, int]:
        return {head.shard: head.number for head in self._store.audit_heads(tenant=self._tenant)}

    def _chain(self, shard: int, end: int) -> Iterator[AuditEntry]:
        after = self._at.get(shard, 0)
        while after < end:
            page = self._store.audit_entries(
                tenant=self._tenant, shard=shard, after=after, limit=min(_PAGE, end - after)
            )
            if not page:
                return
            yield from page
            after = page[-1].number
