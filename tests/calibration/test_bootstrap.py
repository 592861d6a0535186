"""Intervals over draws of groups, and paired differences."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.calibration import Resamples, Scores, aurc, auroc, brier, ece, excess_aurc, log_loss
from guardrail.calibration.bootstrap import MEASURES

DIRECT = {
    "auroc": auroc,
    "aurc": aurc,
    "excess_aurc": excess_aurc,
    "brier": brier,
    "log_loss": log_loss,
    "ece": ece,
}


def world(seed: int, n: int = 60) -> tuple[list[float], list[bool], list[str]]:
    rng = random.Random(seed)
    scores = [round(rng.random(), 1) for _ in range(n)]
    return scores, [rng.random() < s for s in scores], [f"g{i // 3}" for i in range(n)]


@given(st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_each_draw_is_the_measure_of_the_cases_drawn(seed: int) -> None:
    scores, right, groups = world(seed)
    resamples = Resamples(groups, right, seed=seed, rounds=5)
    for measure in MEASURES:
        draws = resamples.draws(measure, Scores(scores=scores, probabilities=scores))
        for drawn, counts in zip(draws, resamples.counts, strict=True):
            taken = np.repeat(np.arange(len(scores)), counts.astype(int))
            again = DIRECT[measure]([scores[i] for i in taken], [right[i] for i in taken])
            assert (again is None and np.isnan(drawn)) or drawn == pytest.approx(again, abs=1e-9)


def test_groups_are_drawn_whole() -> None:
    _, right, groups = world(1)
    counts = Resamples(groups, right, seed=0, rounds=50).counts
    assert (counts[0] == 1).all()
    for group in set(groups):
        members = [i for i, one in enumerate(groups) if one == group]
        assert (counts[:, members] == counts[:, members[:1]]).all()
    assert len({tuple(row) for row in counts}) > 40


def test_the_interval_holds_the_value_and_repeats() -> None:
    scores, right, groups = world(3, n=200)
    found = [Resamples(groups, right, seed=7, rounds=300).interval("auroc", Scores(scores=scores)) for _ in range(2)]
    assert found[0] == found[1]
    assert found[0] is not None
    assert found[0].low < found[0].value < found[0].high
    other = Resamples(groups, right, seed=8, rounds=300).interval("auroc", Scores(scores=scores))
    assert other is not None
    assert other.low != found[0].low


def test_dependence_within_groups_widens_the_interval() -> None:
    rng = random.Random(5)
    right = [good for _ in range(40) for good in [rng.random() < 0.6] * 5]
    said = [0.5] * len(right)
    alone = Resamples([str(i) for i in range(200)], right, seed=0).interval("brier", Scores(scores=said))
    assert alone is None, "no probabilities were given"
    scores = Scores(scores=[0.0] * 200, probabilities=[0.8] * 200)
    apart = Resamples([str(i) for i in range(200)], right, seed=0).interval("brier", scores)
    whole = Resamples([str(i // 5) for i in range(200)], right, seed=0).interval("brier", scores)
    assert apart is not None
    assert whole is not None
    assert whole.high - whole.low > 1.5 * (apart.high - apart.low)


def test_a_paired_difference_is_narrower_than_its_parts() -> None:
    scores, right, groups = world(9, n=300)
    rng = random.Random(1)
    near = [score + rng.gauss(0, 0.05) for score in scores]
    resamples = Resamples(groups, right, seed=0)
    one, other = Scores(scores=near), Scores(scores=scores)
    difference, single = resamples.difference("auroc", one, other), resamples.interval("auroc", other)
    assert difference is not None
    assert single is not None
    assert difference.high - difference.low < 0.5 * (single.high - single.low)
    same = resamples.difference("auroc", other, other)
    assert same is not None
    assert (same.low, same.value, same.high, same.excludes_zero) == (0, 0, 0, False)


def test_one_kind_alone_has_no_interval() -> None:
    assert Resamples(["a", "b"], [True, True], seed=0).interval("auroc", Scores(scores=[1, 2])) is None


def test_an_unknown_measure_and_no_cases_are_refused() -> None:
    with pytest.raises(ValueError, match="no measure 'f1'"):
        Resamples(["a"], [True], seed=0).draws("f1", Scores(scores=[1]))
    with pytest.raises(ValueError, match="at least one"):
        Resamples([], [], seed=0)
    with pytest.raises(ValueError, match="not finite"):
        Resamples(["a"], [True], seed=0).draws("auroc", Scores(scores=[float("nan")]))
