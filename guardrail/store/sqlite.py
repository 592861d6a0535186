"""Records, reviews and the ledger of spending in one SQLite file."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from guardrail.audit import AuditView
from guardrail.store import changes, listing, rows, sqlite_care, sqlite_lists, sqlite_log
from guardrail.store.care import Pruned, StoreInfo
from guardrail.store.database import Database
from guardrail.store.queries import Value
from guardrail.store.queries import conditional as _conditional
from guardrail.store.queries import queries as _queries
from guardrail.store.sqlite_access import SQLiteAccess
from guardrail.store.sqlite_notices import SQLiteNotices
from guardrail.store.sqlite_sealed import SQLiteSealed
from guardrail.store.watch import wait_for_change
from guardrail.types import (
    Alarm,
    AuditDraw,
    AuditEntry,
    AuditHead,
    Label,
    Record,
    Review,
    ReviewFilter,
    ReviewPage,
    ReviewState,
    Spending,
    Usage,
)

T = TypeVar("T", Record, Review)


class SQLiteStore(SQLiteNotices, SQLiteSealed, SQLiteAccess):
    """A store in an SQLite file, made if it is not there. Safe for threads, processes and forks.

    ``timeout`` is how long to wait for another writer, in seconds. With ``create`` false the file must exist.

    Raises:
        StoreError, StoreLocked, StoreTooNew: the file cannot be used; the message says what to do.
    """

    def __init__(self, path: str | Path, *, create: bool = True, timeout: float = 10.0) -> None:
        self.path = Path(path).expanduser().absolute()
        self.url = f"sqlite:///{self.path}"
        self._database = Database(self.path, create=create, timeout=timeout)
        self._seen = changes.Seen()

    def add_record(self, record: Record) -> bool:
        row = {
            "id": rows.new_id(record.id),
            "at": rows.sort_key(record.at),
            "thread_id": rows.key(record.thread_id),
            "step_id": rows.key(record.step_id),
            "model": rows.key(record.model),
            "route": record.verdict.route.value,
            "body": rows.encode(rows.without_labels(record)),
        }
        labels = [(label, rows.encode(label)) for label in record.labels]
        # Evidence, no decision: the guard does not wait for the disk. The review of a call, added after it, does.
        with self._database.write(synced=False) as connection:
            if not connection.execute(_queries()["add_record"], row).rowcount:
                return False
            for label, text in labels:
                _add_label(connection, record.id, label, text)
            return True

    def record(self, record_id: str) -> Record:
        with self._database.read() as connection:
            name, body = _find(connection, Record, record_id)
            labels = _labels(connection, name)
        return _loaded(name, body, labels)

    def records(self, *, thread_id: str | None = None, limit: int = 50, before: str | None = None) -> list[Record]:
        with self._database.read() as connection:
            asked = {
                "thread_id": None if thread_id is None else rows.key(thread_id),
                "before": None if before is None else _find(connection, Record, before)[0],
            }
            found = _list(connection, "records", asked, limit)
            kept = [(name, body, _labels(connection, name)) for name, body in found]
        return [_loaded(*one) for one in kept]

    def add_label(self, record_id: str, label: Label) -> Record:
        body = rows.encode(label)

        def work(connection: sqlite3.Connection) -> tuple[str, str, list[str]]:
            name, kept = _find(connection, Record, record_id)
            _add_label(connection, name, label, body)
            return name, kept, _labels(connection, name)

        return _loaded(*self._database.together(work))  # nobody waits while it is read

    def add_review(self, review: Review) -> Review:
        body = rows.encode(review)
        row = {
            "id": rows.new_id(review.id),
            "at": rows.sort_key(review.at),
            "thread_id": rows.key(review.thread_id),
            "record_id": rows.key(review.record_id),
            **_columns(review),
            "body": body,
        }
        log = sqlite_log.appending(changes.of_review(review, body, None))

        def work(connection: sqlite3.Connection) -> bool:
            if not connection.execute(_queries()["add_review"], row).rowcount:
                return False
            log(connection)
            return True

        if not self._database.together(work):
            return self.review(review.id)
        return self._seen.keep(rows.decode(Review, body, f"review {review.id}"))

    def review(self, review_id: str) -> Review:
        found = self._database.look(_queries()["review_by_id"], {"id": rows.key(review_id)})
        if found is None:
            with self._database.read() as connection:
                found = _find(connection, Review, review_id)
        return self._seen.keep(rows.decode(Review, found[1], f"review {found[0]}"))

    def reviews(
        self,
        *,
        states: frozenset[ReviewState] | None = None,
        thread_id: str | None = None,
        record_id: str | None = None,
        limit: int = 50,
    ) -> list[Review]:
        asked = {
            "states": None if states is None else json.dumps(sorted(states)),
            "thread_id": None if thread_id is None else rows.key(thread_id),
            "record_id": None if record_id is None else rows.key(record_id),
        }
        with self._database.read() as connection:
            found = _list(connection, "reviews", asked, limit)
        return [rows.decode(Review, body, f"review {name}") for name, body in found]

    def compare_and_set(self, review: Review) -> bool:
        body = rows.encode(review)
        row = {"id": rows.key(review.id), **_columns(review), "body": body}
        before: str | Review | None = self._seen.before(review)
        if before is None:
            found = self._database.look(_queries()["review_before"], row)
            if found is None:
                return False
            before = str(found[0])
        log = sqlite_log.appending(changes.of_review(review, body, before))

        def work(connection: sqlite3.Connection) -> bool:
            if not connection.execute(_queries()["compare_and_set"], row).rowcount:
                return False
            log(connection)
            return True

        if not self._database.together(work):
            return False
        self._seen.keep(review)
        return True

    def find_reviews(self, wanted: ReviewFilter, *, limit: int = 50, after: str = "") -> ReviewPage:
        with self._database.read() as connection:
            return sqlite_lists.find(connection, wanted, limit=limit, after=after)

    def due_reviews(self, before: str, *, limit: int = 500) -> list[Review]:
        asked = {"before": rows.sort_key(before), "limit": max(limit, 0)}
        with self._database.read() as connection:
            found = connection.execute(_queries()["due_reviews"], asked).fetchall()
        return [rows.decode(Review, body, f"review {name}") for name, body in found]

    def note(self, entry: AuditEntry) -> AuditEntry:
        drafted = changes.of_note(entry)
        with self._database.write() as connection:
            return sqlite_log.append(connection, drafted)

    def audit_entries(
        self,
        *,
        tenant: str = "",
        shard: int | None = None,
        after: int = 0,
        subject: str | None = None,
        limit: int = 500,
    ) -> list[AuditEntry]:
        changes.check_place(shard, after)
        with self._database.read() as connection:
            found = sqlite_log.entries(
                connection, tenant=tenant, shard=shard, after=after, subject=subject, limit=max(limit, 0)
            )
            return [*found]

    def audit_heads(self, *, tenant: str = "") -> list[AuditHead]:
        with self._database.read() as connection:
            return sqlite_log.heads(connection, tenant)

    def audit_tenants(self) -> list[str]:
        with self._database.read() as connection:
            return sqlite_log.tenants(connection)

    @contextmanager
    def audit_view(self, *, tenant: str = "") -> Iterator[AuditView]:
        with self._database.read() as connection:
            yield AuditView(sqlite_log.entries(connection, tenant=tenant), sqlite_log.kept(connection, tenant))

    def seal(self, *, by: str, tenant: str = "", at: str = "") -> list[AuditHead]:
        with self._database.write() as connection:
            return sqlite_log.seal(connection, tenant=tenant, by=by, at=at or changes.now())

    def change_mark(self) -> int:
        with self._database.read() as connection:
            return sqlite_log.mark(connection)

    def wait_for_change(self, timeout: float, *, since: int | None = None) -> bool:
        return wait_for_change(self.change_mark, self._database.wait_for_commit, timeout, since)

    def spend(self, entry: Spending) -> None:
        usage = rows.countable(entry).usage
        row = {
            "at": rows.sort_key(entry.at),
            "thread_id": rows.key(entry.thread_id),
            "model": rows.key(entry.model),
            "requests": usage.requests,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "seconds": usage.seconds,
        }
        with self._database.write() as connection:
            connection.execute(_queries()["add_spending"], row)

    def spent(self, *, thread_id: str | None = None, since: str | None = None) -> dict[str, Usage]:
        asked = {
            "thread_id": None if thread_id is None else rows.key(thread_id),
            "since": None if since is None else rows.sort_key(since),
        }
        with self._database.read() as connection:
            found = connection.execute(*_conditional("spent", asked)).fetchall()
        return {
            rows.text(model): Usage(
                requests=requests, prompt_tokens=prompt, completion_tokens=completion, seconds=seconds
            )
            for model, requests, prompt, completion, seconds in found
        }

    def labelled(self, *, after: int = 0, limit: int = 500) -> list[tuple[int, str, Label]]:
        with self._database.read() as connection:
            found = connection.execute(_queries()["labelled"], {"after": after, "limit": limit}).fetchall()
        return [(seq, record, rows.decode(Label, body, f"a label of record {record}")) for seq, record, body in found]

    def add_draws(self, draws: Sequence[AuditDraw]) -> int:
        added = [
            {
                "batch": rows.key(draw.batch),
                "record_id": rows.key(draw.record_id),
                "call_id": rows.key(draw.call_id),
                "body": rows.encode(draw),
            }
            for draw in draws
        ]
        new = 0
        grown: dict[str, AuditDraw] = {}
        with self._database.write() as connection:
            for draw, row in zip(draws, added, strict=True):
                if connection.execute(_queries()["add_draw"], row).rowcount:
                    new += 1
                    grown[draw.batch] = draw
            for batch, last in grown.items():
                drawn = connection.execute(_queries()["drawn_in_batch"], {"batch": rows.key(batch)}).fetchall()
                sqlite_log.append(connection, changes.of_draws(last, [body for (body,) in drawn]))
        return new

    def draws(self, *, record_id: str | None = None, limit: int = 500, after: int = 0) -> list[tuple[int, AuditDraw]]:
        query, given = _conditional("draws", {"record_id": None if record_id is None else rows.key(record_id)})
        with self._database.read() as connection:
            found = connection.execute(query, {**given, "limit": limit, "after": after}).fetchall()
        return [(seq, rows.decode(AuditDraw, body, f"draw {seq}")) for seq, body in found]

    def raise_alarm(self, alarm: Alarm) -> bool:
        row = {"id": rows.new_id(alarm.id), "standing": not alarm.cleared_by, "body": rows.encode(alarm)}
        with self._database.write() as connection:
            if not connection.execute(_queries()["raise_alarm"], row).rowcount:
                return False
            sqlite_log.append(connection, changes.of_alarm(alarm, str(row["body"])))
            return True

    def alarms(self, *, standing: bool = True) -> list[Alarm]:
        with self._database.read() as connection:
            found = connection.execute(*_conditional("alarms", {"standing": True if standing else None})).fetchall()
        return [rows.decode(Alarm, body, "an alarm") for (body,) in found]

    def clear_alarm(self, alarm_id: str, *, by: str, at: str, note: str = "") -> Alarm:
        identity = {"id": rows.key(alarm_id)}
        with self._database.write() as connection:
            found = connection.execute(_queries()["alarm_by_id"], identity).fetchone()
            if found is None:
                raise rows.missing_alarm(alarm_id)
            alarm = rows.decode(Alarm, found[0], f"alarm {alarm_id}")
            if alarm.cleared_by:
                return alarm
            alarm = rows.cleared(alarm, by=by, at=at, note=note)
            body = rows.encode(alarm)
            connection.execute(_queries()["clear_alarm"], {**identity, "body": body})
            sqlite_log.append(connection, changes.of_alarm(alarm, body))
            return alarm

    def state(self, key: str) -> tuple[int, str] | None:
        with self._database.read() as connection:
            found = connection.execute(_queries()["state"], {"key": rows.key(key)}).fetchone()
        return None if found is None else (int(found[0]), rows.text(found[1]))

    def put_state(self, key: str, text: str, *, revision: int) -> bool:
        row = {"key": rows.key(key), "text": rows.key(text), "revision": revision}
        with self._database.write() as connection:
            return connection.execute(_queries()["next_state" if revision else "first_state"], row).rowcount == 1

    def backup(self, path: Path) -> None:
        sqlite_care.backup(self._database, path)

    def prune(self, before: str, *, by: str, dry_run: bool = False) -> Pruned:
        return sqlite_care.prune(self._database, before, by=by, dry_run=dry_run)

    def info(self) -> StoreInfo:
        return sqlite_care.info(self._database, self.url)

    def close(self) -> None:
        self._database.close()


def _columns(review: Review) -> dict[str, Value]:
    said = listing.facts(review)
    return {**sqlite_log.keys(listing.columns(said)), "wakes": listing.wakes(said)}


def _add_label(connection: sqlite3.Connection, record_id: str, label: Label, body: str) -> None:
    if connection.execute(_queries()["add_label"], {"record_id": record_id, "body": body}).rowcount:
        sqlite_log.append(connection, changes.of_label(record_id, label, body))


def _find(connection: sqlite3.Connection, kind: type[T], identity: str) -> tuple[str, str]:
    """Id and body of the row that has this id, or the only one whose id begins so."""
    name = kind.__name__.lower()
    exact = connection.execute(_queries()[f"{name}_by_id"], {"id": rows.key(identity)}).fetchone()
    if exact is not None:
        return str(exact[0]), str(exact[1])
    start = rows.prefix(kind, identity)
    bounds = {"prefix": start, "end": start + "\U0010ffff"}
    found = connection.execute(_queries()[f"{name}_by_prefix"], bounds).fetchall()
    if not found:
        raise rows.missing(kind, identity)
    if len(found) > 1:
        raise rows.ambiguous(kind, identity)
    return str(found[0][0]), str(found[0][1])


def _list(
    connection: sqlite3.Connection, name: str, asked: dict[str, str | bytes | None], limit: int
) -> list[tuple[str, str]]:
    """Ids and bodies of the rows that meet every condition asked for."""
    query, given = _conditional(name, asked)
    return connection.execute(query, {**given, "limit": limit}).fetchall()


def _labels(connection: sqlite3.Connection, name: str) -> list[str]:
    return [label for (label,) in connection.execute(_queries()["labels"], {"record_id": name})]


def _loaded(name: str, body: str, labels: Sequence[str]) -> Record:
    return rows.with_labels(rows.decode(Record, body, f"record {name}"), labels)
