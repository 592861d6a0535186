"""What only a file can do: outlive processes, be shared by them, and be unusable in many ways."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from guardrail.errors import ConfigError, StoreError, StoreFull, StoreLocked, StoreTooNew
from guardrail.store import MemoryStore, SQLiteStore, open_store
from guardrail.store.migrate import migrations
from tests.support.records import label, record, refund, review


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "guardrail.db"


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


@pytest.mark.parametrize(
    "url", ["", "guardrail", "sqlite://", "sqlite:///", "sqlite:///:memory:", "postgresql:///x.db"]
)
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


def test_a_decision_is_synced_to_the_disk_before_it_counts_as_taken(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_record(record())
    for write in (
        lambda: store.add_review(review()),
        lambda: store.compare_and_set(replace(review(), revision=1)),
        lambda: store.add_label("rec-000001", label()),
    ):
        store.add_record(record())
        write()
        with store._database.read() as connection:
            assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
            assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
            assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)
    store.close()


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


def test_another_programs_database_is_refused_and_left_alone(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE checkpoints (x)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(StoreError, match="another program"):
        SQLiteStore(path)
    assert path.read_bytes() == before


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


def test_a_store_that_another_connection_locks(path: Path) -> None:
    SQLiteStore(path).close()
    store = SQLiteStore(path, timeout=0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLocked, match="try again") as caught:
        store.add_record(record())
    assert isinstance(caught.value.__cause__, sqlite3.OperationalError)
    assert store.records() == []
    other.execute("ROLLBACK")
    assert store.add_record(record()) is True
    other.close()
    store.close()


def test_a_writer_waits_for_the_one_before(path: Path) -> None:
    store = SQLiteStore(path)
    other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(0.2, lambda: other.execute("ROLLBACK"))
    release.start()
    assert store.add_record(record()) is True
    release.join()
    other.close()
    store.close()


def test_a_full_disk_loses_nothing_that_was_there(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_record(record())
    store.add_review(review())
    with store._database.read() as connection:
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages + 2}")
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


def test_the_connections_of_ended_threads_are_closed(path: Path) -> None:
    store = SQLiteStore(path)
    for _ in range(5):
        thread = threading.Thread(target=store.records)
        thread.start()
        thread.join()
    assert len(store._database._held) == 1
    store.close()


def _compete(path: Path, start: object, name: str) -> list[int]:
    store = SQLiteStore(path)
    start.wait()
    won = []
    for revision in range(1, 31):
        while store.review("rev-000001").revision < revision - 1:
            pass
        if store.compare_and_set(replace(review(), why=name, revision=revision)):
            won.append(revision)
    store.close()
    return won


def test_of_two_processes_exactly_one_makes_each_change(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_review(review())
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(2, mp_context=spawn) as pool:
        start = manager.Barrier(2)
        first, second = (pool.submit(_compete, path, start, name) for name in ("first", "second"))
        assert sorted(first.result() + second.result()) == list(range(1, 31))
        winner = "first" if 30 in first.result() else "second"
    assert (store.review("rev-000001").why, store.review("rev-000001").revision) == (winner, 30)
    store.close()


_SET_UP = """
import sys, time
from guardrail.store import SQLiteStore
from tests.support.records import record
sys.stdin.readline()
store = SQLiteStore(sys.argv[1])
store.add_record(record(sys.argv[2]))
store.close()
"""


def test_processes_may_set_up_the_same_store_at_once(path: Path) -> None:
    racing = [
        subprocess.Popen(
            [sys.executable, "-c", _SET_UP, path, f"rec-{n:06}"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for n in range(4)
    ]
    for process in racing:
        process.stdin.write(b"\n")
        process.stdin.flush()
    for process in racing:
        assert process.communicate()[1] == b""
    store = SQLiteStore(path, create=False)
    assert len(store.records()) == 4
    store.close()


def test_threads_may_set_up_the_same_store_at_once(path: Path) -> None:
    start = threading.Barrier(8)

    def set_up(n: int) -> None:
        start.wait()
        store = SQLiteStore(path)
        store.add_record(record(f"rec-{n:06}"))
        store.close()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(set_up, range(8)))
    store = SQLiteStore(path)
    assert len(store.records()) == 8
    store.close()


_FORK = """
import os, sys
from guardrail.store import SQLiteStore
from tests.support.records import record
store = SQLiteStore(sys.argv[1])
store.add_record(record("rec-parent"))
store._database._holding.acquire()  # as if another thread were opening its connection
child = os.fork()
if child == 0:
    store.add_record(record("rec-child1"))
    assert store._database._local.held.pid == os.getpid(), "the parent's connection was used"
    store.close()
    os._exit(0)  # as multiprocessing ends a forked child
store._database._holding.release()
assert os.waitpid(child, 0)[1] == 0
store.add_record(record("rec-after1"))
print(sorted(r.id for r in store.records()))
store.close()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_parent_and_child_of_a_fork_both_use_the_store(path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-W", "error", "-c", _FORK, path], capture_output=True, text=True, check=False
    )
    assert (told.stdout, told.stderr) == ("['rec-after1', 'rec-child1', 'rec-parent']\n", "")
