"""Waiting for a change, in this process and for another, with threads and in an event loop. Every store does so."""

from __future__ import annotations

import asyncio
import inspect
import subprocess
import sys
import threading
import time
from dataclasses import replace

import pytest

from guardrail import audit
from guardrail.errors import NotFound
from guardrail.store import AsyncStore, Store, open_store
from guardrail.types import ReviewFilter
from tests.support.records import label, record, review


def test_the_mark_grows_with_what_is_decided_and_with_nothing_else(store: Store) -> None:
    marks = [store.change_mark()]
    for change in (
        lambda: store.add_review(review()),
        lambda: store.compare_and_set(replace(review(), revision=1)),
        lambda: store.add_record(record(labels=(label(),))),
        lambda: store.add_review(replace(review("rev-000002"), tenant="other")),
        lambda: store.note(audit.draft(what="policy.adopted", subject="p", body="", by="ana", at="2026-01-01")),
    ):
        change()
        marks.append(store.change_mark())
    assert marks == [0, 1, 2, 3, 4, 5]
    store.compare_and_set(replace(review(), revision=1))
    store.add_review(review())
    assert store.change_mark() == 5


def test_where_nothing_changes_the_wait_ends_in_time(store: Store) -> None:
    store.add_review(review())
    start = time.monotonic()
    assert store.wait_for_change(0.1) is False
    assert store.wait_for_change(0) is False
    assert time.monotonic() - start >= 0.1


def test_what_changed_since_the_mark_is_not_missed(store: Store) -> None:
    mark = store.change_mark()
    store.add_review(review())
    assert store.wait_for_change(0, since=mark) is True
    assert store.wait_for_change(0, since=mark + 1) is False


def test_all_who_wait_are_told_of_a_change_in_another_thread(store: Store) -> None:
    mark = store.change_mark()
    told: list[bool] = []
    waiting = [threading.Thread(target=lambda: told.append(store.wait_for_change(30, since=mark))) for _ in range(3)]
    for thread in waiting:
        thread.start()
    time.sleep(0.1)
    store.add_review(review())
    for thread in waiting:
        thread.join()
    assert told == [True] * 3


_OTHER = """
import sys
from guardrail.store import open_store
from tests.support.records import review
sys.stdin.readline()
store = open_store(sys.argv[1])
store.add_review(review())
store.close()
"""


def test_a_change_in_another_process_is_seen(store: Store, url: str) -> None:
    if url == "memory://":
        pytest.skip("no other process sees this store")
    with subprocess.Popen([sys.executable, "-c", _OTHER, url], stdin=subprocess.PIPE, text=True) as process:
        mark = store.change_mark()
        process.stdin.write("\n")
        process.stdin.flush()
        assert store.wait_for_change(30, since=mark) is True
    assert store.review("rev-000001") == review()


def test_a_decision_on_one_store_wakes_who_waits_on_another(store: Store, url: str) -> None:
    if url == "memory://":
        pytest.skip("each is another one")
    other = open_store(url)
    for revision in range(1, 4):  # the second and third time, whoever listens is listening already
        mark = store.change_mark()
        late = threading.Timer(0.1, lambda n=revision: other.add_review(review(f"rev-{n:06}")))
        late.start()
        assert store.wait_for_change(30, since=mark) is True
        late.join()
    other.close()


async def test_the_async_store_does_what_the_store_does(store: Store) -> None:
    kept = AsyncStore(store, threads=4)
    assert await kept.add_record(record()) is True
    assert await kept.add_label("rec-000001", label()) == record(labels=(label(),))
    added = await asyncio.gather(*(kept.add_review(review(f"rev-{n:06}")) for n in range(12)))
    assert [one.id for one in added] == [f"rev-{n:06}" for n in range(12)]
    won = await asyncio.gather(*(kept.compare_and_set(replace(review("rev-000001"), revision=1)) for _ in range(6)))
    assert won.count(True) == 1
    assert len((await kept.find_reviews(ReviewFilter(), limit=5)).reviews) == 5
    assert await kept.put_state("x", "y", revision=0) is True
    assert await kept.state("x") == (1, "y")
    with pytest.raises(NotFound):
        await kept.review("rev-nowhere")
    assert await kept.with_audit_view(lambda view: audit.verify(view.entries, bodies=view.bodies)) == []
    assert sum(head.number for head in await kept.audit_heads()) == await kept.change_mark() == 14
    await kept.close()


async def test_those_who_wait_in_a_loop_keep_nobody_from_working(store: Store) -> None:
    kept = AsyncStore(store, threads=2)
    mark = await kept.change_mark()
    waiting = [asyncio.create_task(kept.wait_for_change(30, since=mark)) for _ in range(20)]
    await asyncio.sleep(0.05)
    assert await kept.wait_for_change(0.05) is False
    await kept.add_review(review())
    assert await asyncio.gather(*waiting) == [True] * 20
    await kept.close()


def test_each_method_has_its_twin() -> None:
    for name, method in inspect.getmembers(Store, inspect.isfunction):
        if name.startswith("_") or name == "audit_view":  # the twin of that one is with_audit_view
            continue
        twin = getattr(AsyncStore, name)
        assert inspect.iscoroutinefunction(twin)
        assert inspect.signature(twin) == inspect.signature(method), name
