"""What is kept of an assessed step, and that it is kept before anything runs."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail import Guard, open_store
from guardrail.errors import StoreError
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import DecisionType, Record, Route
from tests.engine.steps import GOOD, OTHER, in_order, pay, sample, step, tiers


def test_reviewers_may_answer_at_most_what_the_guard_can_carry_out() -> None:
    decisions = frozenset({DecisionType.APPROVE, DecisionType.REJECT})
    store = MemoryStore()
    guard = Guard(tiers("critical"), ScriptedSampler(in_order([GOOD] * 8)), store, decisions=decisions)
    assert set(guard.assess(step(pay(10))).verdicts[0].decisions) == decisions
    assert set(store.reviews()[0].decisions) == decisions


def test_a_step_is_measured_once_and_its_verdict_stands() -> None:
    store = MemoryStore()
    first = Guard(tiers("high"), ScriptedSampler(in_order([OTHER] * 8)), store).assess(step(pay(10)))
    sampler = ScriptedSampler(in_order([GOOD] * 8))
    again = Guard(tiers("high"), sampler, store).assess(step(pay(10)))
    assert again == first
    assert sampler.asked == []


@pytest.mark.parametrize(
    "change",
    [{"thread_id": "t2"}, {"id": "m2"}, {"attempt": 1}, {"request_digest": "x"}, {"planned": sample(pay(11))}],
)
def test_another_step_is_measured_anew(change: dict[str, Any]) -> None:
    store = MemoryStore()
    Guard(tiers("high"), ScriptedSampler(in_order([OTHER] * 8)), store).assess(step(pay(10)))
    sampler = ScriptedSampler(in_order([GOOD] * 8))
    Guard(tiers("high"), sampler, store).assess(step(**{"planned": sample(pay(10)), **change}))
    assert sampler.asked


def test_a_stricter_policy_measures_anew() -> None:
    store = MemoryStore()
    Guard(tiers("low"), ScriptedSampler(in_order([GOOD] * 3)), store).assess(step(pay(10)))
    verdict = Guard(tiers("critical"), ScriptedSampler(in_order([GOOD] * 8)), store).assess(step(pay(10)))
    assert verdict.route is Route.REVIEW


def test_the_review_is_pending_in_the_store_before_anyone_is_asked() -> None:
    store = open_store("memory://")
    verdict = Guard(tiers("critical"), ScriptedSampler(in_order([GOOD] * 8)), store).assess(step(pay(10)))
    (review,) = store.reviews()
    assert review.id == verdict.verdicts[0].review_id
    assert review.record_id == store.records()[0].id
    assert store.record(verdict.record_id).verdict == verdict


def test_a_store_that_fails_lets_nothing_run() -> None:
    class Full(MemoryStore):
        def add_record(self, record: Record) -> bool:
            raise StoreError("full")

    guard = Guard(tiers("high"), ScriptedSampler(in_order([GOOD] * 8)), Full())
    with pytest.raises(StoreError):
        guard.assess(step(pay(10)))
