"""The audit log of an SQLite file: what is done to the file behind the store's back is found, and processes share it."""

from __future__ import annotations

import multiprocessing
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.audit import SHARDS, Flaw, Problem, chained, head_of, verify
from guardrail.store import SQLiteStore
from guardrail.store.changes import stored
from guardrail.store.migrate import migrations
from guardrail.store.rows import encode, sort_key
from guardrail.types import Alarm, AuditDraw, AuditEntry, AuditHead, ReviewFilter, ReviewState, Tier
from tests.support.records import label, record, review

AT = "2026-01-05T00:00:00+00:00"
ALARM = Alarm(id="alarm-0001", at=AT, tier=Tier.HIGH, alpha=0.1, delta=0.05, audits=40, wrong=12, e_value=31.5)
DRAW = AuditDraw(record_id="rec-000001", call_id="call_1", probability=0.25, batch="week 1", at=AT)
TEXTS = ("at", "by", "what", "subject", "body", "previous", "hash", "tenant")


def _fill(store: SQLiteStore) -> None:
    for number in range(24):
        one = review(f"rev-{number:06}")
        store.add_review(one)
        if number % 2:
            store.compare_and_set(replace(one, state=ReviewState.CLAIMED, revision=1))
    store.add_record(record(labels=(label(),)))
    store.add_record(record("rec-000002"))
    store.add_label("rec-000001", label(correct=False))
    store.raise_alarm(ALARM)
    store.raise_alarm(replace(ALARM, id="alarm-0002"))
    store.clear_alarm("alarm-0002", by="ana", at=AT)
    store.add_draws([DRAW, replace(DRAW, call_id="call_2")])


def _problems(path: Path, heads: list[AuditHead] | None = None) -> list[Problem]:
    store = SQLiteStore(path)
    try:
        found: list[Problem] = []
        for tenant in store.audit_tenants():
            wanted = [head for head in heads or () if head.tenant == tenant]
            with store.audit_view(tenant=tenant) as view:
                found += verify(view.entries, wanted, view.bodies)
        return found
    finally:
        store.close()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, list[AuditHead], list[AuditEntry]]]:
    """A store, where its chains end, and what its log says."""
    path = tmp_path_factory.mktemp("whole") / "guardrail.db"
    store = SQLiteStore(path)
    _fill(store)
    yield path, store.audit_heads(), store.audit_entries(limit=1000)
    store.close()


def _tampered(whole: Path, path: Path, *statements: tuple[str, tuple[object, ...]]) -> Path:
    shutil.copy(whole, path)
    for suffix in ("-wal", "-shm"):
        if whole.with_name(whole.name + suffix).exists():
            shutil.copy(whole.with_name(whole.name + suffix), path.with_name(path.name + suffix))
    with closing(sqlite3.connect(path)) as connection:
        for trigger in ("audit_log_next", "audit_log_no_update", "audit_log_no_delete"):
            connection.execute(f"DROP TRIGGER {trigger}")
        for statement, values in statements:
            connection.execute(statement, values)
        connection.commit()
    return path


def test_the_log_takes_nothing_but_the_next_entry_of_a_chain(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_review(review())
    entry = store.audit_entries()[0]
    with closing(sqlite3.connect(path)) as connection:
        add = "({}) VALUES ({})".format(", ".join(vars(entry)), ", ".join("?" * 10))
        for statement, values in (
            ("UPDATE audit_log SET by = 'somebody'", ()),
            ("DELETE FROM audit_log", ()),
            (f"INSERT INTO audit_log {add}", (*stored(replace(entry, number=3)).values(),)),
            (f"INSERT OR REPLACE INTO audit_log {add}", (*stored(replace(entry, by="x")).values(),)),
            (f"INSERT INTO audit_log {add}", (*stored(replace(entry, number=0)).values(),)),
        ):
            with pytest.raises(sqlite3.IntegrityError, match="audit log"):
                connection.execute(statement, values)
    assert store.audit_entries() == [entry]
    store.close()


@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_whatever_is_done_to_one_row_of_the_log_is_found(
    whole: tuple[Path, list[AuditHead], list[AuditEntry]],
    tmp_path_factory: pytest.TempPathFactory,
    data: st.DataObject,
) -> None:
    source, heads, entries = whole
    one = data.draw(st.sampled_from(entries))
    place = "WHERE tenant = ? AND shard = ? AND number = ?"
    where = (one.tenant, one.shard, one.number)
    match data.draw(st.sampled_from(["edit", "forge", "delete", "cut", "swap", "move"])):
        case "edit":
            name = data.draw(st.sampled_from(TEXTS))
            value = data.draw(st.text("abc", max_size=3).filter(lambda text: text != getattr(one, name)))
            statements = [(f"UPDATE audit_log SET {name} = ? {place}", (value, *where))]
        case "forge":
            before = next((head_of(e) for e in entries if (e.shard, e.number + 1) == (one.shard, one.number)), None)
            forged = chained(replace(one, by="somebody else"), before)
            statements = [(f"UPDATE audit_log SET by = ?, hash = ? {place}", (forged.by, forged.hash, *where))]
        case "delete":
            statements = [(f"DELETE FROM audit_log {place}", where)]
        case "cut":
            statements = [("DELETE FROM audit_log WHERE shard = ? AND number >= ?", (one.shard, one.number))]
        case "swap":
            other = data.draw(st.sampled_from([entry for entry in entries if entry != one]))
            there = (other.tenant, other.shard, other.number)
            numbers = f"UPDATE audit_log SET shard = ?, number = ? {place}"
            statements = [
                (numbers, (99, 1, *where)),
                (numbers, (one.shard, one.number, *there)),
                (numbers, (other.shard, other.number, "", 99, 1)),
            ]
        case "move":
            end = (one.shard + 1) % SHARDS
            statements = [(f"UPDATE audit_log SET shard = ?, number = 1000 {place}", (end, *where))]
    path = _tampered(source, tmp_path_factory.mktemp("tampered") / "guardrail.db", *statements)
    assert _problems(path, heads), statements


@pytest.mark.parametrize(
    ("statement", "flaw"),
    [
        ("UPDATE reviews SET body = replace(body, 'pending', 'decided') WHERE id = 'rev-000002'", Flaw.VALUE_CHANGED),
        ("UPDATE reviews SET state = 'decided' WHERE id = 'rev-000002'", Flaw.VALUE_CHANGED),
        ("UPDATE reviews SET revision = 7 WHERE id = 'rev-000002'", Flaw.VALUE_CHANGED),
        ("UPDATE reviews SET wakes = '2026' WHERE id = 'rev-000002'", Flaw.VALUE_CHANGED),
        ("UPDATE reviews SET thread_id = 'another' WHERE id = 'rev-000002'", Flaw.VALUE_CHANGED),
        ("UPDATE reviews SET body = '{' WHERE id = 'rev-000002'", Flaw.VALUE_CHANGED),
        ("UPDATE reviews SET id = 'rev-another' WHERE id = 'rev-000002'", Flaw.VALUE_GONE),
        ("UPDATE reviews SET tenant = 'b' WHERE id = 'rev-000002'", Flaw.VALUE_GONE),
        ("DELETE FROM reviews WHERE id = 'rev-000002'", Flaw.VALUE_GONE),
        ("UPDATE labels SET body = replace(body, 'ana', 'eve') WHERE seq = 1", Flaw.VALUE_GONE),
        ("UPDATE labels SET record_id = 'rec-000002'", Flaw.VALUE_UNKNOWN),
        ("DELETE FROM labels WHERE seq = 1", Flaw.VALUE_GONE),
        ("UPDATE alarms SET standing = 0", Flaw.VALUE_CHANGED),
        ("DELETE FROM alarms WHERE standing", Flaw.VALUE_GONE),
        ("UPDATE draws SET body = replace(body, '0.25', '0.75')", Flaw.VALUE_CHANGED),
        ("UPDATE draws SET record_id = 'rec-000002' WHERE seq = 2", Flaw.VALUE_CHANGED),
        ("DELETE FROM draws WHERE seq = 1", Flaw.VALUE_CHANGED),
        (
            """INSERT INTO reviews (id, at, thread_id, record_id, state, revision, body)
            SELECT 'rev-forged', at, thread_id, record_id, 'decided', 1, body FROM reviews WHERE id = 'rev-000001'""",
            Flaw.VALUE_UNKNOWN,
        ),
    ],
)
def test_whatever_is_done_to_what_the_log_tells_of_is_found(
    whole: tuple[Path, list[AuditHead], list[AuditEntry]], path: Path, statement: str, flaw: Flaw
) -> None:
    assert flaw in {problem.flaw for problem in _problems(_tampered(whole[0], path, (statement, ())), whole[1])}


def test_a_file_that_nobody_touched_is_whole(whole: tuple[Path, list[AuditHead], list[AuditEntry]], path: Path) -> None:
    assert _problems(_tampered(whole[0], path), whole[1]) == []


def _write(path: Path, process: int) -> int:
    store = SQLiteStore(path, timeout=60)
    won = 0
    for number in range(40):
        kept = store.review(f"rev-{(process + number) % 6:06}")
        won += store.compare_and_set(replace(kept, why=f"process {process}", revision=kept.revision + 1))
        if number % 20 == 0:
            store.seal(by=f"process {process}")
    store.close()
    return won


def test_processes_write_whole_chains(path: Path) -> None:
    store = SQLiteStore(path)
    for number in range(6):
        store.add_review(review(f"rev-{number:06}"))
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(4, mp_context=spawn) as pool:
        won = sum(pool.map(_write, [path] * 4, range(4)))
    assert len(store.audit_entries(limit=10_000)) == 6 + won + 4 * 2 * SHARDS
    heads = store.audit_heads()
    store.close()
    assert _problems(path, heads) == []


def test_a_store_without_a_log_gets_one_of_what_it_has(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for script in migrations()[:3]:
            connection.executescript(script)
        connection.execute("PRAGMA application_id = 0x67726C31")
        connection.execute("PRAGMA user_version = 3")
        odd = replace(
            review("rev-odd001"), call=replace(review().call, name="cut \ud83d"), due="2026-01-01T02:00:00+01:00"
        )
        for one in (review(), odd):
            values = (
                one.id,
                sort_key(one.at),
                one.thread_id,
                one.record_id,
                one.state.value,
                one.revision,
                encode(one),
            )
            connection.execute(
                "INSERT INTO reviews (id, at, thread_id, record_id, state, revision, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
                values,
            )
        connection.execute(
            "INSERT INTO reviews (id, at, thread_id, record_id, state, revision, body) VALUES ('rev-broken', '', '', '', 'x', 0, '{')"
        )
        kept = record()
        connection.execute(
            "INSERT INTO records (id, at, thread_id, step_id, model, route, body) VALUES (?, ?, ?, '', '', '', ?)",
            (kept.id, sort_key(kept.at), kept.thread_id, encode(kept)),
        )
        connection.execute("INSERT INTO labels (record_id, body) VALUES (?, ?)", (kept.id, encode(label())))
        connection.execute("INSERT INTO alarms (id, standing, body) VALUES (?, 1, ?)", (ALARM.id, encode(ALARM)))
        connection.execute(
            "INSERT INTO draws (batch, record_id, call_id, body) VALUES (?, ?, ?, ?)",
            (DRAW.batch, DRAW.record_id, DRAW.call_id, encode(DRAW)),
        )
        connection.commit()
    store = SQLiteStore(path)
    assert [store.review(one.id) for one in (review(), odd)] == [review(), odd]
    assert store.record(kept.id) == replace(kept, labels=(label(),))
    assert [one.id for one in store.find_reviews(ReviewFilter(tool="cut \ud83d")).reviews] == ["rev-odd001"]
    assert [one.id for one in store.find_reviews(ReviewFilter(due_before="2026-01-01T01:00:01Z")).reviews] == [
        "rev-odd001"
    ]
    assert store.find_reviews(ReviewFilter(tiers=frozenset({Tier.HIGH}), tool="refund")).reviews == (review(),)
    assert store.due_reviews("2026-01-02") == [odd]
    assert {entry.what for entry in store.audit_entries()} == {
        "review.found",
        "label.found",
        "alarm.found",
        "draws.found",
    }
    store.close()
    assert {problem.subject for problem in _problems(path)} <= {"rev-broken"}
