"""The database's shape is the sum of its migrations, and only our own database gets them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from guardrail.errors import StoreError, StoreTooNew
from guardrail.store import SQLiteStore
from guardrail.store.migrate import migrations
from tests.support.records import record


def _shape(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    return connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql NOT NULL ORDER BY name").fetchall()


def test_the_schema_is_the_sum_of_the_migrations(path: Path) -> None:
    SQLiteStore(path).close()
    by_hand = sqlite3.connect(":memory:")
    for script in migrations():
        by_hand.executescript(script)
    made = sqlite3.connect(path)
    assert _shape(made) == _shape(by_hand)
    assert made.execute("PRAGMA user_version").fetchone() == (len(migrations()),)
    made.close()
    by_hand.close()


def test_a_later_migration_runs_once_and_keeps_what_is_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    SQLiteStore(path).close()
    store = SQLiteStore(path)
    store.add_record(record())
    store.close()
    more = (*migrations(), "ALTER TABLE records ADD COLUMN colour TEXT; CREATE TABLE extra (x);")
    monkeypatch.setattr("guardrail.store.migrate.migrations", lambda: more)
    for _ in range(2):
        store = SQLiteStore(path)
        assert store.records() == [record()]
        with store._database.read() as connection:
            assert connection.execute("PRAGMA user_version").fetchone() == (len(more),)
            assert connection.execute("SELECT colour FROM records").fetchall() == [(None,)]
        store.close()


def test_a_migration_that_fails_leaves_the_store_as_it_was(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = SQLiteStore(path)
    store.add_record(record())
    store.close()
    with monkeypatch.context() as patched:
        more = (*migrations(), "CREATE TABLE extra (x); INSERT INTO nowhere VALUES (1);")
        patched.setattr("guardrail.store.migrate.migrations", lambda: more)
        with pytest.raises(StoreError, match="nowhere"):
            SQLiteStore(path)
    store = SQLiteStore(path)
    assert store.records() == [record()]
    with store._database.read() as connection:
        assert ("extra",) not in connection.execute("SELECT name FROM sqlite_schema").fetchall()
    store.close()


def test_a_store_from_the_future_is_refused_and_left_alone(path: Path) -> None:
    SQLiteStore(path).close()
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="--upgrade"):
        SQLiteStore(path)
    assert path.read_bytes() == before


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE checkpoints (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        SQLiteStore(path)
    assert path.read_bytes() == before
