"""The audit log in PostgreSQL. An entry is added in the transaction of what it tells of, while its chain is locked."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache
from itertools import groupby
from typing import Any

from guardrail import audit
from guardrail.errors import StoreError
from guardrail.store import changes, listing, rows
from guardrail.store.postgres_database import Connection
from guardrail.store.postgres_texts import escaped, exact, lookup, lookups, restored
from guardrail.store.queries import conditional, queries
from guardrail.types import AuditEntry, AuditHead

_COLUMNS = ("tenant", "shard", "number", "at", "by", "what", "subject", "body", "previous", "hash")
_NO_DIGEST = ""
"""Of a value whose columns say something else than it does: it equals that of no entry."""
_AT_ONCE = 500


def sql(name: str) -> bytes:
    """A statement by its name."""
    return queries("postgresql")[name].encode()


def append(connection: Connection, entry: AuditEntry) -> AuditEntry:
    """Add an entry to the end of its chain, which stays locked until the transaction ends."""
    said = connection.execute(logged("audit_append"), entry_of(entry)).fetchall()
    return replace(entry, **dict(zip(("number", "previous", "hash"), said[0], strict=True)))


@cache
def logged(name: str) -> bytes:
    """A statement that changes something and logs it; it gives a row if it changed something."""
    known = queries("postgresql")
    return known[name].format(logged=known["logged"]).encode()


def entry_of(entry: AuditEntry) -> dict[str, str | int | bytes]:
    """The values of an entry for ``logged``."""
    start, middle = audit.unnumbered(entry)
    exact(entry.tenant, "the tenant")
    row = _row(entry)
    said = {f"log_{name}": row[name] for name in ("tenant", "shard", "at", "by", "what", "subject", "body")}
    return {**said, "log_start": start, "log_middle": middle, "log_ends": audit.ENDS}


def append_all(connection: Connection, entries: Iterable[AuditEntry]) -> None:
    """Add entries, chain by chain: everyone locks chains in this order, so that nobody waits in a circle."""
    for entry in sorted(entries, key=lambda one: (one.tenant, one.shard)):
        append(connection, entry)


def heads(connection: Connection, tenant: str) -> list[AuditHead]:
    """Where each chain of a tenant ends."""
    found = connection.execute(sql("audit_heads"), {"tenant": lookup(tenant)})
    return [AuditHead(tenant=tenant, shard=shard, number=number, hash=end) for shard, number, end in found]


def seal(connection: Connection, *, tenant: str, by: str, at: str) -> list[AuditHead]:
    """Seal all chains of a tenant, and say where they end afterwards."""
    ends = [_end(connection, tenant, shard) for shard in range(audit.SHARDS)]
    sealed = audit.seals([head for head in ends if head is not None], tenant=tenant, by=by, at=at)
    for entry in sealed:
        connection.execute(sql("audit_add"), _row(entry))
    return [audit.head_of(entry) for entry in sealed]


def tenants(connection: Connection) -> list[str]:
    """Every tenant that has a log or a review."""
    return sorted(restored(tenant) for (tenant,) in connection.execute(sql("audit_tenants")))


def entries(
    connection: Connection,
    *,
    tenant: str,
    shard: int | None = None,
    after: int = 0,
    subject: str | None = None,
    limit: int | None = None,
) -> list[AuditEntry]:
    """A tenant's log, shard by shard and number by number."""
    query, given = _entries(tenant, shard, after, subject)
    return [_entry(row) for row in connection.execute(query.encode(), {**given, "limit": limit})]


def every_entry(connection: Connection, tenant: str) -> Iterator[AuditEntry]:
    """A tenant's whole log, read a few hundred entries at a time."""
    query, given = _entries(tenant)
    yield from map(_entry, _streamed(connection, "entries", query, {**given, "limit": None}))


def kept(connection: Connection, tenant: str) -> Iterator[audit.Kept]:
    """What is kept of a tenant that the log tells of. Labels, draws and alarms belong to the tenant without a name."""
    known = queries("postgresql")
    for row in _streamed(connection, "kept", known["kept_reviews"], {"tenant": lookup(tenant)}):
        yield audit.Kept(tenant=tenant, kind="review", subject=restored(row[0]), digest=_review_digest(row))
    if tenant:
        return
    for record_id, body in _streamed(connection, "kept", known["kept_labels"], {}):
        yield audit.Kept(tenant=tenant, kind="label", subject=restored(record_id), digest=rows.body_digest(body))
    for identity, standing, body in _streamed(connection, "kept", known["kept_alarms"], {}):
        right = standing != bool(_json(body).get("cleared_by"))
        digest = rows.body_digest(body) if right else _NO_DIGEST
        yield audit.Kept(tenant=tenant, kind="alarm", subject=restored(identity), digest=digest)
    for key, drawn in groupby(_streamed(connection, "kept", known["kept_draws"], {}), key=lambda row: row[0]):
        batch, digest = _draws_digest(key, [*drawn])
        yield audit.Kept(tenant=tenant, kind="draws", subject=batch, digest=digest)


def _end(connection: Connection, tenant: str, shard: int) -> AuditHead | None:
    chain = {"tenant": exact(tenant, "the tenant"), "shard": shard}
    found = connection.execute(sql("audit_end"), chain).fetchone()
    if found is None:
        connection.execute(sql("audit_begin"), chain)
        found = connection.execute(sql("audit_end"), chain).fetchone()
    number, end = found or (0, "")
    return AuditHead(tenant=tenant, shard=shard, number=number, hash=end) if number else None


def _row(entry: AuditEntry) -> dict[str, str | int]:
    return {name: value if isinstance(value, int) else escaped(value) for name, value in vars(entry).items()}


def _entries(
    tenant: str, shard: int | None = None, after: int = 0, subject: str | None = None
) -> tuple[str, dict[str, Any]]:
    asked = {"tenant": lookup(tenant), "subject": None if subject is None else escaped(subject)}
    return conditional("audit_entries", {**asked, "shard": shard, "after": after or None}, "postgresql")


def _entry(row: tuple[Any, ...]) -> AuditEntry:
    values = (restored(value) if isinstance(value, str) else value for value in row)
    said: dict[str, Any] = dict(zip(_COLUMNS, values, strict=True))
    return AuditEntry(**said)


def _streamed(connection: Connection, name: str, query: str, given: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    with connection.cursor(f"guardrail_{name}") as cursor:
        cursor.itersize = _AT_ONCE
        yield from cursor.execute(query.rstrip(";").encode(), given)


def _review_digest(row: tuple[Any, ...]) -> str:
    identity, at, thread_id, record_id, *columns, body = row
    data = _json(body)
    try:
        said = (data["id"], rows.sort_key(data["at"]), data["thread_id"], data["record_id"])
        right = tuple(map(lookup, said)) == (identity, at, thread_id, record_id)
        right = right and [*lookups(listing.columns(data)).values(), listing.wakes(data)] == columns
    except (KeyError, TypeError, StoreError):
        right = False
    return rows.body_digest(body) if right else _NO_DIGEST


def _draws_digest(key: str, drawn: list[tuple[Any, ...]]) -> tuple[str, str]:
    """The batch's name and digest."""
    batch = _json(drawn[0][-1]).get("batch", "")
    for *columns, body in drawn:
        data = _json(body)
        said = [data.get(name, "") for name in ("batch", "record_id", "call_id")]
        if [lookup(text) for text in said] != columns:
            return restored(key), _NO_DIGEST
    return batch, changes.draws_digest([body for *_, body in drawn])


def _json(body: str) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}
