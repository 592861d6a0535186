"""The outbox of notifications in PostgreSQL: claims skip what another process has locked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardrail.store import notices as outbox
from guardrail.store import rows
from guardrail.store.postgres_database import Connection, Database
from guardrail.store.postgres_log import sql
from guardrail.store.postgres_texts import exact, lookup, restored
from guardrail.store.queries import Value, conditional
from guardrail.types import Notice, NoticeCount, NoticeState


class PostgresNotices:
    """The part of a store in PostgreSQL that keeps notices."""

    _database: Database

    def add_notices(self, notices: Sequence[Notice]) -> int:
        # in one order, so that two that add the same ones wait for each other and not for ever
        added = [_row(notice) for notice in sorted(notices, key=lambda one: one.id)]
        if not added:
            return 0
        return self._database.write(
            lambda connection: sum(connection.execute(sql("add_notice"), row).rowcount for row in added)
        )

    def claim_notices(self, channel: str, *, by: str, now: str, until: str, most: int = 1) -> list[Notice]:
        outbox.check_most(most)
        asked = {"channel": lookup(channel), "now": rows.sort_key(now), "most": most}

        def work(connection: Connection) -> list[Notice]:
            first = connection.execute(sql("first_notice"), asked).fetchone()
            if first is None:
                return []
            leader = _read(first[0])
            name = "message_notices" if leader.message else "fresh_notices"
            found = connection.execute(sql(name), {**asked, "message": lookup(leader.id)}).fetchall()
            together = [leader, *(one for (body,) in found if (one := _read(body)).id != leader.id)]
            if not leader.message:
                together = together[:most]
            taken = outbox.claimed(together, by=by, until=until)
            for notice in taken:
                connection.execute(sql("settle_notice"), _row(notice))
            return taken

        return self._database.write(work)

    def settle_notices(self, notices: Sequence[Notice]) -> bool:
        changed = [_row(notice) for notice in notices]

        def work(connection: Connection) -> None:
            for row in changed:
                if not connection.execute(sql("settle_notice"), row).rowcount:
                    raise _UnchangedError

        try:
            self._database.write(work)
        except _UnchangedError:
            return False
        return True

    def notices(
        self, *, channel: str | None = None, state: NoticeState | None = None, limit: int = 50, after: str = ""
    ) -> list[Notice]:
        asked: dict[str, Value] = {
            "channel": None if channel is None else lookup(channel),
            "state": None if state is None else state.value,
            "after": lookup(after) if after else None,
        }
        query, given = conditional("notices", asked, "postgresql")
        more = {**given, "limit": max(limit, 0)}
        found = self._database.read(lambda connection: connection.execute(query.encode(), more).fetchall())
        return [_read(body) for (body,) in found]

    def count_notices(self) -> list[NoticeCount]:
        found = self._database.read(lambda connection: connection.execute(sql("tally_notices")).fetchall())
        return [
            NoticeCount(channel=restored(channel), state=NoticeState(state), count=int(count), oldest=oldest)
            for channel, state, count, oldest in found
        ]

    def due_notices(self, channel: str, *, now: str, limit: int = 1000) -> int:
        asked = {"channel": lookup(channel), "now": rows.sort_key(now), "limit": limit}
        found = self._database.read(lambda connection: connection.execute(sql("due_notices"), asked).fetchone())
        return int(found[0]) if found else 0

    def forget_notices(self, before: str, *, limit: int = 1000) -> int:
        asked = {"before": rows.sort_key(before), "limit": limit}
        return self._database.write(
            lambda connection: connection.execute(sql("forget_notices"), asked).rowcount, synced=False
        )


class _UnchangedError(Exception):
    """Somebody else changed one of the notices: none is written."""


def _row(notice: Notice) -> dict[str, Any]:
    columns = outbox.columns(notice)
    return {
        **columns,
        "id": exact(rows.new_id(notice.id), "an id"),
        "channel": exact(notice.channel, "a channel's name"),
        "message": exact(notice.message, "an id"),
        "body": rows.encode(notice),
    }


def _read(body: str) -> Notice:
    return rows.decode(Notice, body, "a notice")
