"""The audit log backwards: the newest entries of all of a tenant's chains, page by page."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from guardrail.audit import SHARDS, shard_of
from guardrail.errors import StoreError
from guardrail.store.protocol import Store
from guardrail.store.rows import sort_key
from guardrail.types import AuditEntry

_STEP = 500


@dataclass(frozen=True, kw_only=True)
class Trail:
    """Entries, the newest first. ``before`` goes on behind them: by shard, the number below which; empty: no more."""

    entries: tuple[AuditEntry, ...]
    before: tuple[int, ...] = ()


def trail(store: Store, *, tenant: str = "", before: Sequence[int] = (), limit: int = 50) -> Trail:
    """The newest entries of a tenant, or those behind a page of them. Each chain keeps its own order: a time that
    somebody stated (with an imported label, say) moves nothing in it.

    Raises:
        StoreError: ``before`` is nothing that a page said.
    """
    if before and (len(before) != SHARDS or min(before) < 0):
        raise StoreError(f"{'-'.join(map(str, before))!r} is no place in the audit log: begin at its end")
    ends = _ends(store, tenant, before)
    chains = [_chain(store, tenant, shard, end, limit) for shard, end in enumerate(ends)]
    heads = [(_Newest(sort_time(chain[0].at)), shard, 0) for shard, chain in enumerate(chains) if chain]
    heapq.heapify(heads)
    found: list[AuditEntry] = []
    while heads and len(found) < limit:
        _, shard, place = heapq.heappop(heads)
        found.append(chains[shard][place])
        ends[shard] = chains[shard][place].number
        if place + 1 < len(chains[shard]):
            heapq.heappush(heads, (_Newest(sort_time(chains[shard][place + 1].at)), shard, place + 1))
    more = any(end > 1 for end in ends)
    return Trail(entries=tuple(found), before=tuple(ends) if more and found else ())


def entries_about(store: Store, subject: str, *, tenant: str = "", most: int) -> tuple[list[AuditEntry], bool]:
    """What the log says about a subject, the newest first, and whether all of its chain was read: ``most`` entries of
    it are, at the most.
    """
    shard = shard_of(subject)
    found: list[AuditEntry] = []
    for seen, entry in enumerate(backwards(store, shard, tenant=tenant)):
        if seen == most:
            return found, False
        if entry.subject == subject:
            found.append(entry)
    return found, True


def backwards(store: Store, shard: int, *, tenant: str = "") -> Iterator[AuditEntry]:
    """One chain from its end."""
    end = _ends(store, tenant, ())[shard]
    while end > 1:
        chain = _chain(store, tenant, shard, end, _STEP)
        yield from chain
        end = max(end - _STEP, 1)


def sort_time(at: str) -> str:
    """A time as lists order it; what is no time is older than all."""
    try:
        return sort_key(at)
    except StoreError:
        return ""


class _Newest(str):
    """The latest time is the least."""

    __slots__ = ()

    def __lt__(self, other: str) -> bool:
        return str.__gt__(self, other)


def _ends(store: Store, tenant: str, before: Sequence[int]) -> list[int]:
    """By shard, the number behind the last entry to be read."""
    ends = [1] * SHARDS
    for head in store.audit_heads(tenant=tenant):
        ends[head.shard] = head.number + 1
    return [min(end, max(place, 1)) for end, place in zip(ends, before or ends, strict=True)]


def _chain(store: Store, tenant: str, shard: int, end: int, limit: int) -> list[AuditEntry]:
    after = max(0, end - 1 - limit)
    if end - 1 <= after:
        return []
    page = store.audit_entries(tenant=tenant, shard=shard, after=after, limit=end - 1 - after)
    # where entries were deleted, a page reaches further
    return [entry for entry in reversed(page) if entry.number < end]
