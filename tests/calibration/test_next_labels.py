"""What more labels would buy: the forecast comes true, and nothing is forecast where nothing can be gained."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from guardrail.calibration.next_labels import next_steps
from guardrail.calibration.promise import fixed_sequence, labels_needed


def world(n: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    risk = rng.beta(0.6, 3.0, size=n)
    return risk, rng.random(n) < risk


def test_more_labels_buy_more_coverage_and_a_laxer_threshold() -> None:
    steps = next_steps(*world(200, 3), alpha=0.05, delta=0.05)
    assert 1 <= len(steps) <= 3
    for one, other in itertools.pairwise(steps):
        assert one.more < other.more
        assert one.coverage < other.coverage
        assert one.execute_below <= other.execute_below
    assert all(step.labels >= 200 + step.more * 0.9 for step in steps)
    assert all(step.rate < 0.05 for step in steps)


@pytest.mark.parametrize("alpha", [0.1, 0.05])
def test_the_forecast_comes_true_about_four_times_in_five(alpha: float) -> None:
    # from many labels, so that what is tested is the walk and not what is known of the world
    (step, *_) = next_steps(*world(20_000, 3), alpha=alpha, delta=0.05)
    n = step.labels
    hits = []
    for seed in range(300):
        risk, wrong = world(n, 1000 + seed)
        hits.append(fixed_sequence(risk, wrong, alpha=alpha, delta=0.05).coverage >= step.coverage - 0.02)
    assert np.mean(hits) >= 0.8 - 3 * math.sqrt(0.8 * 0.2 / 300)


def test_it_is_not_worth_a_line_where_nothing_is_gained() -> None:
    risk, wrong = world(300, 4)
    assert next_steps(risk, np.ones(300, dtype=bool), alpha=0.1, delta=0.05) == ()
    assert next_steps(np.full(300, math.nan), wrong, alpha=0.1, delta=0.05) == ()
    rng = np.random.default_rng(0)
    assert next_steps(rng.random(300), rng.random(300) < 0.3, alpha=0.1, delta=0.05) == ()
    assert all(step.coverage >= 0.65 for step in next_steps(risk, wrong, alpha=0.1, delta=0.05, now=0.6))


def test_without_any_error_the_least_number_of_labels_is_named() -> None:
    # and calls of one risk run together or not at all
    (first, *_) = next_steps(np.full(10, 0.01), np.zeros(10, dtype=bool), alpha=0.2, delta=0.05)
    assert labels_needed(0.2, 0.05) <= first.labels <= 100
    assert first.coverage == 1.0


def test_labels_that_decide_about_tools_come_on_top() -> None:
    plain = next_steps(*world(200, 3), alpha=0.05, delta=0.05)[0]
    split = next_steps(*world(200, 3), alpha=0.05, delta=0.05, share=0.75)[0]
    assert split.coverage == plain.coverage
    assert split.more == pytest.approx(plain.more / 0.75, rel=0.15)
