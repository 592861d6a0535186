"""A store that lasts as long as the process: for tests, and for programs that keep nothing."""

from __future__ import annotations

import heapq
import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import RLock
from typing import NamedTuple, TypeVar

from guardrail.audit import AuditView, Kept
from guardrail.errors import StoreError
from guardrail.store import changes, listing, rows
from guardrail.store.memory_access import MemoryAccess
from guardrail.store.memory_log import MemoryLog
from guardrail.store.memory_notices import MemoryNotices
from guardrail.store.memory_sealed import MemorySealed
from guardrail.store.watch import wait_for_change
from guardrail.types import (
    AccessEntry,
    AccessKind,
    Alarm,
    AuditDraw,
    AuditEntry,
    AuditHead,
    Label,
    Notice,
    Record,
    Review,
    ReviewFilter,
    ReviewPage,
    ReviewState,
    Sealed,
    Spending,
    Usage,
)

T = TypeVar("T", Record, Review)
_POLL = 0.02


class _Row(NamedTuple):
    at: str
    seq: int
    body: str
    thread_id: str


class MemoryStore(MemoryNotices, MemorySealed, MemoryAccess):
    """A store in memory, safe for threads. Values are kept as JSON, as every other store keeps them."""

    url = "memory://"

    def __init__(self) -> None:
        self._lock = RLock()
        self._records: dict[str, _Row] = {}
        self._labels: dict[str, list[str]] = {}
        self._reviews: dict[str, _Row] = {}
        self._spendings: list[tuple[str, Spending]] = []
        self._order: list[tuple[str, str]] = []
        self._draws: dict[tuple[str, str, str], str] = {}
        self._alarms: dict[str, str] = {}
        self._states: dict[str, tuple[int, str]] = {}
        self._log = MemoryLog()
        self._notices: dict[str, Notice] = {}
        self._sealed: dict[tuple[str, str], Sealed] = {}
        self._access: dict[tuple[AccessKind, str], AccessEntry] = {}
        self._closed = False

    def add_record(self, record: Record) -> bool:
        row = _Row(rows.sort_key(record.at), 0, rows.encode(rows.without_labels(record)), record.thread_id)
        labels = {rows.encode(label): label for label in record.labels}
        with self._lock:
            self._check_open()
            if record.id in self._records:
                return False
            self._records[rows.new_id(record.id)] = row._replace(seq=len(self._records))
            self._labels[record.id] = []
            for body, label in labels.items():
                self._add_label(record.id, label, body)
            return True

    def record(self, record_id: str) -> Record:
        with self._lock:
            self._check_open()
            return self._load(_find(Record, self._records, record_id))

    def records(self, *, thread_id: str | None = None, limit: int = 50, before: str | None = None) -> list[Record]:
        with self._lock:
            self._check_open()
            end = None if before is None else self._records[_find(Record, self._records, before)][:2]
            older = (
                (row.at, row.seq, name)
                for name, row in self._records.items()
                if thread_id in (None, row.thread_id) and (end is None or row[:2] < end)
            )
            return [self._load(name) for *_, name in heapq.nlargest(limit, older)]

    def add_label(self, record_id: str, label: Label) -> Record:
        body = rows.encode(label)
        with self._lock:
            self._check_open()
            name = _find(Record, self._records, record_id)
            if body not in self._labels[name]:
                self._add_label(name, label, body)
            return self._load(name)

    def add_review(self, review: Review) -> Review:
        row = _Row(rows.sort_key(review.at), 0, _review_body(review), review.thread_id)
        with self._lock:
            self._check_open()
            if review.id not in self._reviews:
                self._reviews[rows.new_id(review.id)] = row._replace(seq=len(self._reviews))
                self._log.append(changes.of_review(review, row.body, None))
            kept = self._reviews[review.id]
            return rows.decode(Review, kept.body, f"review {review.id}")

    def review(self, review_id: str) -> Review:
        with self._lock:
            self._check_open()
            name = _find(Review, self._reviews, review_id)
            return rows.decode(Review, self._reviews[name].body, f"review {name}")

    def reviews(
        self,
        *,
        states: frozenset[ReviewState] | None = None,
        thread_id: str | None = None,
        record_id: str | None = None,
        limit: int = 50,
    ) -> list[Review]:
        with self._lock:
            self._check_open()
            oldest = sorted(self._reviews, key=lambda name: self._reviews[name][:2])
            found = (rows.decode(Review, self._reviews[name].body, f"review {name}") for name in oldest)
            return [
                review
                for review in found
                if (states is None or review.state in states)
                and thread_id in (None, review.thread_id)
                and record_id in (None, review.record_id)
            ][:limit]

    def compare_and_set(self, review: Review) -> bool:
        body = _review_body(review)
        with self._lock:
            self._check_open()
            row = self._reviews.get(review.id)
            if row is None or rows.decode(Review, row.body, f"review {review.id}").revision != review.revision - 1:
                return False
            entry = changes.of_review(review, body, row.body)
            self._reviews[review.id] = row._replace(body=body)
            self._log.append(entry)
            return True

    def find_reviews(self, wanted: ReviewFilter, *, limit: int = 50, after: str = "") -> ReviewPage:
        start = listing.place(after, wanted)
        with self._lock:
            self._check_open()
            found = [
                (listing.Place(-review.priority, row.at, row.seq), review)
                for name, row in self._reviews.items()
                if listing.matches(review := rows.decode(Review, row.body, f"review {name}"), wanted)
            ]
        behind = [one for one in found if start is None or one[0] > start]
        page = heapq.nsmallest(limit + 1, behind, key=lambda one: one[0])
        last = page[limit - 1][0] if len(page) > limit > 0 else None
        return ReviewPage(
            reviews=tuple(review for _, review in page[: max(limit, 0)]),
            after="" if last is None else listing.cursor(last, wanted),
        )

    def due_reviews(self, before: str, *, limit: int = 500) -> list[Review]:
        end = rows.sort_key(before)
        with self._lock:
            self._check_open()
            waiting = ((listing.wakes(json.loads(row.body)), row.seq, row.body) for row in self._reviews.values())
            due = heapq.nsmallest(limit, ((at, seq, body) for at, seq, body in waiting if at is not None and at <= end))
        return [rows.decode(Review, body, "a review") for *_, body in due]

    def note(self, entry: AuditEntry) -> AuditEntry:
        drafted = changes.of_note(entry)
        with self._lock:
            self._check_open()
            return self._log.append(drafted)

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
        with self._lock:
            self._check_open()
            found = self._log.entries(tenant=tenant, shard=shard, after=after)
            return [entry for entry in found if subject in (None, entry.subject)][: max(limit, 0)]

    def audit_heads(self, *, tenant: str = "") -> list[AuditHead]:
        with self._lock:
            self._check_open()
            return self._log.heads(tenant)

    def audit_tenants(self) -> list[str]:
        with self._lock:
            self._check_open()
            return sorted(self._log.tenants())

    @contextmanager
    def audit_view(self, *, tenant: str = "") -> Iterator[AuditView]:
        with self._lock:
            self._check_open()
            yield AuditView(self._log.entries(tenant=tenant), self._kept(tenant))

    def seal(self, *, by: str, tenant: str = "", at: str = "") -> list[AuditHead]:
        with self._lock:
            self._check_open()
            return self._log.seal(tenant=tenant, by=by, at=at or changes.now())

    def change_mark(self) -> int:
        with self._lock:
            self._check_open()
            return self._log.mark()

    def wait_for_change(self, timeout: float, *, since: int | None = None) -> bool:
        return wait_for_change(self.change_mark, lambda left: time.sleep(min(left, _POLL)), timeout, since)

    def spend(self, entry: Spending) -> None:
        row = (rows.sort_key(entry.at), rows.countable(entry))
        with self._lock:
            self._check_open()
            self._spendings.append(row)

    def spent(self, *, thread_id: str | None = None, since: str | None = None) -> dict[str, Usage]:
        start = "" if since is None else rows.sort_key(since)
        found: dict[str, Usage] = {}
        with self._lock:
            self._check_open()
            for at, entry in self._spendings:
                if at >= start and thread_id in (None, entry.thread_id):
                    found[entry.model] = found.get(entry.model, Usage()) + entry.usage
        return found

    def labelled(self, *, after: int = 0, limit: int = 500) -> list[tuple[int, str, Label]]:
        with self._lock:
            self._check_open()
            found = list(enumerate(self._order, start=1))[after : after + limit]
        return [(seq, record, rows.decode(Label, body, f"a label of record {record}")) for seq, (record, body) in found]

    def add_draws(self, draws: Sequence[AuditDraw]) -> int:
        added = {(draw.batch, draw.record_id, draw.call_id): rows.encode(draw) for draw in draws}
        with self._lock:
            self._check_open()
            new = {key: body for key, body in added.items() if key not in self._draws}
            self._draws.update(new)
            for batch, last in {draw.batch: draw for draw in draws if any(key[0] == draw.batch for key in new)}.items():
                self._log.append(changes.of_draws(last, self._batch(batch)))
            return len(new)

    def draws(self, *, record_id: str | None = None, limit: int = 500, after: int = 0) -> list[tuple[int, AuditDraw]]:
        with self._lock:
            self._check_open()
            found = [
                (seq, rows.decode(AuditDraw, body, f"draw {seq}"))
                for seq, ((_, record, _), body) in enumerate(self._draws.items(), start=1)
                if seq > after and record_id in (None, record)
            ]
        return found[:limit]

    def raise_alarm(self, alarm: Alarm) -> bool:
        body = rows.encode(alarm)
        with self._lock:
            self._check_open()
            if alarm.id in self._alarms:
                return False
            self._alarms[rows.new_id(alarm.id)] = body
            self._log.append(changes.of_alarm(alarm, body))
            return True

    def alarms(self, *, standing: bool = True) -> list[Alarm]:
        with self._lock:
            self._check_open()
            found = [rows.decode(Alarm, body, "an alarm") for body in self._alarms.values()]
        return [alarm for alarm in found if not (standing and alarm.cleared_by)]

    def clear_alarm(self, alarm_id: str, *, by: str, at: str, note: str = "") -> Alarm:
        with self._lock:
            self._check_open()
            if alarm_id not in self._alarms:
                raise rows.missing_alarm(alarm_id)
            alarm = rows.decode(Alarm, self._alarms[alarm_id], f"alarm {alarm_id}")
            if not alarm.cleared_by:
                alarm = rows.cleared(alarm, by=by, at=at, note=note)
                self._alarms[alarm_id] = rows.encode(alarm)
                self._log.append(changes.of_alarm(alarm, self._alarms[alarm_id]))
            return alarm

    def state(self, key: str) -> tuple[int, str] | None:
        with self._lock:
            self._check_open()
            return self._states.get(key)

    def put_state(self, key: str, text: str, *, revision: int) -> bool:
        with self._lock:
            self._check_open()
            if self._states.get(key, (0, ""))[0] != revision:
                return False
            self._states[key] = (revision + 1, text)
            return True

    def close(self) -> None:
        self._closed = True

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self._lock:
            self._check_open()
            yield

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("this store is closed: open it again")

    def _load(self, name: str) -> Record:
        record = rows.decode(Record, self._records[name].body, f"record {name}")
        return rows.with_labels(record, self._labels[name])

    def _add_label(self, record_id: str, label: Label, body: str) -> None:
        self._labels[record_id].append(body)
        self._order.append((record_id, body))
        self._log.append(changes.of_label(record_id, label, body))

    def _batch(self, batch: str) -> list[str]:
        return [body for (name, _, _), body in self._draws.items() if name == batch]

    def _kept(self, tenant: str) -> Iterator[Kept]:
        for name, row in self._reviews.items():
            if rows.decode(Review, row.body, f"review {name}").tenant == tenant:
                yield Kept(tenant=tenant, kind="review", subject=name, digest=rows.body_digest(row.body))
        if tenant:
            return
        for record_id, body in self._order:
            yield Kept(tenant=tenant, kind="label", subject=record_id, digest=rows.body_digest(body))
        for name, body in self._alarms.items():
            yield Kept(tenant=tenant, kind="alarm", subject=name, digest=rows.body_digest(body))
        for batch in dict.fromkeys(name for name, _, _ in self._draws):
            yield Kept(tenant=tenant, kind="draws", subject=batch, digest=changes.draws_digest(self._batch(batch)))


def _review_body(review: Review) -> str:
    said = listing.facts(review)
    listing.columns(said), listing.wakes(said)  # what no list could order is refused
    return rows.encode(review)


def _find(kind: type[T], kept: dict[str, _Row], identity: str) -> str:
    if identity in kept:
        return identity
    start = rows.prefix(kind, identity)
    found = [name for name in kept if name.startswith(start)]
    if not found:
        raise rows.missing(kind, identity)
    if len(found) > 1:
        raise rows.ambiguous(kind, identity)
    return found[0]
