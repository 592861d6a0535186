"""Drift is seen where scores changed, not where they are only tied, and its sizes are those of SciPy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from guardrail.calibration.drift import LEAST, drift

WORLDS = {
    "continuous": lambda rng, n: rng.beta(1, 4, n),
    "agreement of five": lambda rng, n: rng.choice([0, 0.2, 0.4, 0.6, 0.8, 1], n, p=[0.6, 0.1, 0.1, 0.1, 0.05, 0.05]),
    "two values": lambda rng, n: rng.choice([0.1, 0.9], n, p=[0.95, 0.05]),
    "one value": lambda rng, n: np.full(n, 0.3),
    "mostly one": lambda rng, n: np.where(rng.random(n) < 0.7, 0.05, rng.random(n)),
}
scores = st.lists(st.sampled_from([0.0, 0.1, 0.25, 0.5, 1.0]), min_size=LEAST, max_size=60)


@pytest.mark.parametrize("world", WORLDS)
@pytest.mark.parametrize(("reference", "live"), [(30, 30), (300, 60), (200, 800)])
@pytest.mark.parametrize("quantiles", [False, True])
def test_scores_that_did_not_change_are_rarely_told_to_have_changed(world, reference, live, quantiles) -> None:
    rng, runs, draw = np.random.default_rng(3), 250, WORLDS[world]
    rejected = 0
    for _ in range(runs):
        then, now = draw(rng, reference), draw(rng, live)
        kept = np.quantile(then, np.linspace(0, 1, 101)) if quantiles else then
        found = drift(now.tolist(), kept.tolist(), size=reference)
        assert found is not None
        rejected += found.p_value < 0.05
    assert rejected / runs <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / runs)


def test_riskier_scores_are_seen_with_how_much_riskier_they_are() -> None:
    rng = np.random.default_rng(1)
    then, now = rng.beta(1, 4, 500), rng.beta(2, 4, 500)
    found = drift(now.tolist(), then.tolist())
    assert found is not None
    assert found.notable
    assert found.auroc == pytest.approx(stats.mannwhitneyu(now, then).statistic / 500**2)
    assert found.distance == pytest.approx(stats.ks_2samp(now, then).statistic)
    assert found.auroc > 0.65
    assert found.p_value < 1e-6


def test_scores_that_only_spread_are_seen_as_well() -> None:
    rng = np.random.default_rng(2)
    found = drift(rng.beta(1, 1, 400).tolist(), rng.beta(8, 8, 400).tolist())
    assert found is not None
    assert abs(found.auroc - 0.5) < 0.05
    assert found.notable


def test_a_change_too_small_to_matter_is_not_notable_however_sure() -> None:
    rng = np.random.default_rng(4)
    found = drift((rng.random(30_000) + 0.02).tolist(), rng.random(30_000).tolist())
    assert found is not None
    assert found.p_value < 1e-6
    assert not found.notable


@given(live=scores, reference=scores)
def test_the_sizes_are_those_of_scipy_whatever_is_tied(live: list[float], reference: list[float]) -> None:
    found = drift(live, reference)
    assert found is not None
    assert found.auroc == pytest.approx(
        stats.mannwhitneyu(live, reference, method="asymptotic").statistic / (len(live) * len(reference))
    )
    assert found.distance == pytest.approx(stats.ks_2samp(live, reference, method="asymp").statistic)
    assert 0 <= found.p_value <= 1


@given(live=scores, reference=scores)
def test_the_p_value_is_that_of_two_tests(live: list[float], reference: list[float]) -> None:
    found = drift(live, reference)
    assert found is not None
    n, m = len(live), len(reference)
    moved = stats.mannwhitneyu(live, reference, method="asymptotic").pvalue if len({*live, *reference}) > 1 else 1.0
    changed = stats.kstwobign.sf(found.distance * math.sqrt(n * m / (n + m)))
    assert found.p_value == pytest.approx(min(1.0, 2 * min(moved, changed)), abs=1e-9)


@given(live=scores, reference=scores)
def test_both_sides_may_change_places(live: list[float], reference: list[float]) -> None:
    one, other = drift(live, reference), drift(reference, live)
    assert one is not None
    assert other is not None
    assert one.auroc == pytest.approx(1 - other.auroc)
    assert one.p_value == pytest.approx(other.p_value)


@pytest.mark.parametrize("size", [None, 0, LEAST - 1])
def test_too_few_scores_tell_nothing(size: int | None) -> None:
    assert drift([0.1] * (LEAST - 1), [0.2] * 100) is None
    assert drift([0.1] * 100, [0.2] * (LEAST - 1), size=size) is None
    assert drift([0.1] * 100, [], size=100) is None


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_scores_that_are_no_numbers_are_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="finite"):
        drift([bad] * LEAST, [0.1] * LEAST)
