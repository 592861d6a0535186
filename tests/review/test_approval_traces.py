"""The trace that every test of an agent leaves is one on which agentack finds what it should."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guardrail import Guard, Policy, Queue
from guardrail.review import review_id
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import PlanningStep, Review, Route, Sample, SampleBatch
from tests.engine.steps import pay, step
from tests.support.approval_trace import Ran, Tape, taped


class Trace:
    """A store that is taped, a guard over it, and what an agent does."""

    def __init__(self, tape: Tape) -> None:
        self.tape, self.store = tape, MemoryStore()
        self.queue = Queue(self.store)

    def plan(self, amount: int, *, tier: str = "critical", thread: str = "t1", identity: str = "m1") -> Any:
        sampler = ScriptedSampler(lambda one, n: SampleBatch(samples=(Sample(calls=one.planned.calls),) * n))
        guard = Guard(Policy.parse({"default": {"tier": tier}}), sampler, self.store)
        one: PlanningStep = step(pay(amount, identity=f"{identity}-{amount}"), id=identity, thread_id=thread)
        return guard.assess(one).verdicts[0]

    def asked(self, amount: int, **more: Any) -> Review:
        return self.store.review(self.plan(amount, **more).review_id)

    def runs(self, amount: int, key: str = "") -> None:
        self.tape.add(Ran(name="pay", arguments={"amount": amount}, key=key))

    @property
    def broken(self) -> list[str]:
        return sorted({one.rule_id for one in self.tape.broken()})


@pytest.fixture
def trace() -> Iterator[Trace]:
    with taped() as tape:
        yield Trace(tape)


def test_an_approved_call_that_runs_once_breaks_nothing(trace: Trace) -> None:
    review = trace.asked(10)
    trace.queue.approve(review.id, by="ada")
    trace.queue.begin(review.id, digest=review.digest, by="x")
    trace.runs(10, key=review.id)
    trace.queue.finish(review.id, by="x")
    kinds = [event.type for event in trace.tape.events()]
    assert kinds == [
        "action_proposed", "approval_requested", "approval_decision", "action_executed", "session_end",
    ]  # fmt: skip
    assert trace.broken == []


def test_a_call_that_the_guard_let_run_needs_no_approval(trace: Trace) -> None:
    assert trace.plan(10, tier="high").route is Route.EXECUTE
    trace.runs(10)
    assert trace.broken == []


def test_an_edited_call_breaks_nothing_and_the_planned_one_would(trace: Trace) -> None:
    review = trace.asked(10)
    trace.queue.edit(review.id, by="ada", arguments={"amount": 5})
    trace.runs(5, key=review.id)
    assert trace.broken == []
    trace.runs(10, key=review.id)
    assert "ACK003" in trace.broken


def test_what_nobody_decided_on_is_found(trace: Trace) -> None:
    review = trace.asked(10)
    trace.runs(10, key=review.id)
    assert trace.broken == ["ACK001"]


def test_what_the_guard_never_saw_is_found(trace: Trace) -> None:
    trace.runs(10)
    assert trace.broken == ["ACK001"]


def test_what_was_refused_and_ran_is_found(trace: Trace) -> None:
    review = trace.asked(10)
    trace.queue.reject(review.id, by="ada")
    trace.runs(10, key=review.id)
    assert trace.broken == ["ACK001"]


def test_another_call_than_the_approved_one_is_found(trace: Trace) -> None:
    review = trace.asked(10)
    trace.queue.approve(review.id, by="ada")
    trace.runs(11, key=review.id)
    assert trace.broken == ["ACK003"]


def test_an_approval_that_is_used_twice_is_found(trace: Trace) -> None:
    review = trace.asked(10)
    trace.queue.approve(review.id, by="ada")
    trace.runs(10, key=review.id)
    trace.runs(10, key=review.id)
    assert trace.broken == ["ACK004"]


def test_a_refusal_that_is_got_around_is_found(trace: Trace) -> None:
    review = trace.asked(10)
    trace.queue.reject(review.id, by="ada")
    other = MemoryStore()  # one that knows nothing of the refusal
    trace.store, trace.queue = other, Queue(other)
    trace.plan(10, tier="high", identity="m2")
    trace.runs(10)
    assert trace.broken == ["ACK007"]


def test_what_was_called_off_and_ran_is_found(trace: Trace) -> None:
    review = trace.asked(10)
    trace.queue.approve(review.id, by="ada")
    trace.queue.supersede(review.id, by="x", note="a new message")
    assert trace.broken == []
    trace.runs(10, key=review.id)
    assert trace.broken == ["ACK008"]


def test_an_approval_that_is_used_too_late_is_found(trace: Trace) -> None:
    timeout = {"after": "1h", "use": "10m"}
    policy = Policy.parse({"tools": [{"match": "pay", "tier": "critical", "timeout": timeout}]})
    guard = Guard(policy, ScriptedSampler(lambda _, n: SampleBatch(samples=())), trace.store)
    review = trace.store.review(guard.assess(step(pay(10))).verdicts[0].review_id)
    trace.queue.approve(review.id, by="ada")
    at = datetime.now(UTC)
    trace.tape.add(Ran(name="pay", arguments={"amount": 10}, key=review.id, at=at + timedelta(minutes=9)))
    assert trace.broken == []
    trace.tape.written.pop()
    trace.tape.add(Ran(name="pay", arguments={"amount": 10}, key=review.id, at=at + timedelta(minutes=11)))
    assert trace.broken == ["ACK005"]


def test_two_threads_do_not_answer_for_each_other(trace: Trace) -> None:
    first, second = trace.asked(10, thread="t1"), trace.asked(10, thread="t2")
    assert first.id != second.id != review_id(thread_id="", namespace="", step_id="", call_id="", attempt=0)
    trace.queue.approve(first.id, by="ada")
    trace.queue.reject(second.id, by="ada")
    trace.runs(10, key=first.id)
    assert trace.broken == []
    trace.runs(10, key=second.id)
    assert trace.broken == ["ACK001"]
