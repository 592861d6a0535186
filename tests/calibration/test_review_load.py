"""Thresholds by the reviews that people can do, and what may be promised there."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from guardrail.calibration.costs import EVERYTHING
from guardrail.calibration.review_load import ReviewLoad, Sampled, review_load
from guardrail.errors import ConfigError
from guardrail.types import Tier

MEDIUM, LOW = Tier.MEDIUM, Tier.LOW


def sampled(risk: list[float], wrong: list[bool] | None = None, *, traffic: float = 100, **more: float) -> Sampled:
    return Sampled(risk=risk, wrong=wrong or [False] * len(risk), traffic=traffic, **{"delta": 0.05, **more})


def load(tiers: dict[Tier, Sampled], reviews: float, calls: float = 100, always: float = 0) -> ReviewLoad:
    return review_load(tiers, calls_a_day=calls, most_a_day=reviews, always=always)


TENTHS = [number / 10 for number in range(10)]


def test_the_riskiest_calls_are_reviewed_as_many_as_there_may_be() -> None:
    found = load({MEDIUM: sampled(TENTHS, [False] * 7 + [True] * 3)}, 35)
    one = found.tiers[MEDIUM]
    assert (one.execute_below, one.coverage, one.executed, one.errors) == (0.7, 0.7, 7, 0)
    assert (found.reviews, found.fits) == (pytest.approx(30), True)
    assert one.alpha == pytest.approx(1 - 0.05 ** (1 / 7))
    assert found.busy_day == stats.binom.ppf(0.95, 100, 0.3)


def test_calls_of_one_risk_stay_together() -> None:
    found = load({MEDIUM: sampled([0.1, 0.5, 0.5, 0.5])}, 70)
    assert (found.tiers[MEDIUM].execute_below, found.reviews) == (EVERYTHING, 0)
    assert load({MEDIUM: sampled([0.1, 0.5, 0.5, 0.5])}, 75).tiers[MEDIUM].execute_below == 0.5


def test_calls_that_are_always_reviewed_come_first() -> None:
    found = load({MEDIUM: sampled([*TENTHS[:9], math.nan], traffic=80)}, 38, always=20)
    assert found.tiers[MEDIUM].execute_below == pytest.approx(0.8)
    assert found.reviews == pytest.approx(20 + 16)
    full = load({MEDIUM: sampled([*TENTHS[:9], math.nan], traffic=80)}, 25, always=20)
    assert (full.tiers[MEDIUM].execute_below, full.fits) == (EVERYTHING, False)


def test_tiers_share_reviewers_by_what_is_to_be_feared() -> None:
    equal = load({LOW: sampled(TENTHS), MEDIUM: sampled(TENTHS)}, 20)
    assert {one.execute_below for one in equal.tiers.values()} == {0.8}
    dear = load({LOW: sampled(TENTHS), MEDIUM: sampled(TENTHS, worth=100)}, 40)
    assert dear.tiers[LOW].execute_below == EVERYTHING
    assert dear.tiers[MEDIUM].execute_below == pytest.approx(0.2)


def test_more_reviewers_never_promise_less_where_the_risk_rises_with_the_error() -> None:
    rng = np.random.default_rng(5)
    risk = np.sort(rng.random(2000))
    wrong = rng.random(2000) < risk
    alphas = [
        load({MEDIUM: sampled(risk.tolist(), wrong.tolist())}, reviews).tiers[MEDIUM].alpha
        for reviews in (10, 30, 50, 70)
    ]
    assert alphas == sorted(alphas, reverse=True)


@pytest.mark.parametrize("flat", [True, False])
def test_the_promise_holds_at_a_cut_that_traffic_fixes(flat: bool) -> None:
    """Also with a useless risk, where choosing the best of many cuts by their bounds would break it."""
    rng = np.random.default_rng(11 + flat)
    total, delta = 2000, 0.05
    missed = best = 0
    for _ in range(total):
        risk = rng.random(150)
        truth = np.full(150, 0.15) if flat else risk**2 / 2
        wrong = rng.random(150) < truth
        one = load({MEDIUM: sampled(risk.tolist(), wrong.tolist(), delta=delta)}, 60).tiers[MEDIUM]
        below = one.execute_below
        missed += one.alpha < (0.15 if flat else below**2 / 6)
        order = np.argsort(risk)
        k = np.arange(20, 151)
        bounds = stats.beta.ppf(1 - delta, np.cumsum(wrong[order])[19:] + 1, k - np.cumsum(wrong[order])[19:])
        best += flat and bounds.min() < 0.15
    assert missed / total <= delta + 3 * math.sqrt(delta * (1 - delta) / total)
    assert not flat or best / total > 2 * delta


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"calls": 0}, "0 calls a day"),
        ({"reviews": -1}, "-1 reviews a day"),
        ({"tiers": {}}, "no labelled calls"),
        ({"tiers": {MEDIUM: sampled([0.1], traffic=0)}}, "traffic"),
        ({"tiers": {MEDIUM: sampled([0.1], [1])}}, "neither True nor False"),  # type: ignore[list-item]
    ],
)
def test_what_is_none_is_refused(change: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load(**{"tiers": {MEDIUM: sampled([0.1])}, "reviews": 1, **change})  # type: ignore[arg-type]
