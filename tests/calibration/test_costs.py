"""The cost view: closed forms, and what simulation gives."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from guardrail.calibration.calls import calls_of
from guardrail.calibration.costs import (
    EVERYTHING,
    Costs,
    CostView,
    Retries,
    bayes,
    cost_view,
    measured_retries,
)
from guardrail.errors import ConfigError
from guardrail.types import LabelledCall, Route, Tier

PRICES = st.floats(0.01, 1e4)
SHARES = st.floats(0, 1)


@st.composite
def costs(draw: st.DrawFn) -> Costs:
    wrong, review = draw(PRICES), draw(PRICES)
    if draw(st.booleans()):
        return Costs(wrong=wrong, review=review)
    low, high = sorted((draw(SHARES), draw(SHARES)))
    retries = Retries(settled_at_0=high, settled_at_1=low, wrong=draw(SHARES))
    return Costs(wrong=wrong, review=review, retry=draw(st.floats(0, 100)), retries=retries)


def test_without_retries_the_threshold_is_the_price_of_a_review_over_that_of_a_wrong_call() -> None:
    found = bayes(Costs(wrong=100, review=2))
    assert (found.execute_below, found.retry_below) == (pytest.approx(0.02), None)
    assert [found.route(risk) for risk in (0.0, 0.0199, 0.0201, 1.0)] == [
        Route.EXECUTE,
        Route.EXECUTE,
        Route.REVIEW,
        Route.REVIEW,
    ]


def test_where_a_review_costs_more_than_a_wrong_call_everything_runs() -> None:
    assert bayes(Costs(wrong=1, review=2)).execute_below == EVERYTHING
    assert bayes(Costs(wrong=1, review=2)).route(1.0) is Route.EXECUTE


def test_three_ways_where_retries_settle_doubts() -> None:
    # execute = 100 r; retry = 0.1 + 2 (1 - 0.8 (1 - r)) = 0.5 + 1.6 r; review = 2
    found = bayes(Costs(wrong=100, review=2, retry=0.1, retries=Retries(settled_at_0=0.8, settled_at_1=0.0)))
    assert found.execute_below == pytest.approx(0.5 / 98.4)
    assert found.retry_below == pytest.approx(1.5 / 1.6)


def test_a_retry_that_settles_nothing_or_costs_more_than_a_review_is_never_made() -> None:
    for retry, settled, wrong in ((0.1, 0.0, 0.0), (2.5, 1.0, 0.0), (0.1, 1.0, 0.05)):
        retries = Retries(settled_at_0=settled, settled_at_1=settled, wrong=wrong)
        found = bayes(Costs(wrong=100, review=2, retry=retry, retries=retries))
        assert (found.execute_below, found.retry_below) == (pytest.approx(0.02), None)


@given(costs(), SHARES)
def test_the_route_of_bayes_is_the_cheapest_at_every_risk(prices: Costs, risk: float) -> None:
    chosen = prices.of(bayes(prices).route(risk), risk)
    least = min(prices.of(route, risk) for route in Route)
    assert chosen <= least * (1 + 1e-9) + 1e-9


@given(costs(), st.floats(1.1, 10))
def test_the_dearer_a_wrong_call_the_fewer_run(prices: Costs, more: float) -> None:
    dearer = Costs(wrong=prices.wrong * more, review=prices.review, retry=prices.retry, retries=prices.retries)
    if prices.retries is None or prices.retries.wrong == 0:
        assert bayes(dearer).execute_below <= bayes(prices).execute_below


def world(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Calls whose risk is exactly how often they are wrong."""
    rng = np.random.default_rng(seed)
    risk = rng.beta(0.6, 3.0, size=n)
    return risk, rng.random(n) < risk


def view(n: int = 2000, seed: int = 1, *, promised: float | None = 0.1, **prices: float) -> CostView:
    return cost_view(*world(n, seed), Costs(**{"wrong": 20, "review": 2, **prices}), promised=promised)


def test_a_curve_by_hand() -> None:
    found = cost_view([0.1, 0.2, 0.2, 0.9], [False, False, True, True], Costs(wrong=10, review=1), promised=0.2)
    assert [point.execute_below for point in found.curve] == [0.0, 0.1, 0.2, 0.9, EVERYTHING]
    assert [(point.executed, point.errors) for point in found.curve] == [(0, 0), (0, 0), (1, 0), (3, 1), (4, 2)]
    assert [point.cost for point in found.curve] == pytest.approx([1.0, 1.0, 0.75, 2.75, 5.0])
    assert found.cheapest.execute_below == 0.2
    assert (found.promised.cost, found.promised.coverage) == (0.75, 0.25)
    assert (found.nothing_runs.cost, found.everything_runs.cost) == (1.0, 5.0)
    # three ran, one of them wrong: the exact interval of the error, at these prices
    low, high = stats.beta.ppf(0.025, 1, 3), stats.beta.ppf(0.975, 2, 2)
    assert (found.curve[3].low, found.curve[3].high) == pytest.approx(((low * 3 * 10 + 1) / 4, (high * 3 * 10 + 1) / 4))


def test_without_a_promise_nothing_runs_and_everything_costs_a_review() -> None:
    found = view(promised=None)
    assert (found.promised.coverage, found.promised.cost, found.promised.high) == (0.0, 2.0, 2.0)


def test_a_call_without_a_risk_never_runs() -> None:
    found = cost_view([math.nan, 0.1], [False, False], Costs(wrong=10, review=1), promised=None)
    assert (found.everything_runs.executed, found.everything_runs.cost) == (1, 0.5)


def test_retries_make_handed_calls_cheaper() -> None:
    retries = Retries(settled_at_0=0.8, settled_at_1=0.8)
    again = cost_view(*world(500, 1), Costs(wrong=20, review=2, retry=0.1, retries=retries), promised=0.1)
    assert again.nothing_runs.cost == pytest.approx(0.1 + 0.2 * 2)
    assert again.everything_runs.cost == pytest.approx(view(500).everything_runs.cost)


def test_the_bayes_threshold_costs_least_where_the_risk_is_calibrated() -> None:
    found = view(200_000)
    assert found.bayes.execute_below == pytest.approx(0.1)
    assert found.advised.cost == pytest.approx(found.cheapest.cost, rel=0.01)
    assert found.advised.cost < min(found.nothing_runs.cost, found.everything_runs.cost)
    # the integral: calls below 0.1 cost 20 times their risk, the others a review
    below = stats.beta(0.6, 3.0).expect(lambda risk: 20 * risk, lb=0, ub=0.1)
    assert found.advised.cost == pytest.approx(below + 2 * stats.beta(0.6, 3.0).sf(0.1), rel=0.01)


def test_the_lowest_point_of_the_curve_is_better_than_it_will_be() -> None:
    """It was found by the same labels: why the report says so, and puts the Bayes threshold beside it."""
    fresh = world(200_000, 99)
    gaps = []
    for seed in range(60):
        found = view(100, seed)
        again = cost_view(*fresh, found.costs, promised=found.cheapest.execute_below)
        gaps.append(again.promised.cost - found.cheapest.cost)
    assert np.mean(gaps) > 0.02


def test_the_interval_of_a_fixed_threshold_covers_its_cost() -> None:
    truth = view(400_000, 12345, promised=0.2).promised
    hits, total = 0, 400
    for seed in range(total):
        risk, wrong = world(300, seed)
        # the share that runs is taken as it is, so the truth is that of the error at this share
        found = cost_view(risk, wrong, truth_costs(), promised=0.2).promised
        error = truth.errors / truth.executed
        exact = found.coverage * error * 20 + (1 - found.coverage) * 2
        hits += found.low <= exact <= found.high
    assert hits / total >= 0.95 - 3 * math.sqrt(0.95 * 0.05 / total)


def truth_costs() -> Costs:
    return Costs(wrong=20, review=2)


def test_many_calls_give_a_curve_of_few_points() -> None:
    found = view(50_000)
    assert len(found.curve) <= 202
    coverages = [point.coverage for point in found.curve]
    assert coverages == sorted(coverages)
    assert (coverages[0], coverages[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"wrong": 0, "review": 1}, "a wrong call is 0"),
        ({"wrong": 1, "review": math.nan}, "a review is nan"),
        ({"wrong": 1, "review": 1, "retry": -1, "retries": Retries(settled_at_0=1, settled_at_1=1)}, "a retry is -1"),
        ({"wrong": 1, "review": 1, "retry": 1}, "needed together"),
    ],
)
def test_prices_that_are_none_are_refused(prices: dict[str, float], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Costs(**prices)


def test_shares_that_are_none_are_refused() -> None:
    with pytest.raises(ConfigError, match="each is a share"):
        Retries(settled_at_0=0.5, settled_at_1=0.9)
    with pytest.raises(ConfigError, match="outside of 0 to 1"):
        cost_view([1.5], [True], Costs(wrong=1, review=1), promised=None)
    with pytest.raises(ConfigError, match="at least one"):
        cost_view([], [], Costs(wrong=1, review=1), promised=None)


def labelled(number: int, *, attempt: int = 1, correct: bool = True, **more: object) -> LabelledCall:
    return LabelledCall(id=f"c{number}", tier=Tier.LOW, tool="t", correct=correct, attempt=attempt, **more)  # type: ignore[arg-type]


def test_retries_are_measured_on_retried_calls_by_how_improbable_they_were_to_be_judged() -> None:
    found = measured_retries(
        calls_of(
            [
                # one call in four that ran was audited, and each of these stands for four
                labelled(1, route=Route.EXECUTE, probability=0.25),
                labelled(2, route=Route.EXECUTE, probability=0.25, correct=False),
                labelled(3, route=Route.REVIEW, probability=1.0, correct=False),
                labelled(4, route=Route.REVIEW, probability=1.0),
                # these say nothing of retries
                labelled(5, route=Route.EXECUTE, probability=1.0, attempt=0),
                labelled(6, probability=1.0),
                labelled(7, route=Route.EXECUTE),
            ]
        )
    )
    assert found == Retries(settled_at_0=0.8, settled_at_1=0.8, wrong=0.5, n=4)
    assert measured_retries(calls_of([labelled(1, attempt=0, probability=1.0)])) is None
