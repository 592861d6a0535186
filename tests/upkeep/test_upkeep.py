"""The loop that keeps house: each thing in its time, whoever does it, whatever fails."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from guardrail.audit import SEAL
from guardrail.errors import StoreError
from guardrail.notify import Notifier
from guardrail.store import Store, open_store
from guardrail.types import ReviewState
from guardrail.upkeep import Task, Upkeep, upkeep_status
from guardrail.upkeep.loop import LEASE, Loop
from tests.notify.receiving import START, Clock, Recorded, configuration, opened, until
from tests.support import postgres
from tests.watching.promised import audit, promised


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    with postgres.running() as server:
        yield server


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    urls = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path / 'guardrail.db'}"}
    kept = open_store(urls.get(request.param) or request.getfixturevalue("server").fresh_url())
    yield kept
    kept.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


def seals(store: Store, tenant: str) -> int:
    return sum(entry.what == SEAL for entry in store.audit_entries(tenant=tenant, limit=5000))


def notes(keeping: Loop) -> dict[str, str]:
    return {done.name: done.note or done.error for done in keeping.once()}


def test_all_of_it_once(store: Store, clock: Clock) -> None:
    told = Recorded()
    telling = Notifier(store, configuration(), open=told, clock=clock)
    keeping = Upkeep(store, notifier=telling, clock=clock)
    late = opened(store, 1, due=(START + timedelta(seconds=10)).isoformat())
    waits = opened(store, 2, tenant="acme")
    assert notes(keeping) == {
        "deadlines": "",
        "stuck": "",
        "notify": "1 sent, 0 failed",
        "forget": "",
        "seal": "2 logs sealed",
    }
    clock.go(11)
    assert notes(keeping) == {"deadlines": "1 expired, 0 escalated", "stuck": "", "notify": "1 sent, 0 failed"}
    assert store.review(late).state is ReviewState.EXPIRED
    assert store.review(waits).state is ReviewState.PENDING
    assert told.told == [("opened", late), ("expired", late)]


def test_a_log_is_sealed_where_something_is_new_and_only_there(store: Store, clock: Clock) -> None:
    keeping = Upkeep(store, clock=clock, seal_every=100.0)
    opened(store, 1)
    opened(store, 2, tenant="acme")
    keeping.once()
    first = (seals(store, ""), seals(store, "acme"))
    assert first[0] > 0
    assert first[1] > 0
    for _ in range(3):
        clock.go(100)
        keeping.once()
    assert (seals(store, ""), seals(store, "acme")) == first
    opened(store, 3, tenant="acme")
    keeping.once()
    clock.go(100)
    keeping.once()
    assert seals(store, "") == first[0]
    assert seals(store, "acme") > first[1]


def test_what_is_done_alone_is_done_by_one_of_all_processes_in_its_time(store: Store, clock: Clock) -> None:
    ran: list[str] = []

    def loop(name: str) -> Loop:
        return Loop(store, [Task(name="t", every=100.0, run=lambda: ran.append(name) or "did it", alone=True)], clock)

    one, other = loop("one"), loop("other")
    one.once()
    other.once()
    clock.go(50)
    other.once()
    assert ran == ["one"]
    clock.go(50)
    other.once()
    one.once()
    assert ran == ["one", "other"]


def test_a_task_whose_process_died_is_taken_up_when_its_lease_has_run_out(store: Store, clock: Clock) -> None:
    class Died(BaseException):
        pass

    def die() -> str:
        raise Died

    with pytest.raises(Died):
        Loop(store, [Task(name="t", every=10.0, run=die, alone=True)], clock).once()
    ran: list[int] = []
    loop = Loop(store, [Task(name="t", every=10.0, run=lambda: ran.append(1) or "", alone=True)], clock)
    clock.go(LEASE - 1)
    loop.once()
    assert ran == []
    clock.go(2)
    loop.once()
    assert ran == [1]


def test_a_task_that_fails_is_logged_without_what_it_holds_and_stops_no_other(
    store: Store, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[int] = []

    def fail() -> str:
        raise RuntimeError("account-4711")

    tasks = [Task(name="bad", every=1.0, run=fail), Task(name="good", every=1.0, run=lambda: ran.append(1) or "fine")]
    loop = Loop(store, tasks, clock)
    with caplog.at_level(logging.WARNING):
        done = loop.once()
        loop.once()
    assert [(one.name, one.note, one.error) for one in done] == [
        ("bad", "", "it failed (RuntimeError)"),
        ("good", "fine", ""),
    ]
    assert ran == [1, 1]
    assert "bad failed: it failed (RuntimeError)" in caplog.text
    assert "4711" not in caplog.text
    (_, state) = _state(store, "bad")
    assert (state["failures"], state["error"], state["last"]) == (2, "it failed (RuntimeError)", clock().timestamp())


def _state(store: Store, name: str) -> tuple[int, dict[str, Any]]:
    revision, text = store.state(f"upkeep/{name}") or (0, "{}")
    return revision, json.loads(text)


def test_a_store_that_is_away_ends_nothing(clock: Clock, caplog: pytest.LogCaptureFixture) -> None:
    store = open_store("memory://")
    ran: list[int] = []
    loop = Loop(store, [Task(name="t", every=1.0, run=lambda: ran.append(1) or "", alone=True)], clock)
    real, store.state = store.state, _away  # type: ignore[method-assign]
    (done,) = loop.once()
    assert "is away" in done.error
    assert "upkeep: t was not done: it is away" in caplog.text
    store.state = real  # type: ignore[method-assign]
    loop.once()
    assert ran == [1]
    store.close()


def _away(_: str) -> None:
    raise StoreError("it is away")


def test_it_runs_in_a_thread_and_stops_at_once(store: Store) -> None:
    ran = threading.Event()
    loop = Loop(store, [Task(name="t", every=3600.0, run=lambda: ran.set() or "")], Clock())
    with loop.running():
        assert ran.wait(20)
    assert not any(thread.name == "guardrail-upkeep" for thread in threading.enumerate())
    loop.stop()


def test_a_stop_in_the_middle_begins_no_further_task(store: Store) -> None:
    second: list[int] = []
    tasks = [
        Task(name="first", every=1.0, run=lambda: loop.stop() or ""),
        Task(name="second", every=1.0, run=lambda: second.append(1) or ""),
    ]
    loop = Loop(store, tasks, Clock())
    loop.run()
    assert second == []


def test_a_task_comes_again_and_again(store: Store) -> None:
    ran: list[int] = []
    with Loop(store, [Task(name="t", every=0.01, run=lambda: ran.append(1) or "")], Clock()).running():
        until(lambda: len(ran) > 3)


def test_the_state_tells_what_was_done_and_is_not_written_all_the_time(store: Store, clock: Clock) -> None:
    said = ["did it", "", "", ""]
    loop = Loop(store, [Task(name="deadlines", every=1.0, run=lambda: said.pop(0))], clock)
    for _ in range(3):
        loop.once()
        clock.go(1)
    (state,) = upkeep_status(store)
    assert (state.name, state.note, state.last) == ("deadlines", "did it", START.timestamp())
    assert _state(store, "deadlines")[0] == 1
    clock.go(60)
    loop.once()
    (state,) = upkeep_status(store)
    assert (state.note, state.last) == ("did it", clock().timestamp())


def test_what_another_version_kept_is_no_obstacle(store: Store, clock: Clock) -> None:
    store.put_state("upkeep/t", '{"colour": "red"}', revision=0)
    ran: list[int] = []
    Loop(store, [Task(name="t", every=1.0, run=lambda: ran.append(1) or "", alone=True)], clock).once()
    assert ran == [1]


def test_what_is_settled_and_old_is_forgotten_and_what_is_owed_is_not(store: Store, clock: Clock) -> None:
    told = Recorded(failures=[RuntimeError()])
    telling = Notifier(store, configuration(), open=told, clock=clock)
    opened(store, 1)
    opened(store, 2)
    telling.look()
    clock.go(200)
    telling.look()
    keeping = Upkeep(store, clock=clock)
    assert "forget" in notes(keeping)
    assert len(store.notices()) == 2
    opened(store, 3)
    told.failures.append(RuntimeError())
    telling.look()
    clock.go(31 * 24 * 3600)
    assert notes(keeping)["forget"] == "2 notices forgotten"
    assert [one.subject for one in store.notices()] == ["review-0003"]


def test_deadlines_may_be_somebody_elses(store: Store, clock: Clock) -> None:
    late = opened(store, 1, due=(START - timedelta(seconds=1)).isoformat())
    Upkeep(store, clock=clock, sweep_every=None).once()
    assert store.review(late).state is ReviewState.PENDING


def test_promises_are_watched_and_the_alarm_is_told(clock: Clock) -> None:
    store, told, calibration = open_store("memory://"), Recorded(), promised()
    telling = Notifier(store, configuration(), open=told, clock=clock)
    keeping = Upkeep(store, notifier=telling, calibration=calibration, clock=clock)
    keeping.once()
    audit(store, calibration, "x" * 40)
    clock.go(60)
    keeping.once()
    assert sorted(told.told) == sorted(("alarm", one.id) for one in store.alarms())
    assert told.told
    store.close()
