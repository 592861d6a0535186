"""Killed at every transition, on every store: a tool runs at most once, and nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from guardrail import Queue, open_store
from guardrail.types import ReviewState
from tests.langgraph.crash.machine import LEASE, Machine

KILLED = -9
FAULTS = {
    "start": ["before pending", "after pending"],
    "decide": ["before decided", "after decided"],
    "work": [
        "before executing",
        "after executing",
        "before the tool",
        "after the tool",
        "before done",
        "after done",
        "before the agent goes on",
    ],
}
NOBODY_KNOWS = {"after executing", "before the tool", "after the tool", "before done"}


def let_leases_run_out() -> None:
    time.sleep(1.2 * LEASE)


def kill_everywhere(machine: Machine, rounds: range) -> dict[str, str]:
    """One thread for each fault and round, its process killed there once; which thread met which fault."""
    met = {}
    for number in rounds:
        for command, points in FAULTS.items():
            for point in points:
                thread = f"{point.replace(' ', '-')}-{number}"
                met[thread] = point
                machine.run("start", thread, fault=point, code=KILLED if command == "start" else 0)
                if command == "start":
                    machine.run("again", thread)  # in time: an agent that does not come back is given up in a minute
                elif command == "decide":
                    machine.run("decide", fault=point, code=KILLED)
                else:
                    machine.run("decide")
                    machine.work("--concurrency", "1", fault=point, code=KILLED)
    return met


def recover(machine: Machine, threads: list[str]) -> None:
    """What happens after a crash anyway: agents are started again, people decide, workers run."""
    machine.run("again", *threads)
    machine.run("decide")
    let_leases_run_out()
    machine.work("--concurrency", "2")


def check(machine: Machine, met: dict[str, str]) -> None:
    reviews = {review.thread_id: review for review in machine.reviews()}
    assert set(reviews) == set(met)
    for thread, review in reviews.items():
        runs = machine.ran[review.id]
        assert runs <= 1, (thread, machine.log)
        assert review.state in (ReviewState.DONE, ReviewState.EXECUTING), (thread, review.state, machine.log)
        assert runs == 1 or review.state is ReviewState.EXECUTING, thread
    left = [review for review in reviews.values() if review.state is ReviewState.EXECUTING]
    assert len(left) == sum(point in NOBODY_KNOWS for point in met.values())
    assert machine.ran.total() == len(machine.ran)
    assert set(machine.ran) <= {review.id for review in reviews.values()}


def look_and_close(machine: Machine) -> None:
    """What a person does about calls of which nobody knows: look at what they did, and say so."""
    store = open_store(machine.url)
    queue = Queue(store)
    for review in queue.in_states(frozenset({ReviewState.EXECUTING})):
        if machine.ran[review.id]:
            queue.finish(review.id, by="ada", note="it is in the book")
        else:
            queue.unknown(review.id, by="ada", note="it is not in the book")
    store.close()
    let_leases_run_out()


def crash_and_check(machine: Machine, rounds: range) -> None:
    met = kill_everywhere(machine, rounds)
    recover(machine, list(met))
    check(machine, met)
    before = machine.ran
    machine.run("again", *met)  # somebody starts everything again, also what waits for a person
    let_leases_run_out()
    machine.work()
    check(machine, met)
    look_and_close(machine)
    machine.work()
    assert machine.ran == before
    assert "amount" not in machine.log
    assert unfinished(machine, met) == []


def unfinished(machine: Machine, threads: dict[str, str]) -> list[str]:
    from langgraph.checkpoint.sqlite import SqliteSaver

    with SqliteSaver.from_conn_string(str(machine.folder / "checkpoints.db")) as saver:
        last = {
            one: saver.get({"configurable": {"thread_id": one}})["channel_values"]["messages"][-1] for one in threads
        }
    return [thread for thread, message in last.items() if message.content != "done"]


def test_killed_at_every_transition_a_tool_runs_at_most_once_and_nothing_is_lost(tmp_path: Path, url: str) -> None:
    with Machine(tmp_path, url) as machine:
        crash_and_check(machine, range(2))


def test_so_it_does_where_people_are_asked_as_the_tool_starts(tmp_path: Path) -> None:
    with Machine(tmp_path, f"sqlite:///{tmp_path / 'guardrail.db'}", releases=True) as machine:
        crash_and_check(machine, range(1))


@pytest.mark.slow
@pytest.mark.parametrize("batch", range(4))
def test_killed_two_hundred_times(tmp_path: Path, url: str, batch: int) -> None:
    with Machine(tmp_path, url) as machine:
        crash_and_check(machine, range(5))
