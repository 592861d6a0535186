"""Of all workers on one store, one at a time has a thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from guardrail import open_store
from guardrail.store import Store
from guardrail_langgraph.worker_leases import Leases


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def leases(clock: Clock) -> Callable[[str], Leases]:
    store = open_store("memory://")
    return lambda by: Leases(store, by=by, seconds=60, clock=clock)


def test_a_thread_that_one_worker_has_is_not_given_to_another(leases: Callable[[str], Leases], clock: Clock) -> None:
    one, other = leases("one"), leases("other")
    assert one.take("t")
    assert other.take("t") is None
    assert other.take("u")
    clock.now += 59
    assert one.renew("t")
    clock.now += 59
    assert other.take("t") is None
    one.end("t")
    assert other.take("t")


def test_the_lease_of_a_worker_that_died_runs_out_and_says_what_was_begun(
    leases: Callable[[str], Leases], clock: Clock
) -> None:
    one, other = leases("one"), leases("other")
    one.take("t")
    one.renew("t", begun="app:app")
    one.renew("t")
    assert other.left() == []
    clock.now += 61
    assert other.left() == ["t"]
    taken = other.take("t")
    assert taken is not None
    assert taken.begun == "app:app"
    assert not one.renew("t")
    one.end("t")
    one.put_off("t", 0)
    assert leases("third").take("t") is None


def test_a_failure_is_counted_and_waits_its_turn(leases: Callable[[str], Leases], clock: Clock) -> None:
    one = leases("one")
    for failures in range(3):
        taken = one.take("t")
        assert taken is not None
        assert taken.failures == failures
        one.put_off("t", 10, failed=True)
        assert one.take("t") is None
        clock.now += 10


def test_what_is_given_back_leaves_nothing() -> None:
    store = open_store("memory://")
    leases = Leases(store, by="one")
    for number in range(100):
        leases.take(f"t{number}")
        leases.end(f"t{number}")
    texts = {store.state(f"worker leases {shard:02d}") for shard in range(16)}
    assert {state[1] for state in texts if state} == {"{}"}


def test_many_workers_at_once_share_the_threads_without_taking_one_twice(tmp_path: Path) -> None:
    names = [f"t{number}" for number in range(40)]
    taken: list[str] = []

    def work(store: Store, by: str) -> None:
        leases = Leases(store, by=by)
        taken.extend(name for name in names if leases.take(name))

    stores = [open_store(f"sqlite:///{tmp_path / 'g.db'}") for _ in range(4)]
    threads = [threading.Thread(target=work, args=(store, f"w{number}")) for number, store in enumerate(stores)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for store in stores:
        store.close()
    assert sorted(taken) == sorted(names)
