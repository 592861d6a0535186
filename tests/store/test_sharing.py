"""One file, several connections: of threads, of processes, of parent and child."""

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

from guardrail.errors import StoreLocked
from guardrail.store import SQLiteStore
from tests.support.records import record, review


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


def _count(path: Path, start: object) -> int:
    store = SQLiteStore(path)
    start.wait()
    won = 0
    while won < 20:
        revision, text = store.state("count")
        won += store.put_state("count", str(int(text) + 1), revision=revision)
    store.close()
    return won


def test_of_two_processes_that_change_a_state_none_undoes_what_the_other_wrote(path: Path) -> None:
    store = SQLiteStore(path)
    store.put_state("count", "0", revision=0)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(2, mp_context=spawn) as pool:
        start = manager.Barrier(2)
        assert [one.result() for one in [pool.submit(_count, path, start) for _ in range(2)]] == [20, 20]
    assert store.state("count") == (41, "40")
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
