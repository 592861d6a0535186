"""Measures on cases worked by hand, and the traps in which they lie."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.calibration import (
    accepted,
    aurc,
    auroc,
    brier,
    ece,
    ece_debiased,
    ece_null,
    excess_aurc,
    log_loss,
    reliability,
    risk_coverage,
    roc,
)

CASES = st.lists(st.tuples(st.sampled_from([0.0, 0.25, 0.5, 1.0]), st.booleans()), min_size=1, max_size=12)


@given(CASES)
def test_auroc_counts_pairs_and_ties_half(cases: list[tuple[float, bool]]) -> None:
    rights, wrongs = [s for s, good in cases if good], [s for s, good in cases if not good]
    pairs = [1.0 if right > wrong else 0.5 if right == wrong else 0.0 for right in rights for wrong in wrongs]
    found = auroc([s for s, _ in cases], [good for _, good in cases])
    assert found is None if not pairs else found == pytest.approx(sum(pairs) / len(pairs))


def test_one_kind_alone_has_no_auroc_and_no_roc() -> None:
    assert auroc([0.1, 0.2], [True, True]) is None
    assert auroc([0.1, 0.2], [False, False]) is None
    assert roc([0.1, 0.2], [True, True]) == []
    assert aurc([0.1, 0.2], [True, True]) == 0.0
    assert excess_aurc([0.1, 0.2], [False, False]) == pytest.approx(0.0)


def test_roc_goes_from_nothing_kept_to_all() -> None:
    points = roc([0.9, 0.8, 0.1], [True, False, True])
    assert points[0] == (0.0, 0.0)
    assert (0.0, 0.5) in points
    assert points[-1] == (1.0, 1.0)


def test_aurc_by_hand() -> None:
    assert aurc([0.9, 0.8, 0.1], [True, True, False]) == pytest.approx((0 + 0 + 1 / 3) / 3)
    assert aurc([0.9, 0.8, 0.1], [False, True, True]) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    assert aurc([1, 1, 1, 1], [True, False, True, True]) == pytest.approx(0.25)


@given(CASES)
def test_aurc_takes_ties_in_every_order_alike(cases: list[tuple[float, bool]]) -> None:
    errors, taken, total = 0.0, 0, 0.0
    for level in sorted({s for s, _ in cases}, reverse=True):
        block = [good for s, good in cases if s == level]
        for _ in block:
            errors, taken = errors + block.count(False) / len(block), taken + 1
            total += errors / taken
    scores, right = [s for s, _ in cases], [good for _, good in cases]
    assert aurc(scores, right) == pytest.approx(total / len(cases))
    order = list(range(len(cases)))
    random.Random(len(cases)).shuffle(order)
    assert aurc([scores[i] for i in order], [right[i] for i in order]) == pytest.approx(aurc(scores, right))
    assert excess_aurc(scores, right) >= -1e-12


def test_the_best_order_has_no_excess() -> None:
    assert excess_aurc([0.9, 0.8, 0.1], [True, True, False]) == pytest.approx(0.0)
    assert excess_aurc([0.1, 0.8, 0.9], [True, True, False]) == pytest.approx((1 + 1 / 2 + 1 / 3) / 3 - 1 / 9)


def test_brier_and_log_loss_by_hand() -> None:
    assert brier([1.0, 0.0, 0.5], [True, False, True]) == pytest.approx(0.25 / 3)
    assert log_loss([0.8, 0.4], [True, False]) == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert log_loss([0.5, 0.5], [True, True]) == pytest.approx(math.log(2))
    assert math.isfinite(log_loss([0.0, 1.0], [True, False]))


def test_coverage_and_error_at_a_threshold() -> None:
    assert accepted([1.0, 2 / 3, 0.5, 0.0], [True, False, True, False], 2 / 3) == (0.5, 0.5)
    assert accepted([0.1], [True], 0.5) == (0.0, None)


def test_the_risk_coverage_curve_has_a_point_at_each_score_with_an_exact_interval() -> None:
    first, last = risk_coverage([0.9, 0.9, 0.5], [True, True, False])
    assert (first.least, first.coverage, first.error, first.low) == (0.9, pytest.approx(2 / 3), 0.0, 0.0)
    assert first.high == pytest.approx(1 - 0.025**0.5)
    assert (last.coverage, last.error) == (1.0, pytest.approx(1 / 3))
    assert last.low == pytest.approx(0.0084, abs=1e-4)
    assert last.high == pytest.approx(0.9057, abs=1e-4)


def test_ece_by_hand_does_not_hang_on_the_order_of_ties() -> None:
    assert ece([0.5] * 10, [True] * 5 + [False] * 5) == pytest.approx(0)
    assert ece([1.0] * 10, [True] * 5 + [False] * 5) == pytest.approx(0.5)
    assert ece([0.1] * 5 + [0.9] * 5, [True] * 5 + [False] * 5, bins=2) == pytest.approx(0.9)
    low, high = reliability([0.1, 0.2, 0.8, 0.9], [False, False, True, False], bins=2)
    assert (low.predicted, low.observed, low.n) == (pytest.approx(0.15), 0.0, 2)
    assert (high.predicted, high.observed, high.n) == (pytest.approx(0.85), 0.5, 2)


def test_more_bins_than_cases_are_as_many_as_cases() -> None:
    assert len(reliability([0.2, 0.7], [True, False], bins=10)) == 2


@pytest.mark.parametrize(("n", "null"), [(50, 0.107), (200, 0.054), (2000, 0.017)])
def test_exact_probabilities_have_an_ece_by_chance_alone(n: int, null: float) -> None:
    rng = np.random.default_rng(1)
    worlds = [rng.uniform(0.78, 1, n) for _ in range(20)]
    assert np.mean([ece_null(p, seed=2, rounds=20) for p in worlds]) == pytest.approx(null, abs=0.008)


def test_the_debiased_ece_is_near_0_for_exact_probabilities_and_near_the_truth_for_wrong_ones() -> None:
    rng = np.random.default_rng(3)
    exact, shifted, plain = [], [], []
    for _ in range(60):
        p = rng.random(200)
        right = rng.random(200) < p
        exact.append(ece_debiased(p, right))
        plain.append(ece(p, right))
        shifted.append(ece_debiased(np.clip(p + 0.2, 0, 1), rng.random(200) < p))
    # one correction leaves 2 - sqrt(2) of the bias where the truth is 0 (less would be overcorrecting elsewhere)
    assert 0.5 * np.mean(plain) < np.mean(exact) < 0.66 * np.mean(plain)
    truth = np.mean([np.mean(np.clip(p + 0.2, 0, 1) - p) for p in [rng.random(20000)]])
    assert np.mean(shifted) == pytest.approx(truth, abs=0.02)


MEASURES = [auroc, aurc, excess_aurc, brier, log_loss, ece, ece_debiased, reliability, risk_coverage, roc]


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused(measure, bad) -> None:
    with pytest.raises(ValueError, match="not finite"):
        measure([0.5, bad], [True, False])


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize(("scores", "right"), [([], []), ([0.5], [True, False])])
def test_nothing_and_unequal_lengths_are_refused(measure, scores, right) -> None:
    with pytest.raises(ValueError, match="give one of each a case"):
        measure(scores, right)


@pytest.mark.parametrize("measure", [brier, log_loss, ece, ece_debiased, reliability])
@pytest.mark.parametrize("bad", [-0.01, 1.01])
def test_what_is_no_probability_is_refused(measure, bad) -> None:
    with pytest.raises(ValueError, match="outside of 0 to 1"):
        measure([0.5, bad], [True, False])


def test_an_unjudged_case_is_not_taken_for_wrong() -> None:
    with pytest.raises(ValueError, match="neither True nor False"):
        auroc([0.1, 0.2], [True, None])  # type: ignore[list-item]
