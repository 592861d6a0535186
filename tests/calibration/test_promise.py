"""The rule behind a promise: counts that are known, laws, and what it refuses."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.calibration.binomial import at_most
from guardrail.calibration.promise import (
    binomial_tail,
    clopper_pearson_lower,
    clopper_pearson_upper,
    fixed_sequence,
    labels_for_power,
    labels_needed,
    traffic_cuts,
)
from guardrail.errors import ConfigError
from guardrail.types import Attempts, RefusalCode

NEEDED = [
    (0.2, (14, 22, 30, 37)),
    (0.1, (29, 46, 61, 76)),
    (0.05, (59, 93, 124, 153)),
    (0.02, (149, 236, 313, 386)),
    (0.01, (299, 473, 628, 773)),
    (0.005, (598, 947, 1258, 1549)),
]


@pytest.mark.parametrize(("alpha", "counts"), NEEDED)
def test_labels_needed_with_0_to_3_errors(alpha, counts):
    assert tuple(labels_needed(alpha, 0.05, errors) for errors in range(4)) == counts
    assert counts[0] == math.ceil(math.log(0.05) / math.log(1 - alpha))


@pytest.mark.parametrize(
    ("alpha", "quarter", "half"), [(0.1, 76, 203), (0.05, 153, 434), (0.02, 386, 1091), (0.01, 773, 2185)]
)
def test_labels_for_80_percent_power(alpha, quarter, half):
    assert labels_for_power(alpha / 4, alpha, 0.05) == quarter
    assert labels_for_power(alpha / 2, alpha, 0.05) == half


@pytest.mark.parametrize(
    ("rate", "alpha"), [(0.0, 0.1), (0.01, 0.05), (0.025, 0.1), (0.1, 0.2), (0.0101, 0.2), (0.0276, 0.2)]
)
def test_power_stays_above_what_is_asked_from_there_on_and_not_before(rate, alpha):
    found = labels_for_power(rate, alpha, 0.05)

    def power(n):
        allowed = max((e for e in range(n + 1) if at_most(e, n, alpha) <= 0.05), default=-1)
        return at_most(allowed, n, rate)

    assert all(power(n) >= 0.8 for n in range(found, found + 60))
    assert power(found - 1) < 0.8


def test_no_number_of_labels_shows_what_is_not_so():
    assert labels_for_power(0.05, 0.05, 0.05) is None
    assert labels_for_power(0.2, 0.05, 0.05) is None
    assert labels_for_power(0.0499999, 0.05, 0.05) is None


@given(st.integers(0, 300), st.integers(1, 300), st.floats(0.001, 0.999))
def test_the_tail_is_the_binomial_distribution(errors, n, rate):
    assert float(binomial_tail(errors, n, rate)) == pytest.approx(at_most(errors, n, rate), rel=1e-7, abs=1e-300)


def test_the_tail_against_exact_fractions():
    rate = Fraction(1, 20)
    exact = sum(math.comb(93, e) * rate**e * (1 - rate) ** (93 - e) for e in range(2))
    assert float(binomial_tail(1, 93, 0.05)) == pytest.approx(float(exact), rel=1e-12)


@given(st.integers(0, 50), st.integers(0, 200), st.sampled_from([0.01, 0.05, 0.2]))
def test_clopper_pearson_is_where_the_tail_is_delta(errors, more, delta):
    n = errors + more
    if n == 0:
        assert (clopper_pearson_lower(0, 0, delta), clopper_pearson_upper(0, 0, delta)) == (0, 1)
        return
    lower, upper = clopper_pearson_lower(errors, n, delta), clopper_pearson_upper(errors, n, delta)
    assert lower <= errors / n <= upper
    if errors < n:
        assert at_most(errors, n, upper) == pytest.approx(delta, rel=1e-6)
    if errors:
        assert 1 - at_most(errors - 1, n, lower) == pytest.approx(delta, rel=1e-6)


def a_sample(n, *, seed=0, slope=0.3, levels=None):
    """Scores and labels; more risk, more errors."""
    draw = random.Random(seed)
    scores = [draw.random() for _ in range(n)]
    wrong = [draw.random() < slope * score for score in scores]
    return ([round(score * levels) / levels for score in scores] if levels else scores), wrong


def walked(scores, wrong, alpha, delta, start=None, floor=None):
    """The rule in plain loops: threshold, calls below it and errors among them, and the first cut tested."""
    pairs = sorted(zip(scores, wrong, strict=True), key=lambda pair: pair[0])
    first, best, tested = max(labels_needed(alpha, delta), start or -(-len(pairs) // 4)), None, None
    for k in range(first, len(pairs) + 1):
        if k < len(pairs) and pairs[k][0] == pairs[k - 1][0]:
            continue
        errors = sum(bad for _, bad in pairs[:k])
        tested = tested or k
        if at_most(errors, k, alpha) > delta:
            break
        best = (pairs[k][0] if k < len(pairs) else floor or 2.0), k, errors
    return best, tested


@given(
    st.integers(1, 160),
    st.integers(0, 10**6),
    st.sampled_from([0.05, 0.1, 0.2, 0.5]),
    st.sampled_from([0.0, 0.1, 0.5]),
    st.sampled_from([None, 5, 20]),
)
def test_it_is_the_walk(n, seed, alpha, slope, levels):
    scores, wrong = a_sample(n, seed=seed, slope=slope, levels=levels)
    found = fixed_sequence(scores, wrong, alpha=alpha, delta=0.05, start=-(-n // 4))
    best, tested = walked(scores, wrong, alpha, 0.05)
    assert found.start == (tested or 0)
    assert (found.n, found.errors) == (n, sum(wrong))
    if best is None:
        assert found.execute_below is None
        assert found.refusal.code is (
            RefusalCode.TOO_FEW_LABELS if tested is None else RefusalCode.TOP_CALLS_TOO_ERROR_PRONE
        )
        return
    assert (found.execute_below, found.executed, found.executed_errors) == best
    assert found.refusal is None
    assert found.executed == sum(score < found.execute_below for score in scores)
    assert found.coverage == found.executed / n
    assert found.p_value == pytest.approx(at_most(best[2], best[1], alpha), rel=1e-9)
    assert found.p_value <= 0.05
    assert found.upper <= alpha * (1 + 1e-9)


@given(st.integers(30, 200), st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_the_order_of_the_labels_does_not_matter(n, seed, shuffle):
    scores, wrong = a_sample(n, seed=seed, levels=10)
    pairs = list(zip(scores, wrong, strict=True))
    shuffle.shuffle(pairs)
    mixed = fixed_sequence(*map(list, zip(*pairs, strict=True)), alpha=0.2, delta=0.05)
    assert mixed == fixed_sequence(scores, wrong, alpha=0.2, delta=0.05)


@given(st.integers(0, 10**6), st.sampled_from([(0.05, 0.1), (0.1, 0.2), (0.02, 0.5)]))
def test_a_tighter_target_or_more_confidence_never_runs_more(seed, targets):
    scores, wrong = a_sample(250, seed=seed, slope=0.15)
    start = labels_needed(min(targets), 0.01)
    tight, lax = (fixed_sequence(scores, wrong, alpha=alpha, delta=0.05, start=start) for alpha in targets)
    sure = fixed_sequence(scores, wrong, alpha=targets[1], delta=0.01, start=start)
    assert tight.executed <= lax.executed
    assert sure.executed <= lax.executed


def test_a_larger_set_with_the_same_numbers_as_the_reference_walk():
    rng = np.random.default_rng(42)
    scores = np.round(rng.random(1_000), 3)
    wrong = rng.random(1_000) < 0.15 * scores
    found = fixed_sequence(scores, wrong, alpha=0.05, delta=0.05, start=250)
    best, tested = walked(scores.tolist(), wrong.tolist(), 0.05, 0.05)
    assert (found.execute_below, found.executed, found.executed_errors, found.start) == (*best, tested)


def test_everything_passes():
    found = fixed_sequence([i / 100 for i in range(100)], [False] * 100, alpha=0.05, delta=0.05)
    assert (found.execute_below, found.executed, found.coverage, found.start) == (2.0, 100, 1.0, 59)
    assert fixed_sequence([1.0] * 59, [False] * 59, alpha=0.05, delta=0.05).execute_below == 2.0


def test_the_first_call_left_out_does_not_run():
    scores = [0.1] * 60 + [0.3] * 40
    found = fixed_sequence(scores, [False] * 60 + [True] * 40, alpha=0.05, delta=0.05)
    assert (found.execute_below, found.executed) == (0.3, 60)


def test_equal_scores_run_together_or_not_at_all():
    found = fixed_sequence([0.5] * 100, [False] * 95 + [True] * 5, alpha=0.05, delta=0.05)
    assert found.execute_below is None
    assert (found.start, found.refusal.code) == (100, RefusalCode.TOP_CALLS_TOO_ERROR_PRONE)


def test_it_stops_at_the_first_cut_that_fails():
    # 0 of 29 pass, 1 of 30 fail, and nothing behind it is looked at
    wrong = [False] * 29 + [True] + [False] * 300
    found = fixed_sequence([i / 330 for i in range(330)], wrong, alpha=0.1, delta=0.05, start=29)
    assert (found.executed, found.execute_below) == (29, 29 / 330)


def test_a_floor_is_not_passed():
    found = fixed_sequence([0.2 * i / 100 for i in range(100)], [False] * 100, alpha=0.05, delta=0.05, floor=0.2)
    assert (found.execute_below, found.floor, found.executed) == (0.2, 0.2, 100)


def test_the_kind_of_attempt_is_on_the_threshold():
    assert fixed_sequence([], [], alpha=0.1, delta=0.05, attempts=Attempts.RETRIED).attempts is Attempts.RETRIED


def test_too_few_labels_say_how_many_more():
    found = fixed_sequence([i / 40 for i in range(40)], [False] * 40, alpha=0.05, delta=0.05)
    assert found.refusal.code is RefusalCode.TOO_FEW_LABELS
    assert found.refusal.message == (
        "40 labelled calls; at most 5 % wrong at 95 % confidence needs 59 labels in the executed region without an error: "
        "label 19 more, 93 if one is wrong (in all)"
    )
    assert (found.start, found.execute_below, found.n) == (0, None, 40)
    assert "0 labelled calls" in fixed_sequence([], [], alpha=0.02, delta=0.05).refusal.message


def test_an_error_prone_top_says_how_many_labels_would_do():
    scores = [i / 200 for i in range(200)]
    found = fixed_sequence(scores, [i % 25 == 0 for i in range(200)], alpha=0.05, delta=0.05)
    needs = labels_for_power(3 / 59, 0.05, 0.05)
    assert found.refusal.code is RefusalCode.TOP_CALLS_TOO_ERROR_PRONE
    assert needs is None
    assert "3 of the 59 safest calls were wrong (5.085 %)" in found.refusal.message
    assert "more labels will not help" in found.refusal.message
    found = fixed_sequence(scores, [i == 0 for i in range(200)], alpha=0.05, delta=0.05)
    needs = labels_for_power(1 / 59, 0.05, 0.05)
    assert f"about {needs} labels of such calls pass at 80 % power: label {needs - 59} more" in found.refusal.message


@pytest.mark.parametrize(
    ("scores", "wrong", "more", "said"),
    [
        ([0.1, math.nan], [True, False], {}, "number 2 of the scores is nan"),
        ([0.1, math.inf], [True, False], {}, "number 2 of the scores is inf"),
        ([-0.1, 0.5], [True, False], {}, "number 1 of the scores is -0.1"),
        ([0.1, 1.5], [True, False], {}, "number 2 of the scores is 1.5"),
        (["low", 0.5], [True, False], {}, "no numbers"),
        ([[0.1, 0.2]], [True, False], {}, "plain list"),
        ([0.1, 0.2], [1, 0], {}, "labels must be true or false"),
        ([0.1, 0.2], [True, None], {}, "labels must be true or false"),
        ([0.1, 0.2], ["true", "false"], {}, "labels must be true or false"),
        ([0.1, 0.2], [True], {}, "one label a score"),
        ([0.1], [True], {"alpha": 0}, "alpha is 0"),
        ([0.1], [True], {"alpha": 1.0}, "alpha is 1.0"),
        ([0.1], [True], {"alpha": math.nan}, "alpha is nan"),
        ([0.1], [True], {"delta": -0.1}, "delta is -0.1"),
        ([0.1], [True], {"delta": True}, "delta is True"),
        ([0.1], [True], {"start": 0}, "cannot start at 0"),
        ([0.1], [True], {"floor": 0.0}, "the floor is 0.0"),
        ([0.1, 0.3], [True, False], {"floor": 0.3}, "1 of the scores lie at the floor"),
        ([0.1], [True], {"cuts": "traffic"}, "cuts are 'traffic'"),
        ([0.1], [True], {"cuts": []}, "fixed cuts are"),
        ([0.1], [True], {"cuts": [0.0, 0.5]}, "fixed cuts are"),
        ([0.1], [True], {"cuts": [0.5, 0.5]}, "fixed cuts are"),
        ([0.1], [True], {"cuts": [0.5, 1.5]}, "fixed cuts are"),
        ([0.1], [True], {"cuts": [0.5, math.nan]}, "fixed cuts are"),
        ([0.1], [True], {"cuts": [0.2, 0.6], "floor": 0.5}, "at most the floor of 0.5"),
        ([0.1], [True], {"cuts": ["a"]}, "the cuts are no numbers"),
        ([0.1], [True], {"cuts": [0.5], "start": 3}, "cannot start at 3"),
    ],
)
def test_what_is_no_sample_is_refused(scores, wrong, more, said):
    with pytest.raises(ConfigError, match=said):
        fixed_sequence(scores, wrong, **{"alpha": 0.1, "delta": 0.05, **more})


@pytest.mark.parametrize("rate", [-0.1, 1.1, math.nan])
def test_a_rate_that_is_none(rate):
    with pytest.raises(ConfigError):
        labels_for_power(rate, 0.1, 0.05)


def test_fewer_than_no_errors():
    with pytest.raises(ConfigError):
        labels_needed(0.1, 0.05, -1)


class TestStart:
    """Where a walk begins."""

    def test_by_itself_at_a_quarter_whatever_the_scores(self):
        scores, wrong = a_sample(401)
        found = fixed_sequence([score**4 for score in scores], wrong, alpha=0.2, delta=0.05)
        assert found.start == 101

    @given(st.integers(14, 200), st.integers(0, 10**6), st.sampled_from([0.3, 1.0, 3.0]), st.booleans())
    def test_no_label_decides_it_and_it_is_not_before_a_quarter(self, n, seed, power, all_wrong):
        scores = [score**power for score in a_sample(n, seed=seed)[0]]
        found, other = (
            fixed_sequence(scores, wrong, alpha=0.2, delta=0.05, planned=True)
            for wrong in ([False] * n, [all_wrong] * n)
        )
        assert found.start == other.start >= max(14, math.ceil(n / 4))

    @given(st.integers(60, 300), st.integers(0, 10**6))
    def test_the_rest_is_the_walk_from_there(self, n, seed):
        scores, wrong = a_sample(n, seed=seed, slope=0.4)
        scores = [score**2 for score in scores]
        found = fixed_sequence(scores, wrong, alpha=0.1, delta=0.05, planned=True)
        assert found == fixed_sequence(scores, wrong, alpha=0.1, delta=0.05, start=found.start)

    def test_two_wrong_calls_among_the_safest_do_not_end_it(self):
        scores = [i / 800 for i in range(60)] + [0.3 + i / 100 for i in range(21)]
        wrong = [i in (0, 3) or i >= 60 for i in range(81)]
        assert fixed_sequence(scores, wrong, alpha=0.2, delta=0.05, start=21).refusal is not None
        found = fixed_sequence(scores, wrong, alpha=0.2, delta=0.05, planned=True)
        assert 30 < found.start <= 60
        assert found.executed >= 60

    def test_planned_by_scores_that_are_ranks_it_begins_at_a_quarter_too(self):
        scores, wrong = a_sample(400)
        assert fixed_sequence(scores, wrong, alpha=0.05, delta=0.05, planned=True).start == 100


class TestFixedCuts:
    def test_they_are_tried_from_the_first_and_only_they(self):
        scores = [i / 100 for i in range(100)]
        wrong = [i >= 70 for i in range(100)]
        found = fixed_sequence(scores, wrong, alpha=0.05, delta=0.05, cuts=[0.605, 0.65, 0.9, 2.0])
        assert (found.execute_below, found.executed, found.start) == (0.65, 65, 61)

    def test_the_last_lets_everything_run(self):
        found = fixed_sequence([i / 60 for i in range(60)], [False] * 60, alpha=0.05, delta=0.05, cuts=[0.99, 2.0])
        assert (found.execute_below, found.coverage) == (2.0, 1.0)

    def test_too_few_labels_below_the_first_spend_nothing(self):
        found = fixed_sequence([i / 100 for i in range(100)], [False] * 100, alpha=0.05, delta=0.05, cuts=[0.3, 0.9])
        assert (found.start, found.refusal.code) == (0, RefusalCode.TOO_FEW_LABELS)
        assert "100 labelled calls, 30 of them below the first cut" in found.refusal.message
        assert "label 29 more" in found.refusal.message

    def test_planned_they_begin_where_a_test_is_likeliest_to_pass(self):
        risks = np.linspace(0, 1, 1_001) ** 4
        cuts = traffic_cuts(risks, n=200, alpha=0.1, delta=0.05, planned=True)
        assert (risks < traffic_cuts(risks, n=200, alpha=0.1, delta=0.05)[0]).mean() == pytest.approx(0.25, abs=0.011)
        share = float((risks < cuts[0]).mean())
        assert 0.3 < share < 0.7
        assert risks[risks < cuts[0]].mean() < 0.05

    def test_cuts_of_traffic_are_its_quantiles_from_a_quarter_on(self):
        cuts = traffic_cuts(np.linspace(0, 1, 1_001), n=2_000, alpha=0.1, delta=0.05)
        assert cuts[0] == pytest.approx(0.26, abs=0.011)
        assert cuts[-1] == 2.0
        assert (np.diff(cuts) > 0).all()
        assert len(cuts) == pytest.approx(76, abs=2)

    def test_with_few_labels_they_begin_where_enough_are_expected(self):
        cuts = traffic_cuts(np.linspace(0, 1, 1_001), n=50, alpha=0.1, delta=0.05)
        rng = np.random.default_rng(0)
        below = (rng.random((2_000, 50)) < cuts[0]).sum(axis=1)
        assert (below >= labels_needed(0.1, 0.05)).mean() > 0.94

    def test_few_distinct_risks_are_all_tried(self):
        cuts = traffic_cuts([0.0, 0.2, 0.4, 0.6, 0.8, 1.0] * 50, n=1_000, alpha=0.1, delta=0.05)
        assert cuts.tolist() == [0.4, 0.6, 0.8, 1.0, 2.0]

    def test_a_floor_is_the_last_cut(self):
        cuts = traffic_cuts(np.linspace(0, 1, 101), n=1_000, alpha=0.1, delta=0.05, floor=0.5)
        assert cuts[-1] == 0.5
        assert fixed_sequence([0.1] * 50, [False] * 50, alpha=0.1, delta=0.05, floor=0.5, cuts=cuts).executed == 50

    def test_where_no_test_is_possible_everything_is_the_only_cut(self):
        assert traffic_cuts([0.5], n=5, alpha=0.1, delta=0.05).tolist() == [2.0]

    @pytest.mark.parametrize("traffic", [[], [math.nan], [2.0]])
    def test_no_traffic(self, traffic):
        with pytest.raises(ConfigError):
            traffic_cuts(traffic, n=100, alpha=0.1, delta=0.05)
