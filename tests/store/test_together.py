"""Changes that share a commit: each has its own result, one that fails undoes no other, and nobody waits for ever."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from guardrail.audit import verify
from guardrail.errors import NotFound, StoreError, StoreLocked
from guardrail.store import SQLiteStore
from guardrail.store.together import Together
from guardrail.types import AuditEntry
from tests.support.records import label, review

Work = Callable[[list[object]], object]


class Database:
    """Commits that can be held up, and fail."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.kept: list[object] = []
        self.go = threading.Event()
        self.begun = threading.Event()
        self.fails: BaseException | None = None

    def commit(self, works: Sequence[Work]) -> list[object]:
        self.begun.set()
        assert self.go.wait(10)
        if self.fails is not None:
            failure, self.fails = self.fails, None
            raise failure
        new = list(self.kept)
        results = [work(new) for work in works]
        self.kept = new
        self.batches.append(len(works))
        return results


def _add(value: object) -> Work:
    def work(kept: list[object]) -> int:
        if isinstance(value, Exception):
            raise value
        kept.append(value)
        return len(kept)

    return work


def _all_behind(together: Together[list[object]], database: Database, works: Sequence[Work]) -> list[object]:
    """What becomes of works that are asked for while the first is being committed: results, or exceptions."""

    def ask(work: Work) -> object:
        try:
            return together(work)
        except (Exception, KeyboardInterrupt) as error:
            return error

    with ThreadPoolExecutor(len(works)) as pool:
        found = [pool.submit(ask, works[0])]
        assert database.begun.wait(10)
        for work in works[1:]:
            before = len(together._waiting)
            found.append(pool.submit(ask, work))
            while len(together._waiting) == before:
                time.sleep(0.001)
        database.go.set()
        return [one.result(10) for one in found]


def test_those_who_ask_during_a_commit_share_the_next() -> None:
    database = Database()
    together = Together(database.commit)
    assert _all_behind(together, database, [_add(number) for number in range(10)]) == list(range(1, 11))
    assert database.batches == [1, 9]
    assert together(_add(10)) == 11


def test_one_that_fails_undoes_no_other() -> None:
    database = Database()
    together = Together(database.commit)
    first, second, third, fourth = _all_behind(
        together, database, [_add(1), _add(2), _add(NotFound("there is none")), _add(4)]
    )
    assert isinstance(third, NotFound)
    assert (first, second, fourth) == (1, 2, 3)
    assert database.kept == [1, 2, 4]


def test_where_a_commit_cannot_begin_all_are_told_so_at_once() -> None:
    database = Database()
    together = Together(database.commit)
    database.go.set()
    assert together(_add(0)) == 1
    database.go.clear()
    database.begun.clear()
    database.fails = StoreLocked("locked")
    said = _all_behind(together, database, [_add(1), _add(2), _add(3)])
    assert isinstance(said[0], StoreLocked)
    assert together(_add(4)) == 4
    assert database.kept == [0, 2, 3, 4]


def test_an_interrupt_of_the_one_that_commits_keeps_nobody_waiting() -> None:
    database = Database()
    together = Together(database.commit)
    database.fails = KeyboardInterrupt()
    first, *others = _all_behind(together, database, [_add(1), _add(2), _add(3)])
    assert isinstance(first, KeyboardInterrupt)
    assert others == [1, 2]


def test_others_in_an_interrupted_commit_are_told_to_look() -> None:
    database = Database()
    together = Together(database.commit)

    def interrupted(kept: list[object]) -> object:
        raise KeyboardInterrupt

    first, leader, other = _all_behind(together, database, [_add(1), interrupted, _add(3)])
    assert first == 1
    assert isinstance(leader, KeyboardInterrupt)
    assert isinstance(other, StoreError)
    assert "look before you try again" in str(other)
    assert together(_add(4)) == 2


def test_threads_of_a_store_each_get_their_own_answer(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "guardrail.db")
    names = [f"rev-{number:06}" for number in range(40)]

    def change(name: str) -> tuple[bool, bool, bool]:
        added = store.add_review(review(name)) == review(name)
        won = store.compare_and_set(replace(review(name), revision=1))
        lost = store.compare_and_set(replace(review(name), revision=1))
        with pytest.raises(NotFound):
            store.add_label("rec-that-is-not-there", label())
        return added, won, lost

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(change, names)) == {(True, True, False)}
    with store.audit_view() as view:
        entries: list[AuditEntry] = [*view.entries]
        assert len(entries) == 80
        assert verify(entries, bodies=view.bodies) == []
    store.close()
