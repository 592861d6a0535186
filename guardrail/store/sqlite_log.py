"""The audit log in SQLite. Whoever has begun to write adds entries, which become durable with what they tell of."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from itertools import groupby
from typing import Any

from guardrail import audit
from guardrail.errors import StoreError
from guardrail.store import changes, listing, rows
from guardrail.store.queries import Value, conditional, queries
from guardrail.types import AuditEntry, AuditHead

_COLUMNS = ("tenant", "shard", "number", "at", "by", "what", "subject", "body", "previous", "hash")
_NO_DIGEST = ""
"""Of a value whose columns say something else than it does: it equals that of no entry."""


def append(connection: sqlite3.Connection, entry: AuditEntry) -> AuditEntry:
    """Add an entry to the end of its chain. The connection has begun to write, so nobody else is adding to it."""
    added = appending(entry)(connection)
    return replace(entry, number=added["number"], previous=added["previous"], hash=added["hash"])


def appending(entry: AuditEntry) -> Callable[[sqlite3.Connection], dict[str, Any]]:
    """What ``append`` does, all of it done before that does not need to know where the chain ends: others wait."""
    start, middle = audit.unnumbered(entry)
    row: dict[str, Any] = changes.stored(entry)
    chain = {"tenant": row["tenant"], "shard": entry.shard}

    def add(connection: sqlite3.Connection) -> dict[str, Any]:
        number, previous = connection.execute(queries()["audit_end"], chain).fetchone() or (0, "")
        number += 1
        end = audit.numbered(start, middle, number, previous)
        added = {**row, "number": number, "previous": previous, "hash": end}
        connection.execute(queries()["audit_add"], added)
        return added

    return add


def heads(connection: sqlite3.Connection, tenant: str) -> list[AuditHead]:
    """Where each chain of a tenant ends."""
    found = (_end(connection, tenant, shard) for shard in range(audit.SHARDS))
    return [head for head in found if head is not None]


def seal(connection: sqlite3.Connection, *, tenant: str, by: str, at: str) -> list[AuditHead]:
    """Seal all chains of a tenant, and say where they end afterwards."""
    sealed = audit.seals(heads(connection, tenant), tenant=tenant, by=by, at=at)
    connection.executemany(queries()["audit_add"], map(changes.stored, sealed))
    return [audit.head_of(entry) for entry in sealed]


def tenants(connection: sqlite3.Connection) -> list[str]:
    """Every tenant that has a log or a review."""
    return sorted(rows.text(tenant) for (tenant,) in connection.execute(queries()["audit_tenants"]))


def mark(connection: sqlite3.Connection) -> int:
    """How many entries there are: the sum of the numbers where the chains end."""
    (count,) = connection.execute(queries()["change_mark"], {"shards": audit.SHARDS}).fetchone()
    return int(count)


def entries(
    connection: sqlite3.Connection,
    *,
    tenant: str,
    shard: int | None = None,
    after: int = 0,
    subject: str | None = None,
    limit: int = -1,
) -> Iterator[AuditEntry]:
    """A tenant's log, shard by shard and number by number; ``limit`` -1: all of it."""
    asked = {"tenant": rows.key(tenant), "subject": None if subject is None else rows.key(subject)}
    query, given = conditional("audit_entries", {**asked, "shard": shard, "after": after or None})
    for row in connection.execute(query, {**given, "limit": limit}):
        said: dict[str, Any] = dict(zip(_COLUMNS, map(_text, row), strict=True))
        yield AuditEntry(**said)


def kept(connection: sqlite3.Connection, tenant: str) -> Iterator[audit.Kept]:
    """What is kept of a tenant that the log tells of. Labels, draws and alarms belong to the tenant without a name."""
    for row in connection.execute(queries()["kept_reviews"], {"tenant": rows.key(tenant)}):
        yield audit.Kept(tenant=tenant, kind="review", subject=row[0], digest=_review_digest(row))
    if tenant:
        return
    for record_id, body in connection.execute(queries()["kept_labels"]):
        yield audit.Kept(tenant=tenant, kind="label", subject=record_id, digest=rows.body_digest(body))
    for identity, standing, body in connection.execute(queries()["kept_alarms"]):
        right = bool(standing) != bool(_json(body).get("cleared_by"))
        yield audit.Kept(
            tenant=tenant, kind="alarm", subject=identity, digest=rows.body_digest(body) if right else _NO_DIGEST
        )
    for batch, drawn in groupby(connection.execute(queries()["kept_draws"]), key=lambda row: row[0]):
        yield audit.Kept(tenant=tenant, kind="draws", subject=rows.text(batch), digest=_draws_digest([*drawn]))


def begin(connection: sqlite3.Connection) -> None:
    """Begin the log of a database that had none: an entry for everything that is kept, as it stands."""
    corrected = [*_corrections(connection)]
    connection.executemany(queries()["correct_columns"], corrected)
    for tenant in {"", *tenants(connection)}:
        for one in kept(connection, tenant):
            append(connection, changes.found(one.kind, one.subject, one.digest, tenant=tenant))


def _corrections(connection: sqlite3.Connection) -> Iterator[dict[str, Value]]:
    """The columns that SQL alone did not get right: texts beyond ASCII, and times."""
    for identity, body in connection.execute(queries()["every_review"]):
        try:
            data = _json(body)
            right = {**keys(listing.columns(data)), "wakes": listing.wakes(data), "id": identity}
        except (KeyError, TypeError, StoreError):
            continue  # a damaged row: it stays as it is, and whoever reads it is told
        if "\\u" in body or right["due"] or right["wakes"]:
            yield right


def _end(connection: sqlite3.Connection, tenant: str, shard: int) -> AuditHead | None:
    found = connection.execute(queries()["audit_end"], {"tenant": rows.key(tenant), "shard": shard}).fetchone()
    return None if found is None else AuditHead(tenant=tenant, shard=shard, number=found[0], hash=found[1])


def _review_digest(row: tuple[Any, ...]) -> str:
    identity, at, thread_id, record_id, *columns, body = row
    data = _json(body)
    try:
        said = (data["id"], rows.sort_key(data["at"]), rows.key(data["thread_id"]), rows.key(data["record_id"]))
        right = said == (identity, at, thread_id, record_id)
        right = right and [*keys(listing.columns(data)).values(), listing.wakes(data)] == columns
    except (KeyError, TypeError, StoreError):
        right = False
    return rows.body_digest(body) if right else _NO_DIGEST


def _draws_digest(drawn: list[tuple[Any, ...]]) -> str:
    for batch, record_id, call_id, body in drawn:
        data = _json(body)
        said = [data.get(name, "") for name in ("batch", "record_id", "call_id")]
        if [rows.key(text) for text in said] != [batch, record_id, call_id]:
            return _NO_DIGEST
    return changes.draws_digest([body for *_, body in drawn])


def _json(body: str) -> dict[str, Any]:
    try:
        data = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def _text(value: Any) -> Any:
    return rows.text(value) if isinstance(value, bytes) else value


def keys(columns: Mapping[str, str | int | None]) -> dict[str, Value]:
    """The columns as values that SQLite compares exactly."""
    return {name: rows.key(value) if isinstance(value, str) else value for name, value in columns.items()}
