"""What is kept about access, in SQLite."""

from __future__ import annotations

from guardrail.store import changes, rows, sqlite_log
from guardrail.store.access import entry_of, row_of
from guardrail.store.database import Database
from guardrail.store.queries import Value, conditional, queries
from guardrail.types import AccessEntry, AccessKind, AuditEntry


class SQLiteAccess:
    """The part of a store in SQLite that keeps accounts, sessions, tokens and one-time links."""

    _database: Database

    def access(self, kind: AccessKind, identity: str) -> AccessEntry | None:
        asked = {"kind": kind.value, "id": rows.key(identity)}
        with self._database.read() as connection:
            found = connection.execute(queries()["access"], asked).fetchone()
        return None if found is None else entry_of(_texts(found))

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
            "tenant": None if tenant is None else rows.key(tenant),
            "owner": None if owner is None else rows.key(owner),
            "after": rows.key(after) if after else None,
        }
        query, given = conditional("accesses", asked)
        with self._database.read() as connection:
            found = connection.execute(query, {**given, "limit": max(limit, 0)}).fetchall()
        return [entry_of(_texts(row)) for row in found]

    def put_access(self, entry: AccessEntry, *, note: AuditEntry | None = None) -> bool:
        drafted = None if note is None else changes.of_note(note)
        row = {name: rows.key(one) if isinstance(one, str) else one for name, one in row_of(entry).items()}
        with self._database.write() as connection:
            query = queries()["next_access" if entry.revision > 1 else "first_access"]
            if connection.execute(query, row).rowcount != 1:
                return False
            if drafted is not None:
                sqlite_log.append(connection, drafted)
        return True

    def drop_access(self, kind: AccessKind, identity: str, *, note: AuditEntry | None = None) -> bool:
        drafted = None if note is None else changes.of_note(note)
        asked = {"kind": kind.value, "id": rows.key(identity)}
        with self._database.write() as connection:
            if connection.execute(queries()["drop_access"], asked).rowcount != 1:
                return False
            if drafted is not None:
                sqlite_log.append(connection, drafted)
        return True

    def forget_access(self, before: str) -> int:
        with self._database.write() as connection:
            return connection.execute(queries()["forget_access"], {"before": rows.sort_key(before)}).rowcount


def _texts(row: tuple[str | bytes | int, ...]) -> tuple[str, str, str, str, str, int, str]:
    kind, identity, tenant, owner, expires, revision, body = (
        one if isinstance(one, int) else rows.text(one) for one in row
    )
    return str(kind), str(identity), str(tenant), str(owner), str(expires), int(revision), str(body)
