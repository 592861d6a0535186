"""The audit log: how its entries hang together, and whether they still do.

Entries form chains, one a tenant and shard: each has a number, the hash of the entry before it, and a hash of all it
says. The shard follows from the subject, so that writers of different reviews do not wait for each other and what
happened to one review stands in one chain, in order. Now and then all chains of a tenant are sealed: each gets an entry
with the digest of where all of them ended, so that none can be dropped or cut off without the others telling.

What a chain alone cannot show is that its end was cut off, or that all of it was written anew. A head that was exported
before shows both.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from guardrail.codec import canonical, digest
from guardrail.types import AuditEntry, AuditHead

SHARDS = 8
_HASHED = ("tenant", "shard", "number", "at", "by", "what", "subject", "body", "previous")
ENDS = b'"]'
"""The end of what is hashed of an entry."""
SEAL = "seal"
"""What an entry says that seals the chains."""
KINDS = frozenset({"review", "label", "draws", "alarm"})
"""What the store keeps and the log tells of: the beginning of ``what``, before its point. Only stores write these."""
PURGED = "purged"
"""The rest of ``what`` where a value was deleted on purpose: afterwards it has to be absent."""


class Flaw(StrEnum):
    """What can be wrong with an audit log."""

    EDITED = "edited"
    DELETED = "deleted"
    OUT_OF_ORDER = "out of order"
    BROKEN = "broken link"
    WRONG_SHARD = "wrong shard"
    TRUNCATED = "cut off"
    REWRITTEN = "rewritten"
    SEAL_BROKEN = "seal broken"
    VALUE_CHANGED = "value changed"
    VALUE_GONE = "value gone"
    VALUE_UNKNOWN = "value unknown"


MEANING = {
    Flaw.EDITED: "it does not say what it said when it was written: its hash is that of something else",
    Flaw.DELETED: "entries that stood before it are gone",
    Flaw.OUT_OF_ORDER: "it stands behind an entry with the same or a higher number: it was repeated or moved",
    Flaw.BROKEN: "it was written after another entry than the one before it: one of the two was put there later",
    Flaw.WRONG_SHARD: "its subject belongs into another chain: it was moved here",
    Flaw.TRUNCATED: "the head that was exported is further on: the end of the chain was cut off",
    Flaw.REWRITTEN: "the head that was exported has another hash at this number: the chain was written anew",
    Flaw.SEAL_BROKEN: "what it sealed is not what the chains say: a chain was dropped, cut off or written anew",
    Flaw.VALUE_CHANGED: "what is kept now is not what was kept then: it was changed behind the log's back",
    Flaw.VALUE_GONE: "what it tells of is no longer kept: it was deleted behind the log's back",
    Flaw.VALUE_UNKNOWN: "no entry tells of what is kept: it was put there behind the log's back",
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something wrong with a log, at an entry of a chain (``number`` 0: at none). ``MEANING`` says what it means."""

    flaw: Flaw
    tenant: str
    shard: int
    number: int
    subject: str = ""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """The digest of a value as it is kept now; ``kind`` is one of ``KINDS``. A subject has many labels."""

    tenant: str
    kind: str
    subject: str
    digest: str


@dataclass(frozen=True)
class AuditView:
    """A tenant's log, in the order of ``verify``, and what it tells of, as both stood at one moment."""

    entries: Iterator[AuditEntry]
    bodies: Iterator[Kept]


def shard_of(subject: str) -> int:
    """Which of a tenant's chains has the entries about this subject."""
    return hashlib.sha256(subject.encode("utf-8", "surrogatepass")).digest()[0] % SHARDS


def draft(*, what: str, subject: str, body: str, by: str, at: str, tenant: str = "") -> AuditEntry:
    """An entry that is in no chain yet."""
    return AuditEntry(
        tenant=tenant,
        shard=shard_of(subject),
        number=0,
        at=at,
        by=by,
        what=what,
        subject=subject,
        body=body,
        previous="",
        hash="",
    )


def chained(entry: AuditEntry, after: AuditHead | None) -> AuditEntry:
    """The entry as the next one of its chain, which ends at ``after`` (None: it is empty)."""
    number, previous = (0, "") if after is None else (after.number, after.hash)
    said = {**vars(entry), "number": number + 1, "previous": previous}
    return AuditEntry(**{**said, "hash": _hash(said)})


def entry_hash(entry: AuditEntry) -> str:
    """SHA-256, in hex, of everything that an entry says but its hash."""
    return _hash(vars(entry))


def _hash(said: Mapping[str, Any]) -> str:
    return digest("audit entry", *(said[name] for name in _HASHED))


def unnumbered(entry: AuditEntry) -> tuple[bytes, bytes]:
    """What is hashed of an entry that is in no chain yet: before its number, and between that and the hash of the entry
    before it, behind which ``ENDS`` comes. So a database can chain it by itself, while it has the end of the chain.
    """
    said = [getattr(entry, name) for name in _HASHED]
    start = f"{canonical(['audit entry', *said[:2]])[:-1]},"
    middle = f',{canonical(said[3:-1])[1:-1]},"'
    return start.encode("utf-8", "surrogatepass"), middle.encode("utf-8", "surrogatepass")


def numbered(start: bytes, middle: bytes, number: int, previous: str) -> str:
    """The hash of an entry of which ``unnumbered`` gave the rest, as the one with that number behind that hash."""
    return hashlib.sha256(b"%b%d%b%b%b" % (start, number, middle, previous.encode(), ENDS)).hexdigest()


def head_of(entry: AuditEntry) -> AuditHead:
    """The end of a chain whose last entry this is."""
    return AuditHead(tenant=entry.tenant, shard=entry.shard, number=entry.number, hash=entry.hash)


def seals(heads: Iterable[AuditHead], *, tenant: str, by: str, at: str) -> list[AuditEntry]:
    """The entries that seal a tenant's chains, one at the end of each, given where they end (empty ones may miss)."""
    ends = {head.shard: head for head in heads}
    body = _sealed(
        (shard, ends[shard].number, ends[shard].hash) if shard in ends else (shard, 0, "") for shard in range(SHARDS)
    )
    return [
        chained(
            replace(draft(what=SEAL, subject=SEAL, body=body, by=by, at=at, tenant=tenant), shard=shard),
            ends.get(shard),
        )
        for shard in range(SHARDS)
    ]


def _sealed(ends: Iterable[tuple[int, int, str]]) -> str:
    return digest("audit seal", *(list(end) for end in ends))


def verify(
    entries: Iterable[AuditEntry], heads: Iterable[AuditHead] | None = None, bodies: Iterable[Kept] | None = None
) -> list[Problem]:
    """What is wrong with the log, chain by chain; empty where nothing is.

    ``entries`` are whole chains, each from its first entry, in the order of their numbers. ``heads`` were exported
    before: only they show that the end of a chain was cut off, or that a chain was written anew. ``bodies`` is
    everything kept of those tenants, which has to be what the log says of it.
    """
    chains: dict[tuple[str, int], _Chain] = {}
    wanted: dict[tuple[str, int], dict[int, str]] = {}
    for head in heads or ():
        wanted.setdefault((head.tenant, head.shard), {})[head.number] = head.hash
    sealed: dict[tuple[str, str], list[AuditEntry]] = {}
    told = _Told()
    for entry in entries:
        place = (entry.tenant, entry.shard)
        if place not in chains:
            chains[place] = _Chain(wanted.get(place, {}))
        chains[place].read(entry)
        if entry.what == SEAL:
            sealed.setdefault((entry.tenant, entry.body), []).append(entry)
        elif bodies is not None:
            told.read(entry)
    problems = [problem for chain in chains.values() for problem in chain.problems]
    for (tenant, shard), ends in wanted.items():
        end = chains[tenant, shard].number if (tenant, shard) in chains else 0
        if max(ends) > end:
            problems.append(Problem(flaw=Flaw.TRUNCATED, tenant=tenant, shard=shard, number=end))
    problems += [problem for one in sealed.values() for problem in _check_seal(one)]
    return problems if bodies is None else [*problems, *told.compare(bodies)]


def _check_seal(entries: Sequence[AuditEntry]) -> list[Problem]:
    """One seal stands in every chain; together its entries say where all of them ended."""
    ends = [(entry.shard, entry.number - 1, entry.previous) for entry in entries]
    if _sealed(sorted(ends)) == entries[0].body:
        return []
    return [_problem(Flaw.SEAL_BROKEN, entry) for entry in entries]


@dataclass
class _Chain:
    """One chain, as far as it was read. ``ends`` are exported hashes by number."""

    ends: dict[int, str]
    number: int = 0
    hash: str = ""
    problems: list[Problem] = field(default_factory=list)

    def read(self, entry: AuditEntry) -> None:
        if entry.hash != entry_hash(entry):
            self._found(Flaw.EDITED, entry)
        if entry.what != SEAL and entry.shard != shard_of(entry.subject):
            self._found(Flaw.WRONG_SHARD, entry)
        if self.ends.get(entry.number, entry.hash) != entry.hash:
            self._found(Flaw.REWRITTEN, entry)
        if entry.number <= self.number:
            self._found(Flaw.OUT_OF_ORDER, entry)
            return
        if entry.number > self.number + 1:
            self._found(Flaw.DELETED, entry)
        elif entry.previous != self.hash:
            self._found(Flaw.BROKEN, entry)
        self.number, self.hash = entry.number, entry.hash

    def _found(self, flaw: Flaw, entry: AuditEntry) -> None:
        self.problems.append(_problem(flaw, entry))


class _Told:
    """What the log says is kept: of most subjects one value, the last; of a record every label."""

    def __init__(self) -> None:
        self._last: dict[_Key, tuple[int, str | None]] = {}

    def read(self, entry: AuditEntry) -> None:
        kind, _, event = entry.what.partition(".")
        if kind in KINDS:
            body = None if event == PURGED else entry.body
            self._last[_key(entry.tenant, kind, entry.subject, entry.body)] = (entry.number, body)

    def compare(self, bodies: Iterable[Kept]) -> Iterator[Problem]:
        seen = set()
        for kept in bodies:
            key = _key(kept.tenant, kept.kind, kept.subject, kept.digest)
            number, body = self._last.get(key, (0, None))
            if body is None or key in seen:
                yield _value(Flaw.VALUE_UNKNOWN, key, number)
            elif body != kept.digest:
                yield _value(Flaw.VALUE_CHANGED, key, number)
            seen.add(key)
        for key, (number, body) in self._last.items():
            if body is not None and key not in seen:
                yield _value(Flaw.VALUE_GONE, key, number)


_Key = tuple[str, str, str, str]


def _key(tenant: str, kind: str, subject: str, body: str) -> _Key:
    return tenant, kind, subject, body if kind == "label" else ""


def _value(flaw: Flaw, key: _Key, number: int) -> Problem:
    tenant, _, subject, _ = key
    return Problem(flaw=flaw, tenant=tenant, shard=shard_of(subject), number=number, subject=subject)


def _problem(flaw: Flaw, entry: AuditEntry) -> Problem:
    return Problem(flaw=flaw, tenant=entry.tenant, shard=entry.shard, number=entry.number, subject=entry.subject)
