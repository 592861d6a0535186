"""What was spent, by model: in a thread, since a moment, or ever. Each backend runs all of it."""

from __future__ import annotations

import functools
import multiprocessing
import operator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.errors import StoreError
from guardrail.store import SQLiteStore, Store, open_store
from guardrail.store.sqlite import _conditional
from guardrail.types import Spending, Usage
from tests.support.records import record

AT = "2026-01-02T03:04:05+00:00"


def spending(
    prompt: int | None = 100,
    completion: int | None = 10,
    *,
    at: str = AT,
    thread_id: str = "t1",
    model: str = "mini",
    requests: int = 1,
    seconds: float = 0.5,
) -> Spending:
    usage = Usage(requests=requests, prompt_tokens=prompt, completion_tokens=completion, seconds=seconds)
    return Spending(at=at, thread_id=thread_id, model=model, usage=usage)


def test_nothing_is_spent_at_first(store: Store) -> None:
    assert store.spent() == store.spent(thread_id="t1") == store.spent(since=AT) == {}


def test_entries_add_up_by_model(store: Store) -> None:
    for entry in (spending(), spending(20, 5, requests=2), spending(7, 0, model="maxi", thread_id="t2")):
        store.spend(entry)
    assert store.spent() == {
        "mini": Usage(requests=3, prompt_tokens=120, completion_tokens=15, seconds=1.0),
        "maxi": Usage(requests=1, prompt_tokens=7, completion_tokens=0, seconds=0.5),
    }


def test_a_thread_has_its_own_sum(store: Store) -> None:
    store.spend(spending(1))
    store.spend(spending(2, thread_id="t2"))
    store.spend(spending(4, thread_id=""))
    assert {name: store.spent(thread_id=name)["mini"].prompt_tokens for name in ("t1", "t2", "")} == {
        "t1": 1,
        "t2": 2,
        "": 4,
    }
    assert store.spent(thread_id="t") == {}


def test_a_sum_begins_at_a_moment_which_is_included_whatever_notation_it_has(store: Store) -> None:
    for prompt, at in (
        (1, "2026-01-01T23:59:59.999999Z"),
        (2, "2026-01-02T00:00:00Z"),
        (4, "2026-01-02T00:30:00+00:00"),
        (8, "2026-01-02T00:59:59+01:00"),
    ):
        store.spend(spending(prompt, at=at))
    for since in ("2026-01-02", "2026-01-02T00:00:00+00:00", "2026-01-02T01:00:00+01:00"):
        assert store.spent(since=since)["mini"].prompt_tokens == 6
    assert store.spent(since="2026-01-02T00:00:00.000001Z")["mini"].prompt_tokens == 4
    assert store.spent(thread_id="t1", since="2026-01-02")["mini"].prompt_tokens == 6
    assert store.spent(thread_id="t2", since="2026-01-02") == {}
    assert store.spent(since="2026-01-03") == {}


def test_the_same_entry_twice_is_spent_twice(store: Store) -> None:
    store.spend(spending())
    store.spend(spending())
    assert store.spent()["mini"].requests == 2


def test_one_count_that_nobody_reported_leaves_the_sum_unknown(store: Store) -> None:
    store.spend(spending(100, 10))
    store.spend(spending(None, 10))
    store.spend(spending(100, None, model="maxi"))
    assert store.spent() == {
        "mini": Usage(requests=2, prompt_tokens=None, completion_tokens=20, seconds=1.0),
        "maxi": Usage(requests=1, prompt_tokens=100, completion_tokens=None, seconds=0.5),
    }


def test_where_nothing_was_requested_nothing_is_unknown(store: Store) -> None:
    store.spend(spending(None, None, requests=0))
    assert store.spent() == {"mini": Usage(seconds=0.5)}
    store.spend(spending(5, 6))
    assert store.spent() == {"mini": Usage(requests=1, prompt_tokens=5, completion_tokens=6, seconds=1.0)}


@pytest.mark.parametrize("count", [-1, -(2**70), 10**12 + 1, 2**70])
def test_a_count_that_cannot_be_one_is_unknown(store: Store, count: int) -> None:
    store.spend(spending(100))
    store.spend(spending(count))
    assert store.spent()["mini"].prompt_tokens is None
    assert store.spent()["mini"].completion_tokens == 20


def test_great_sums_are_exact(store: Store) -> None:
    for _ in range(3):
        store.spend(spending(10**12, 10**12 - 1))
    assert store.spent()["mini"].prompt_tokens == 3 * 10**12
    assert store.spent()["mini"].completion_tokens == 3 * 10**12 - 3


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"at": "yesterday"}, "ISO 8601"),
        ({"at": ""}, "ISO 8601"),
        ({"requests": -1}, "-1 requests"),
        ({"requests": 2**70}, "requests"),
        ({"seconds": -0.1}, "-0.1 seconds"),
        ({"seconds": float("nan")}, "nan seconds"),
        ({"seconds": float("inf")}, "inf seconds"),
    ],
    ids=str,
)
def test_what_cannot_be_entered_is_refused(store: Store, bad: dict[str, Any], says: str) -> None:
    with pytest.raises(StoreError, match=says):
        store.spend(spending(**bad))
    assert store.spent() == {}


def test_a_sum_since_no_moment_is_refused(store: Store) -> None:
    store.spend(spending())
    with pytest.raises(StoreError, match="ISO 8601"):
        store.spent(since="this morning")


@pytest.mark.parametrize("name", ["' OR 1=1 --", "x'); DROP TABLE spendings; --", "%", "a\x00b", "cut \ud83d", "é", ""])
def test_hostile_names_are_data(store: Store, name: str) -> None:
    store.spend(spending())
    store.spend(spending(thread_id=name, model=name))
    assert list(store.spent(thread_id=name)) == [name]
    assert set(store.spent()) == {"mini", name}


def test_threads_add_at_once_and_nothing_is_lost(store: Store) -> None:
    def work(n: int) -> None:
        for _ in range(10):
            store.spend(spending(thread_id=f"t{n % 2}"))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert store.spent()["mini"] == Usage(requests=80, prompt_tokens=8000, completion_tokens=800, seconds=40.0)
    assert store.spent(thread_id="t1")["mini"].requests == 40


_COUNTS = st.none() | st.integers(-2, 10**6)
_ENTRIES = st.lists(
    st.builds(
        spending,
        _COUNTS,
        _COUNTS,
        at=st.sampled_from(["2026-01-01T10:00:00Z", "2026-01-02T00:00:00Z", AT]),
        thread_id=st.sampled_from(["a", "b"]),
        model=st.sampled_from(["mini", "maxi"]),
        requests=st.integers(0, 2),
        seconds=st.sampled_from([0.0, 0.25, 4.0]),
    ),
    max_size=8,
)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(entries=_ENTRIES, thread_id=st.sampled_from([None, "a", "b"]), since=st.sampled_from([None, "2026-01-02"]))
def test_a_sum_in_the_store_is_the_sum_of_the_entries(
    tmp_path_factory: pytest.TempPathFactory,
    entries: list[Spending],
    thread_id: str | None,
    since: str | None,
) -> None:
    for url in ("memory://", f"sqlite:///{tmp_path_factory.mktemp('ledger') / 'guardrail.db'}"):
        store = open_store(url)
        expected: dict[str, list[Usage]] = {}
        for entry in entries:
            store.spend(entry)
            if thread_id in (None, entry.thread_id) and (since is None or entry.at >= since):
                prompt, completion = (
                    None if count is None or count < 0 else count
                    for count in (entry.usage.prompt_tokens, entry.usage.completion_tokens)
                )
                kept = Usage(
                    requests=entry.usage.requests,
                    prompt_tokens=prompt,
                    completion_tokens=completion,
                    seconds=entry.usage.seconds,
                )
                expected.setdefault(entry.model, []).append(kept)
        found = store.spent(thread_id=thread_id, since=since)
        store.close()
        assert found == {model: functools.reduce(operator.add, usages) for model, usages in expected.items()}


def test_a_closed_store_enters_and_sums_nothing(store: Store) -> None:
    store.close()
    for use in (lambda: store.spend(spending()), store.spent):
        with pytest.raises(StoreError, match="closed"):
            use()


def test_the_ledger_outlives_the_process(path: Path) -> None:
    store = SQLiteStore(path)
    store.spend(spending())
    store.close()
    again = SQLiteStore(path)
    again.spend(spending(5, model="maxi"))
    assert {model: usage.prompt_tokens for model, usage in again.spent().items()} == {"mini": 100, "maxi": 5}
    again.close()


def test_an_entry_is_synced_to_the_disk_before_the_next_request_is_sent(path: Path) -> None:
    store = SQLiteStore(path)
    store.add_record(record())
    store.spend(spending())
    with store._database.read() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    store.close()


def _spend(path: Path, start: Any, thread_id: str) -> None:
    store = SQLiteStore(path)
    start.wait()
    for _ in range(25):
        store.spend(spending(thread_id=thread_id))
    store.close()


def test_processes_add_at_once_and_nothing_is_lost(path: Path) -> None:
    store = SQLiteStore(path)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Manager() as manager, ProcessPoolExecutor(2, mp_context=spawn) as pool:
        start = manager.Barrier(2)
        for done in [pool.submit(_spend, path, start, name) for name in ("t1", "t2")]:
            done.result()
    assert store.spent()["mini"] == Usage(requests=50, prompt_tokens=5000, completion_tokens=500, seconds=25.0)
    assert store.spent(thread_id="t2")["mini"].requests == 25
    store.close()


@pytest.mark.parametrize(
    ("asked", "index"),
    [({"thread_id": "t1"}, "by_thread"), ({"since": AT}, "by_time"), ({"thread_id": "t1", "since": AT}, "by_thread")],
    ids=str,
)
def test_sums_read_an_index_and_never_the_table(path: Path, asked: dict[str, str], index: str) -> None:
    store = SQLiteStore(path)
    with store._database.read() as connection:
        query, given_values = _conditional("spent", dict(asked))
        plan = " ".join(str(row[-1]) for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", given_values))
    assert f"SEARCH spendings USING COVERING INDEX spendings_{index}" in plan
    store.close()


def test_a_hundred_thousand_entries_are_summed_in_the_database(path: Path) -> None:
    store = SQLiteStore(path)
    entries = [(AT, f"t{n % 100}", ("mini", "maxi")[n % 2], 1, n, None if n == 7 else 1, 0.5) for n in range(100_000)]
    with store._database.write() as connection:
        connection.executemany(
            "INSERT INTO spendings (at, thread_id, model, requests, prompt_tokens, completion_tokens, seconds) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            entries,
        )
    found = store.spent(since="2026-01-02")
    assert found["mini"] == Usage(
        requests=50_000, prompt_tokens=sum(range(0, 100_000, 2)), completion_tokens=50_000, seconds=25_000.0
    )
    assert found["maxi"].completion_tokens is None
    assert store.spent(thread_id="t8")["mini"].requests == 1000
    store.close()
