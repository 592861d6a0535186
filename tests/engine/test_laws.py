"""Laws of the flow, whatever is drawn: stopping early, stakes, order."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.types import Route, Sample
from tests.engine.steps import BROKEN, GOOD, OTHER, decide, pay, sample, step, tiers

POOL = [GOOD, OTHER, BROKEN, sample(), sample(pay(10), pay(10, identity="c9")), sample(pay(10, "a memo"))]


STEPS = {
    "drawn": st.lists(st.sampled_from(POOL), min_size=8, max_size=8),
    "tier": st.sampled_from(["low", "medium", "high"]),
    "attempt": st.sampled_from([0, 1]),
    "second": st.booleans(),
}


def early_is_full(drawn: list[Sample], tier: str, attempt: int, second: bool) -> None:
    calls = (pay(10), pay(20, identity="c2")) if second else (pay(10),)
    one = step(*calls, attempt=attempt)
    early = decide(tiers(tier), drawn, one, curtail=True)
    full = decide(tiers(tier), drawn, one, curtail=False)
    assert early.route is full.route
    assert [v.route for v in early.verdicts] == [v.route for v in full.verdicts]
    assert early.drawn <= full.drawn


@given(**STEPS)
@settings(max_examples=200, deadline=None)
def test_stopping_early_never_changes_a_route(drawn: list[Sample], tier: str, attempt: int, second: bool) -> None:
    early_is_full(drawn, tier, attempt, second)


@pytest.mark.slow
@given(**STEPS)
@settings(max_examples=5000, deadline=None)
def test_stopping_early_never_changes_a_route_at_length(
    drawn: list[Sample], tier: str, attempt: int, second: bool
) -> None:
    early_is_full(drawn, tier, attempt, second)


@given(drawn=st.lists(st.sampled_from(POOL), min_size=8, max_size=8))
@settings(max_examples=100, deadline=None)
def test_higher_stakes_never_execute_what_lower_ones_do_not(drawn: list[Sample]) -> None:
    same = {name: {"samples": 8} for name in ("low", "medium", "high")}
    routes = [
        decide(tiers(tier, tiers=same), drawn, curtail=False).route for tier in ("low", "medium", "high", "critical")
    ]
    executed = [route is Route.EXECUTE for route in routes]
    assert executed == sorted(executed, reverse=True)
    assert not executed[-1]


@given(drawn=st.lists(st.sampled_from(POOL), min_size=8, max_size=8), seed=st.integers(0, 999))
@settings(max_examples=100, deadline=None)
def test_the_order_of_samples_changes_nothing(drawn: list[Sample], seed: int) -> None:
    shuffled = random.Random(seed).sample(drawn, len(drawn))
    a, b = (decide(tiers("high"), order, curtail=False) for order in (drawn, shuffled))
    assert a.route is b.route
    assert [s.value for v in a.verdicts for s in v.signals] == pytest.approx(
        [s.value for v in b.verdicts for s in v.signals]
    )
