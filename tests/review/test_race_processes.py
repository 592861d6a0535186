"""32 reviewers in two processes decide on one item: one wins, and 31 hear who did."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterator
from pathlib import Path

import pytest

from guardrail import open_store
from guardrail.review import Queue
from guardrail.types import ReviewState
from tests.review.racing import race
from tests.support.postgres import running
from tests.support.records import review

PEOPLE = [f"person {'x' * (n % 2)}{n:02}" for n in range(32)]


@pytest.fixture(scope="module")
def server() -> Iterator[object]:
    with running() as found:
        yield found


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'guardrail.db'}"
    return request.getfixturevalue("server").fresh_url()


@pytest.mark.parametrize("rounds", [20, pytest.param(1000, marks=pytest.mark.slow)])
def test_one_wins_and_31_hear_of_it(url: str, rounds: int) -> None:
    store = open_store(url)
    queue = Queue(store)
    ids = [f"rev-race-{n:04}" for n in range(rounds)]
    for identity in ids:
        queue.open(review(identity, record_id=""))
    spawn = multiprocessing.get_context("spawn")
    barrier, results = spawn.Barrier(len(PEOPLE)), spawn.Queue()
    processes = [
        spawn.Process(target=race, args=(url, ids, people, barrier, results), daemon=True)
        for people in (PEOPLE[:16], PEOPLE[16:])
    ]
    for process in processes:
        process.start()
    by_person = [one for _ in processes for one in results.get(timeout=550)]
    for process in processes:
        process.join(60)
    for identity, said in zip(ids, zip(*by_person, strict=True), strict=True):
        assert sorted(said) == ["conflict"] * 31 + ["won"]
        decided = queue.get(identity)
        assert (decided.state, decided.revision, len(decided.history)) == (ReviewState.DECIDED, 1, 1)
    store.close()
