"""Records, reviews and the ledger of spending in a schema of a PostgreSQL database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from guardrail.audit import AuditView
from guardrail.store import changes, listing, postgres_care, postgres_lists, postgres_log, rows
from guardrail.store.care import Pruned, StoreInfo
from guardrail.store.postgres_access import PostgresAccess
from guardrail.store.postgres_address import address
from guardrail.store.postgres_database import Connection, Database
from guardrail.store.postgres_log import sql
from guardrail.store.postgres_notices import PostgresNotices
from guardrail.store.postgres_sealed import PostgresSealed
from guardrail.store.postgres_texts import escaped, exact, lookup, lookups, restored
from guardrail.store.postgres_watch import Watch
from guardrail.store.queries import Value, conditional
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
W = TypeVar("W")


class PostgresStore(PostgresNotices, PostgresSealed, PostgresAccess):
    """A store in PostgreSQL 14 or later, in a schema made if it is not there: ``guardrail``, or ``?schema=NAME`` in
    the URL, which is otherwise libpq's. Safe for threads, processes and forks, and used again after the server was
    restarted.

    ``timeout`` is how long to wait for another writer or a free connection, ``statement_timeout`` how long the server
    works on one statement (seconds), ``pool_size`` how many connections a process holds at most. With ``create`` false
    the schema must exist. ``url`` has no password.

    Raises:
        ConfigError: the URL is none.
        StoreError, StoreLocked, StoreTooNew: the database cannot be used; the message says what to do.
    """

    def __init__(
        self,
        url: str,
        *,
        create: bool = True,
        timeout: float = 10.0,
        statement_timeout: float = 60.0,
        pool_size: int = 10,
    ) -> None:
        where = address(url)
        self.url = where.shown
        self._database = Database(
            where, create=create, timeout=timeout, statement_timeout=statement_timeout, pool_size=pool_size
        )
        self._watch = Watch(self._database)
        self._seen = changes.Seen()

    def add_record(self, record: Record) -> bool:
        row = {
            "id": exact(rows.new_id(record.id), "an id"),
            "at": rows.sort_key(record.at),
            "thread_id": lookup(record.thread_id),
            "step_id": lookup(record.step_id),
            "model": lookup(record.model),
            "route": record.verdict.route.value,
            "body": rows.encode(rows.without_labels(record)),
        }
        labels = [(label, rows.encode(label)) for label in record.labels]

        def work(connection: Connection) -> bool:
            if not connection.execute(sql("add_record"), row).rowcount:
                return False
            for label, body in labels:
                self._add_label(connection, record.id, label, body)
            return True

        # Evidence, no decision: the guard does not wait for the disk. The review of a call, added after it, does.
        return self._write(work, synced=False)

    def record(self, record_id: str) -> Record:
        return _loaded(self._database.read(lambda connection: _find(connection, Record, record_id)))

    def records(self, *, thread_id: str | None = None, limit: int = 50, before: str | None = None) -> list[Record]:
        asked = {
            "thread_id": None if thread_id is None else lookup(thread_id),
            "before": None if before is None else escaped(self.record(before).id),
        }
        return [_loaded(row) for row in self._list("records", asked, limit=limit)]

    def add_label(self, record_id: str, label: Label) -> Record:
        body = rows.encode(label)

        def work(connection: Connection) -> tuple[Any, ...]:
            name = _find(connection, Record, record_id)[0]
            self._add_label(connection, restored(name), label, body)
            return _find(connection, Record, restored(name))

        return _loaded(self._write(work))

    def add_review(self, review: Review) -> Review:
        body = rows.encode(review)
        row = {
            "id": exact(rows.new_id(review.id), "an id"),
            "at": rows.sort_key(review.at),
            "thread_id": lookup(review.thread_id),
            "record_id": lookup(review.record_id),
            **_columns(review),
            "body": body,
        }
        opened = postgres_log.entry_of(changes.of_review(review, body, None))
        if not self._change("add_review", {**row, **opened}):
            return self.review(review.id)
        return self._seen.keep(rows.decode(Review, body, f"review {review.id}"))

    def review(self, review_id: str) -> Review:
        name, body, *_ = self._database.read(lambda connection: _find(connection, Review, review_id))
        return self._seen.keep(rows.decode(Review, body, f"review {restored(name)}"))

    def reviews(
        self,
        *,
        states: frozenset[ReviewState] | None = None,
        thread_id: str | None = None,
        record_id: str | None = None,
        limit: int = 50,
    ) -> list[Review]:
        asked: dict[str, Any] = {
            "states": None if states is None else sorted(state.value for state in states),
            "thread_id": None if thread_id is None else lookup(thread_id),
            "record_id": None if record_id is None else lookup(record_id),
        }
        found = self._list("reviews", asked, limit=limit)
        return [rows.decode(Review, body, f"review {restored(name)}") for name, body in found]

    def compare_and_set(self, review: Review) -> bool:
        body = rows.encode(review)
        row = {"id": lookup(review.id), **_columns(review), "body": body}
        before: str | Review | None = self._seen.before(review)
        if before is None:
            found = self._database.read(lambda connection: connection.execute(sql("review_before"), row).fetchone())
            if found is None:
                return False
            before = str(found[0])
        changed = postgres_log.entry_of(changes.of_review(review, body, before))
        if not self._change("compare_and_set", {**row, **changed}):
            return False
        self._seen.keep(review)
        return True

    def find_reviews(self, wanted: ReviewFilter, *, limit: int = 50, after: str = "") -> ReviewPage:
        return self._database.read(lambda connection: postgres_lists.find(connection, wanted, limit=limit, after=after))

    def due_reviews(self, before: str, *, limit: int = 500) -> list[Review]:
        found = self._list("due_reviews", {}, before=rows.sort_key(before), limit=max(limit, 0))
        return [rows.decode(Review, body, f"review {restored(name)}") for name, body in found]

    def note(self, entry: AuditEntry) -> AuditEntry:
        drafted = changes.of_note(entry)
        return self._write(lambda connection: postgres_log.append(connection, drafted))

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
        asked: dict[str, Any] = {"tenant": tenant, "shard": shard, "after": after, "subject": subject}
        return self._database.read(lambda connection: postgres_log.entries(connection, limit=max(limit, 0), **asked))

    def audit_heads(self, *, tenant: str = "") -> list[AuditHead]:
        return self._database.read(lambda connection: postgres_log.heads(connection, tenant))

    def audit_tenants(self) -> list[str]:
        return self._database.read(postgres_log.tenants)

    @contextmanager
    def audit_view(self, *, tenant: str = "") -> Iterator[AuditView]:
        with self._database.view() as connection:
            yield AuditView(postgres_log.every_entry(connection, tenant), postgres_log.kept(connection, tenant))

    def seal(self, *, by: str, tenant: str = "", at: str = "") -> list[AuditHead]:
        moment = at or changes.now()
        return self._write(lambda connection: postgres_log.seal(connection, tenant=tenant, by=by, at=moment))

    def change_mark(self) -> int:
        ((mark,),) = self._list("change_mark", {})
        return int(mark)

    def wait_for_change(self, timeout: float, *, since: int | None = None) -> bool:
        return wait_for_change(self.change_mark, self._watch.sleep, timeout, since)

    def spend(self, entry: Spending) -> None:
        usage = rows.countable(entry).usage
        row = {
            "at": rows.sort_key(entry.at),
            "thread_id": lookup(entry.thread_id),
            "model": escaped(entry.model),
            "requests": usage.requests,
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "seconds": usage.seconds,
        }
        self._write(lambda connection: connection.execute(sql("add_spending"), row))

    def spent(self, *, thread_id: str | None = None, since: str | None = None) -> dict[str, Usage]:
        asked = {
            "thread_id": None if thread_id is None else lookup(thread_id),
            "since": None if since is None else rows.sort_key(since),
        }
        return {
            restored(model): Usage(
                requests=requests, prompt_tokens=prompt, completion_tokens=completion, seconds=seconds
            )
            for model, requests, prompt, completion, seconds in self._list("spent", asked)
        }

    def labelled(self, *, after: int = 0, limit: int = 500) -> list[tuple[int, str, Label]]:
        found = self._database.read(
            lambda connection: connection.execute(sql("labelled"), {"after": after, "limit": limit}).fetchall()
        )
        named = [(seq, restored(record), body) for seq, record, body in found]
        return [(seq, record, rows.decode(Label, body, f"a label of record {record}")) for seq, record, body in named]

    def add_draws(self, draws: Sequence[AuditDraw]) -> int:
        added = [
            {
                "batch": lookup(draw.batch),
                "record_id": lookup(draw.record_id),
                "call_id": lookup(draw.call_id),
                "body": rows.encode(draw),
            }
            for draw in draws
        ]

        def work(connection: Connection) -> int:
            new = 0
            grown: dict[str, AuditDraw] = {}
            self._database.in_turn(connection, "draws")
            for draw, row in zip(draws, added, strict=True):
                if connection.execute(sql("add_draw"), row).rowcount:
                    new += 1
                    grown[draw.batch] = draw
            entries = []
            for batch, last in grown.items():
                drawn = connection.execute(sql("drawn_in_batch"), {"batch": lookup(batch)})
                entries.append(changes.of_draws(last, [body for (body,) in drawn]))
            postgres_log.append_all(connection, entries)
            return new

        return self._write(work)

    def draws(self, *, record_id: str | None = None, limit: int = 500, after: int = 0) -> list[tuple[int, AuditDraw]]:
        asked = {"record_id": None if record_id is None else lookup(record_id)}
        found = self._list("draws", asked, limit=limit, after=after)
        return [(seq, rows.decode(AuditDraw, body, f"draw {seq}")) for seq, body in found]

    def raise_alarm(self, alarm: Alarm) -> bool:
        body = rows.encode(alarm)
        row = {"id": exact(rows.new_id(alarm.id), "an id"), "standing": not alarm.cleared_by, "body": body}

        def work(connection: Connection) -> bool:
            if not connection.execute(sql("raise_alarm"), row).rowcount:
                return False
            postgres_log.append(connection, changes.of_alarm(alarm, body))
            return True

        return self._write(work)

    def alarms(self, *, standing: bool = True) -> list[Alarm]:
        found = self._list("alarms", {"standing": True if standing else None})
        return [rows.decode(Alarm, body, "an alarm") for (body,) in found]

    def clear_alarm(self, alarm_id: str, *, by: str, at: str, note: str = "") -> Alarm:
        identity = {"id": lookup(alarm_id)}

        def work(connection: Connection) -> Alarm:
            found = connection.execute(sql("alarm_to_clear"), identity).fetchone()
            if found is None:
                raise rows.missing_alarm(alarm_id)
            alarm = rows.decode(Alarm, found[0], f"alarm {alarm_id}")
            if alarm.cleared_by:
                return alarm
            alarm = rows.cleared(alarm, by=by, at=at, note=note)
            body = rows.encode(alarm)
            connection.execute(sql("clear_alarm"), {**identity, "body": body})
            postgres_log.append(connection, changes.of_alarm(alarm, body))
            return alarm

        return self._write(work)

    def state(self, key: str) -> tuple[int, str] | None:
        found = self._database.read(
            lambda connection: connection.execute(sql("state"), {"key": lookup(key)}).fetchone()
        )
        return None if found is None else (int(found[0]), restored(found[1]))

    def put_state(self, key: str, text: str, *, revision: int) -> bool:
        row = {"key": exact(key, "a key"), "text": escaped(text), "revision": revision}
        query = sql("next_state" if revision else "first_state")
        return self._write(lambda connection: connection.execute(query, row).rowcount == 1)

    def backup(self, path: Path) -> None:
        postgres_care.backup(self._database, path)

    def restore(self, path: Path) -> int:
        """Put a backup into this store, which has to be empty, and say how many rows it has."""
        return postgres_care.restore(self._database, path)

    def prune(self, before: str, *, by: str, dry_run: bool = False) -> Pruned:
        return postgres_care.prune(self._database, before, by=by, dry_run=dry_run)

    def info(self) -> StoreInfo:
        return postgres_care.info(self._database)

    def close(self) -> None:
        self._watch.close()
        self._database.close()

    def _write(self, work: Callable[[Connection], W], *, synced: bool = True) -> W:
        done = self._database.write(work, synced=synced)
        self._watch.changed()
        return done

    def _change(self, name: str, given: Mapping[str, Any]) -> bool:
        """Whether the statement changed something, which it logged as well."""
        query = postgres_log.logged(name)
        done = self._database.change(lambda connection: connection.execute(query, given).fetchone())
        self._watch.changed()
        return done is not None

    def _list(self, name: str, asked: Mapping[str, Value], **more: str | int) -> list[tuple[Any, ...]]:
        """The rows that meet every condition asked for."""
        query, given = conditional(name, asked, "postgresql")
        return self._database.read(lambda connection: connection.execute(query.encode(), {**given, **more}).fetchall())

    def _add_label(self, connection: Connection, record_id: str, label: Label, body: str) -> None:
        self._database.in_turn(connection, "labels")
        row = {"record_id": escaped(record_id), "digest": rows.body_digest(body), "body": body}
        if connection.execute(sql("add_label"), row).rowcount:
            postgres_log.append(connection, changes.of_label(record_id, label, body))


def _columns(review: Review) -> dict[str, Any]:
    said = listing.facts(review)
    columns = {**lookups(listing.columns(said)), "tenant": exact(review.tenant, "the tenant")}
    return {**columns, "wakes": listing.wakes(said)}


def _find(connection: Connection, kind: type[T], identity: str) -> tuple[Any, ...]:
    """Id (as it is kept) and body of the row that has this id, or the only one whose id begins so."""
    start = lookup(identity)
    whole = len(identity) < rows.MIN_PREFIX or start != escaped(identity)
    bounds = {"id": start, "end": start if whole else start + "\U0010ffff"}
    found = connection.execute(sql(kind.__name__.lower()), bounds).fetchall()
    if found and found[0][0] == start:
        return found[0]
    rows.prefix(kind, identity)
    if not found:
        raise rows.missing(kind, identity)
    if len(found) > 1:
        raise rows.ambiguous(kind, identity)
    return found[0]


def _loaded(row: tuple[Any, ...]) -> Record:
    """A record with its labels."""
    name, body, labels = row
    return rows.with_labels(rows.decode(Record, body, f"record {restored(name)}"), labels)
