"""The false alarms and the delays of the e-process, computed exactly and simulated; and its laws."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.calibration.eprocess import MOST, Answer, EProcess
from guardrail.codec import from_json, to_json
from guardrail.errors import ConfigError
from tests.benchmarks.watching import crossing, false_alarms_of_a_rolling_test, quantile

DELTA = 0.05
LOOKS = 4000
MEDIANS = {(0.05, 2): 163, (0.02, 2): 526, (0.01, 2): 1156, (0.05, 3): 48, (0.02, 3): 136, (0.01, 3): 296}
"""Audits until half of the alarms are raised, by alpha and by how many times alpha are wrong: the most there may be."""

outcomes = st.lists(st.booleans(), max_size=60)
alphas = st.floats(min_value=0.001, max_value=0.9)


def after(answers, *, alpha: float = 0.05, delta: float = DELTA) -> EProcess:
    process = EProcess.start(alpha=alpha, delta=delta)
    for wrong in answers:
        process = process.update(wrong)
    return process


@pytest.mark.parametrize("alpha", [0.2, 0.1, 0.05, 0.02, 0.01])
def test_false_alarms_stay_below_delta_however_often_one_looks(alpha: float) -> None:
    assert 0.02 < crossing(alpha, DELTA, risk=alpha, audits=LOOKS)[-1] <= DELTA


@pytest.mark.parametrize(("alpha", "times"), MEDIANS)
def test_the_alarm_comes_as_soon_as_promised(alpha: float, times: int) -> None:
    most = MEDIANS[alpha, times]
    assert quantile(crossing(alpha, DELTA, risk=times * alpha, audits=2 * most), 0.5) <= most


def test_a_rolling_binomial_test_raises_false_alarms_all_the_time() -> None:
    assert false_alarms_of_a_rolling_test(0.05, DELTA, audits=LOOKS, window=200, runs=200, seed=1) > 0.5


@pytest.mark.slow
@pytest.mark.parametrize(("alpha", "times", "audits"), [(0.1, 1, 1500), (0.05, 2, 127)])
def test_the_exact_figures_are_those_of_simulated_audits(alpha: float, times: int, audits: int) -> None:
    rng = np.random.default_rng(5)
    runs = 400
    raised = sum(after(rng.random(audits) < times * alpha, alpha=alpha).alarm for _ in range(runs)) / runs
    exact = crossing(alpha, DELTA, risk=times * alpha, audits=audits)[-1]
    assert abs(raised - exact) < 4 * math.sqrt(exact / runs)


@pytest.mark.slow
def test_calls_that_are_audited_with_different_probabilities_raise_no_more_false_alarms() -> None:
    """Wrong calls are audited five times as often as right ones are, and the tier holds its promise."""
    alpha, audits, runs = 0.1, 800, 300
    rng = np.random.default_rng(7)
    raised = naive = 0
    for _ in range(runs):
        weighted = unweighted = EProcess.start(alpha=alpha, delta=DELTA)
        risky = rng.random(10 * audits) < 0.2
        wrong = rng.random(10 * audits) < np.where(risky, 0.4, 0.025)
        probability = np.where(risky, 0.25, 0.05)
        for index in np.flatnonzero(rng.random(10 * audits) < probability)[:audits]:
            weighted = weighted.update(bool(wrong[index]), stake=0.05 / float(probability[index]))
            unweighted = unweighted.update(bool(wrong[index]))
        raised += weighted.alarm
        naive += unweighted.alarm
    assert raised / runs <= DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / runs)
    assert naive / runs > 0.9


@pytest.mark.slow
def test_calls_of_one_step_that_fail_together_raise_no_more_false_alarms() -> None:
    alpha, steps, runs, calls = 0.1, 500, 250, 3
    rng = np.random.default_rng(9)
    shared = alone = 0
    for _ in range(runs):
        together = apart = EProcess.start(alpha=alpha, delta=DELTA)
        for wrong in rng.random(steps) < alpha:
            together = together.exchange((), [Answer(wrong=bool(wrong))] * calls)
            for _ in range(calls):
                apart = apart.update(bool(wrong))
        shared += together.alarm
        alone += apart.alarm
    assert shared / runs <= DELTA + 3 * math.sqrt(DELTA * (1 - DELTA) / runs)
    assert alone / runs > 0.2


@given(alpha=alphas, risk=st.floats(min_value=0, max_value=1), stake=st.floats(min_value=0.01, max_value=MOST))
def test_one_bet_wins_nothing_on_average_while_the_promise_holds(alpha: float, risk: float, stake: float) -> None:
    start = EProcess.start(alpha=alpha, delta=DELTA)
    wrong, right = (start.update(outcome, stake=stake).e_value for outcome in (True, False))
    expected = risk * wrong + (1 - risk) * right
    assert right > 0
    assert (expected <= 1 + 1e-9) == (risk <= alpha) or math.isclose(expected, 1, abs_tol=1e-6)


@given(answers=outcomes, alpha=alphas, seed=st.randoms(use_true_random=False))
def test_the_order_of_answers_does_not_matter(answers: list[bool], alpha: float, seed) -> None:
    shuffled = list(answers)
    seed.shuffle(shuffled)
    one, other = after(answers, alpha=alpha), after(shuffled, alpha=alpha)
    assert one.logs == pytest.approx(other.logs)
    assert (one.n, one.wrong) == (other.n, other.wrong) == (len(answers), sum(answers))


@given(answers=outcomes, alpha=alphas)
def test_an_exchanged_answer_is_as_if_it_had_been_the_first(answers: list[bool], alpha: float) -> None:
    changed = after([False, *answers], alpha=alpha).exchange([Answer(wrong=False)], [Answer(wrong=True)])
    told_at_once = after([True, *answers], alpha=alpha)
    assert changed.logs == pytest.approx(told_at_once.logs)
    assert (changed.n, changed.wrong) == (told_at_once.n, told_at_once.wrong)


@given(answers=outcomes)
def test_an_alarm_stays_and_a_wrong_call_is_never_good_news(answers: list[bool]) -> None:
    seen = [after(answers[:count]) for count in range(len(answers) + 1)]
    assert all(later.peak >= earlier.peak for earlier, later in pairwise(seen))
    assert all(one.update(True).e_value > one.e_value > one.update(False).e_value for one in seen)


def test_an_alarm_is_raised_at_the_limit() -> None:
    process = EProcess.start(alpha=0.05, delta=DELTA)
    while not process.alarm:
        assert process.e_value < process.limit == 20
        process = process.update(True)
    assert process.e_value >= 20
    calm = process
    for _ in range(500):
        calm = calm.update(False)
    assert calm.alarm
    assert calm.e_value < 1


def test_evidence_without_end_is_still_a_number() -> None:
    process = EProcess.start(alpha=0.01, delta=DELTA).exchange((), ())
    assert process.e_value == 1
    assert math.isfinite(after([True] * 2000, alpha=0.01).e_value)


def test_it_survives_being_written_down() -> None:
    process = after([True, False, True])
    assert from_json(EProcess, to_json(process)) == process


@pytest.mark.parametrize(("alpha", "delta"), [(0, 0.05), (1, 0.05), (0.1, 0), (0.1, 1), (math.nan, 0.05)])
def test_impossible_promises_are_refused(alpha: float, delta: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        EProcess.start(alpha=alpha, delta=delta)


@pytest.mark.parametrize("stakes", [[0], [-1], [MOST + 0.1], [2, 2], [math.nan]])
def test_stakes_that_could_cost_more_than_there_is_are_refused(stakes: list[float]) -> None:
    with pytest.raises(ValueError, match="stakes"):
        EProcess.start(alpha=0.1, delta=DELTA).exchange((), [Answer(wrong=False, stake=one) for one in stakes])


@pytest.mark.parametrize(
    "changed", [{"logs": [0.0]}, {"logs": [math.nan] * 7}, {"wrong": 2}, {"wrong": -1}, {"peak": math.inf}]
)
def test_damaged_evidence_is_not_read(changed: dict) -> None:
    with pytest.raises(ConfigError, match="this is not a EProcess"):
        from_json(EProcess, {**to_json(after([True])), **changed})
