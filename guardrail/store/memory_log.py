"""The audit log in memory. Whoever uses it holds the store's lock."""

from __future__ import annotations

from collections.abc import Iterator

from guardrail import audit
from guardrail.types import AuditEntry, AuditHead


class MemoryLog:
    """Chains by tenant and shard."""

    def __init__(self) -> None:
        self._chains: dict[tuple[str, int], list[AuditEntry]] = {}

    def append(self, entry: AuditEntry) -> AuditEntry:
        """Add an entry to the end of its chain."""
        chain = self._chains.setdefault((entry.tenant, entry.shard), [])
        chain.append(audit.chained(entry, audit.head_of(chain[-1]) if chain else None))
        return chain[-1]

    def seal(self, *, tenant: str, by: str, at: str) -> list[AuditHead]:
        """Seal all chains of a tenant, and say where they end afterwards."""
        for entry in audit.seals(self.heads(tenant), tenant=tenant, by=by, at=at):
            self._chains.setdefault((tenant, entry.shard), []).append(entry)
        return self.heads(tenant)

    def heads(self, tenant: str) -> list[AuditHead]:
        """Where each chain of a tenant ends."""
        chains = (self._chains.get((tenant, shard)) for shard in range(audit.SHARDS))
        return [audit.head_of(chain[-1]) for chain in chains if chain]

    def mark(self) -> int:
        """How many entries there are."""
        return sum(map(len, self._chains.values()))

    def tenants(self) -> set[str]:
        """Every tenant that has a log."""
        return {tenant for tenant, _ in self._chains}

    def entries(self, *, tenant: str, shard: int | None = None, after: int = 0) -> Iterator[AuditEntry]:
        """A tenant's log, shard by shard and number by number."""
        for one in range(audit.SHARDS) if shard is None else (shard,):
            yield from self._chains.get((tenant, one), [])[max(after, 0) :]
