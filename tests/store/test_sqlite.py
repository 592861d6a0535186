"""What only a file can do: outlive processes, be found by a URL, and be damaged or full."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from guardrail.errors import ConfigError, StoreError, StoreFull, StoreTooNew
from guardrail.store import MemoryStore, SQLiteStore, open_store
from guardrail.store.queries import conditional
from tests.support.records import label, record, refund, review

T = TypeVar("T")
_SETTINGS = ("journal_mode", "synchronous", "foreign_keys")


def test_what_was_kept_is_there_after_reopening(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_record(record())
    store.add_label("rec-000001", label())
    store.add_review(review())
    store.close()
    again = open_store(f"sqlite:///{path}", create=False)
    assert again.records() == [record(labels=(label(),))]
    assert again.reviews() == [review()]
    again.close()


def test_urls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for url, expected in {
        "sqlite:///a.db": tmp_path / "a.db",
        f"sqlite:///{tmp_path}/b.sqlite": tmp_path / "b.sqlite",
        "c.db": tmp_path / "c.db",
        f"{tmp_path}/d #1%20?.db": tmp_path / "d #1%20?.db",
    }.items():
        store = open_store(url)
        assert store.url == f"sqlite:///{expected}"
        store.close()
        assert expected.exists()
    assert isinstance(open_store("memory://"), MemoryStore)


@pytest.mark.parametrize("url", ["", "guardrail", "sqlite://", "sqlite:///", "sqlite:///:memory:", "mysql:///x.db"])
def test_a_url_that_names_no_store_is_refused(url: str) -> None:
    with pytest.raises(ConfigError, match="names no store"):
        open_store(url)


def test_a_store_follows_no_change_of_directory(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(path.parent)
    store = open_store("guardrail.db")
    store.add_record(record())
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(store.record, "rec-000001").result() == record()
    store.close()


def test_a_decision_is_synced_to_the_disk_before_it_counts_as_taken(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SQLiteStore(path)
    store.add_record(record())
    syncs = []
    together = store._database.together

    def watched(work: Callable[[sqlite3.Connection], T]) -> T:
        def more(connection: sqlite3.Connection) -> T:
            syncs.append([connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _SETTINGS])
            return work(connection)

        return together(more)

    monkeypatch.setattr(store._database, "together", watched)
    for write in (
        lambda: store.add_review(review()),
        lambda: store.compare_and_set(replace(review(), revision=1)),
        lambda: store.add_label("rec-000001", label()),
    ):
        store.add_record(record())
        write()
    assert syncs == [["wal", 2, 1]] * 3
    store.close()


def test_what_the_log_says_about_one_subject_is_found_by_an_index(path: Path) -> None:
    store = SQLiteStore(path)
    query, given = conditional("audit_entries", {"tenant": "", "subject": "rev-000001"})
    with store._database.read() as connection:
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", {**given, "limit": 1}).fetchall()
    assert [step for *_, step in plan] == ["SEARCH audit_log USING INDEX audit_log_by_subject (tenant=? AND subject=?)"]
    store.close()


def test_a_record_from_the_future_is_refused(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_record(record())
    with store._database.write() as connection:
        connection.execute("UPDATE records SET body = json_set(body, '$.version', 99, '$.novelty', 1)")
    with pytest.raises(StoreTooNew, match="version 99"):
        store.record("rec-000001")
    store.close()


@pytest.mark.parametrize("body", ["", "null", "[]", "{}", '{"id": 1}', "{", "[" * 100_000])
def test_a_damaged_row_is_named(path: Path, body: str) -> None:
    store = SQLiteStore(path)
    store.add_record(record())
    with store._database.write() as connection:
        connection.execute("UPDATE records SET body = ?", (body,))
    with pytest.raises(StoreError, match="record rec-000001 cannot be read"):
        store.records()
    store.close()


def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path) -> None:
    path.write_text("dear diary, " * 1000)
    with pytest.raises(StoreError, match="not a database"):
        SQLiteStore(path)
    assert path.read_text() == "dear diary, " * 1000


def test_a_damaged_database_is_named(path: Path) -> None:
    store = SQLiteStore(path)
    for n in range(50):
        store.add_record(record(f"rec-{n:06}"))
    store.close()
    content = bytearray(path.read_bytes())
    content[4096:] = os.urandom(len(content) - 4096)
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"guardrail\.db") as caught:
        SQLiteStore(path).records()
    assert isinstance(caught.value.__cause__, sqlite3.Error)


def test_places_that_cannot_hold_a_store(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="does not exist: create it"):
        SQLiteStore(tmp_path / "missing" / "guardrail.db")
    with pytest.raises(StoreError, match="is a folder"):
        SQLiteStore(tmp_path)
    with pytest.raises(StoreError, match="there is no database"):
        open_store(f"sqlite:///{tmp_path}/missing.db", create=False)
    assert list(tmp_path.iterdir()) == []


_READ_ONLY = """
import os, sys, tempfile
from pathlib import Path
from guardrail.errors import StoreError
from guardrail.store import SQLiteStore
from tests.support.records import record
with tempfile.TemporaryDirectory() as folder:  # load everything that root may read and others perhaps not
    SQLiteStore(Path(folder, "guardrail.db")).add_record(record())
if os.getuid() == 0:
    os.seteuid(65534)  # root may write anywhere
with tempfile.TemporaryDirectory() as folder:
    path = Path(folder, "guardrail.db")
    if sys.argv[1] == "existing":
        SQLiteStore(path).close()
        path.chmod(0o444)
    os.chmod(folder, 0o555)
    try:
        SQLiteStore(path).add_record(record())
    except StoreError as error:
        print(error)
    os.chmod(folder, 0o755)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions")
@pytest.mark.parametrize("which", ["new", "existing"])
def test_a_folder_that_may_not_be_written(which: str) -> None:
    told = subprocess.run([sys.executable, "-c", _READ_ONLY, which], capture_output=True, text=True, check=False)
    assert "check the permissions" in told.stdout, told.stderr


def test_a_full_disk_loses_nothing_that_was_there(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_record(record())
    store.add_review(review())
    with store._database.read() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        full = f"PRAGMA max_page_count = {pages + 2}"
        connection.execute(full)
    store._database.together(lambda connection: connection.execute(full))
    big = record("rec-000002", call=refund(note="x" * 100_000), labels=(label(),))
    with pytest.raises(StoreFull, match="free some disk space"):
        store.add_record(big)
    with pytest.raises(StoreFull):
        store.compare_and_set(replace(review(call=refund(note="x" * 100_000)), revision=1))
    assert store.records() == [record()]
    assert store.reviews() == [review()]
    with store._database.read() as connection:
        connection.execute("PRAGMA max_page_count = 1000000")
    assert store.add_record(big) is True
    store.close()


def test_a_database_deleted_under_a_running_store_is_not_made_anew(path: Path) -> None:
    store = SQLiteStore(path)
    for file in path.parent.iterdir():
        file.unlink()
    with ThreadPoolExecutor(1) as pool, pytest.raises(StoreError, match="cannot be opened"):
        pool.submit(store.records).result()
    assert not path.exists()
    store.close()
