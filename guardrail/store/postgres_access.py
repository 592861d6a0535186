"""What is kept about access, in PostgreSQL."""

from __future__ import annotations

from typing import Any

from guardrail.store import changes, postgres_log, rows
from guardrail.store.access import entry_of, row_of
from guardrail.store.postgres_database import Connection, Database
from guardrail.store.postgres_log import sql
from guardrail.store.postgres_texts import escaped, exact, lookup, restored
from guardrail.store.queries import Value, conditional
from guardrail.types import AccessEntry, AccessKind, AuditEntry


class PostgresAccess:
    """The part of a store in PostgreSQL that keeps accounts, sessions, tokens and one-time links."""

    _database: Database

    def access(self, kind: AccessKind, identity: str) -> AccessEntry | None:
        asked = {"kind": kind.value, "id": lookup(identity)}
        found = self._database.read(lambda connection: connection.execute(sql("access"), asked).fetchone())
        return None if found is None else _entry(found)

    def accesses(
        self,
        kind: AccessKind,
        *,
        tenant: str | None = None,
        owner: str | None = None,
        after: str = "",
        limit: int = 100,
    ) -> list[AccessEntry]:
        asked: dict[str, Value] = {
            "kind": kind.value,
            "tenant": None if tenant is None else lookup(tenant),
            "owner": None if owner is None else lookup(owner),
            "after": lookup(after) if after else None,
        }
        query, given = conditional("accesses", asked, "postgresql")
        more = {**given, "limit": max(limit, 0)}
        found = self._database.read(lambda connection: connection.execute(query.encode(), more).fetchall())
        return [_entry(row) for row in found]

    def put_access(self, entry: AccessEntry, *, note: AuditEntry | None = None) -> bool:
        drafted = None if note is None else changes.of_note(note)
        row: dict[str, Any] = row_of(entry)
        row |= {name: exact(row[name], "a name") for name in ("id", "tenant", "owner")}
        row["body"] = escaped(entry.body)
        query = sql("next_access" if entry.revision > 1 else "first_access")

        def work(connection: Connection) -> bool:
            if connection.execute(query, row).rowcount != 1:
                return False
            if drafted is not None:
                postgres_log.append(connection, drafted)
            return True

        return self._database.write(work)

    def drop_access(self, kind: AccessKind, identity: str, *, note: AuditEntry | None = None) -> bool:
        drafted = None if note is None else changes.of_note(note)
        asked = {"kind": kind.value, "id": lookup(identity)}

        def work(connection: Connection) -> bool:
            if connection.execute(sql("drop_access"), asked).rowcount != 1:
                return False
            if drafted is not None:
                postgres_log.append(connection, drafted)
            return True

        return self._database.write(work)

    def forget_access(self, before: str) -> int:
        asked = {"before": rows.sort_key(before)}
        return self._database.write(lambda connection: connection.execute(sql("forget_access"), asked).rowcount)


def _entry(row: Any) -> AccessEntry:
    kind, identity, tenant, owner, expires, revision, body = row
    return entry_of((kind, restored(identity), restored(tenant), restored(owner), expires, revision, restored(body)))
