"""The outbox of notifications in SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from guardrail.store import notices as outbox
from guardrail.store import rows
from guardrail.store.database import Database
from guardrail.store.queries import Value, conditional, queries
from guardrail.store.sqlite_log import keys
from guardrail.types import Notice, NoticeCount, NoticeState


class SQLiteNotices:
    """The part of a store in SQLite that keeps notices."""

    _database: Database

    def add_notices(self, notices: Sequence[Notice]) -> int:
        added = [_row(notice) for notice in notices]
        if not added:
            return 0
        with self._database.write() as connection:
            return sum(connection.execute(queries()["add_notice"], row).rowcount for row in added)

    def claim_notices(self, channel: str, *, by: str, now: str, until: str, most: int = 1) -> list[Notice]:
        outbox.check_most(most)
        asked: dict[str, Value] = {"channel": rows.key(channel), "now": rows.sort_key(now), "most": most}
        with self._database.read() as connection:  # nobody is kept from writing where nothing is due
            if connection.execute(queries()["first_notice"], asked).fetchone() is None:
                return []
        with self._database.write() as connection:
            first = connection.execute(queries()["first_notice"], asked).fetchone()
            if first is None:
                return []
            leader = _read(first[0])
            name = "message_notices" if leader.message else "fresh_notices"
            found = connection.execute(queries()[name], {**asked, "message": leader.id}).fetchall()
            together = [leader, *(one for (body,) in found if (one := _read(body)).id != leader.id)]
            taken = outbox.claimed(together, by=by, until=until)
            for notice in taken:
                connection.execute(queries()["settle_notice"], _row(notice))
        return taken

    def settle_notices(self, notices: Sequence[Notice]) -> bool:
        changed = [_row(notice) for notice in notices]
        try:
            with self._database.write() as connection:
                _settle(connection, changed)
        except _UnchangedError:
            return False
        return True

    def notices(
        self, *, channel: str | None = None, state: NoticeState | None = None, limit: int = 50, after: str = ""
    ) -> list[Notice]:
        asked: dict[str, Value] = {
            "channel": None if channel is None else rows.key(channel),
            "state": None if state is None else state.value,
            "after": rows.key(after) if after else None,
        }
        query, given = conditional("notices", asked)
        with self._database.read() as connection:
            found = connection.execute(query, {**given, "limit": max(limit, 0)}).fetchall()
        return [_read(body) for (body,) in found]

    def count_notices(self) -> list[NoticeCount]:
        with self._database.read() as connection:
            found = connection.execute(queries()["tally_notices"]).fetchall()
        return [
            NoticeCount(channel=rows.text(channel), state=NoticeState(state), count=count, oldest=oldest)
            for channel, state, count, oldest in found
        ]

    def due_notices(self, channel: str, *, now: str, limit: int = 1000) -> int:
        asked = {"channel": rows.key(channel), "now": rows.sort_key(now), "limit": limit}
        with self._database.read() as connection:
            (count,) = connection.execute(queries()["due_notices"], asked).fetchone()
        return int(count)

    def forget_notices(self, before: str, *, limit: int = 1000) -> int:
        asked = {"before": rows.sort_key(before), "limit": limit}
        with self._database.write(synced=False) as connection:
            return connection.execute(queries()["forget_notices"], asked).rowcount


def _settle(connection: sqlite3.Connection, changed: list[dict[str, Value]]) -> None:
    for row in changed:
        if not connection.execute(queries()["settle_notice"], row).rowcount:
            raise _UnchangedError


class _UnchangedError(Exception):
    """Somebody else changed one of the notices: none is written."""


def _row(notice: Notice) -> dict[str, Value]:
    return {"id": rows.new_id(notice.id), **keys(outbox.columns(notice)), "body": rows.encode(notice)}


def _read(body: str) -> Notice:
    return rows.decode(Notice, body, "a notice")
