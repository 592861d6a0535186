"""Conditions in three values, and what a stage makes of them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.engine.decide import Tally, cuts, late_look, tally
from guardrail.engine.stages import Outcome, Reading, concluded, count, expect, read
from guardrail.policy import Condition, Op, Stage, Stopping, StoppingRule
from guardrail.types import Signal

HIGH = Condition(signal="x", op=Op.GE, value=0.5)
LOW = Condition(signal="x", op=Op.LT, value=0.2)


@pytest.mark.parametrize(
    ("signal", "firm", "truth"),
    [
        (Signal(name="x", value=0.5), True, True),
        (Signal(name="x", value=0.4), True, False),
        (Signal(name="x", value=0.9), False, None),  # over some of the samples it takes
        (Signal(name="x", missing="no"), True, None),
        (Signal(name="x", value=0.6, bounds=(0.5, 0.9)), True, True),
        (Signal(name="x", value=0.6, bounds=(0.4, 0.9)), True, None),
        (Signal(name="x", missing="2 of 8 drawn", bounds=(0.5, 1.0)), False, True),
        (Signal(name="x", missing="2 of 8 drawn", bounds=(0.0, 0.49)), False, False),
    ],
)
def test_bounds_come_before_the_value_and_missing_is_open(signal: Signal, firm: bool, truth: bool | None) -> None:
    assert read(HIGH, signal, firm=firm).truth is truth


@pytest.mark.parametrize(
    ("op", "value", "agreeing", "disagreeing", "truth"),
    [
        (Op.GE, 2 / 3, 2, 0, True),
        (Op.GE, 2 / 3, 1, 1, None),
        (Op.GE, 2 / 3, 0, 2, False),
        (Op.GE, 2 / 3, 1, 2, False),
        (Op.GT, 2 / 3, 2, 0, None),
        (Op.GT, 2 / 3, 3, 0, True),
        (Op.LE, 1 / 3, 0, 2, True),
        (Op.LE, 1 / 3, 1, 1, None),
        (Op.LE, 1 / 3, 2, 0, False),
        (Op.LT, 1 / 3, 1, 0, False),
        (Op.LT, 1 / 3, 0, 3, True),
    ],
)
def test_agreement_is_counted(op: Op, value: float, agreeing: int, disagreeing: int, truth: bool | None) -> None:
    counted = Tally(asked=3, needed=0, agreeing=agreeing, disagreeing=disagreeing)
    condition = Condition(signal="agreement", op=op, value=value)
    assert count(condition, Signal(name="agreement", missing="not read"), counted).truth is truth


@given(
    answers=st.lists(st.sampled_from([True, False, None]), min_size=1, max_size=10),
    share=st.integers(1, 100),
    op=st.sampled_from(list(Op)),
)
def test_what_is_sure_about_agreement_stays_so(answers: list[bool | None], share: int, op: Op) -> None:
    condition = Condition(signal="agreement", op=op, value=share / 100)
    seen = []
    for m in range(len(answers) + 1):
        counted = tally(answers[:m], asked=len(answers), needed=0)
        seen.append(count(condition, Signal(name="agreement", missing="not read"), counted).truth)
    sure = [truth for truth in seen if truth is not None]
    assert len(set(sure)) <= 1
    assert seen == sorted(seen, key=lambda truth: truth is not None)


def reading(condition: Condition, truth: bool | None) -> Reading:
    return Reading(condition=condition, signal=Signal(name="x", missing="not read"), truth=truth)


def outcome(execute: list[bool | None], doubt: list[bool | None], *, last: bool = False) -> Outcome:
    stage = Stage(execute=(HIGH,) * len(execute), doubt=(LOW,) * len(doubt))
    return concluded(
        stage, [reading(HIGH, one) for one in execute], [reading(LOW, one) for one in doubt], last=last
    ).outcome


@pytest.mark.parametrize(
    ("execute", "doubt", "before", "last"),
    [
        ([True], [], Outcome.EXECUTE, Outcome.EXECUTE),
        ([True, None], [], Outcome.OPEN, Outcome.OPEN),
        ([True, False], [], Outcome.NEXT, Outcome.DOUBT),
        ([None, False], [], Outcome.NEXT, Outcome.DOUBT),
        ([], [], Outcome.NEXT, Outcome.OPEN),
        ([True], [False], Outcome.EXECUTE, Outcome.EXECUTE),
        ([True], [True], Outcome.DOUBT, Outcome.DOUBT),
        ([True], [None], Outcome.OPEN, Outcome.OPEN),
        ([False], [None], Outcome.OPEN, Outcome.DOUBT),
        ([None], [False, True], Outcome.DOUBT, Outcome.DOUBT),
        ([], [False], Outcome.NEXT, Outcome.OPEN),
        ([], [None], Outcome.OPEN, Outcome.OPEN),
    ],
)
def test_a_stage_concludes(
    execute: list[bool | None], doubt: list[bool | None], before: Outcome, last: Outcome
) -> None:
    assert (outcome(execute, doubt), outcome(execute, doubt, last=True)) == (before, last)


@given(
    st.lists(st.sampled_from([True, False, None]), max_size=3),
    st.lists(st.sampled_from([True, False, None]), max_size=2),
    st.booleans(),
)
def test_what_a_stage_has_concluded_no_further_evidence_changes(
    execute: list[bool | None], doubt: list[bool | None], last: bool
) -> None:
    found = outcome(execute, doubt, last=last)
    if found is Outcome.OPEN:
        return
    ways = [[one] if one is not None else [True, False, None] for one in (*execute, *doubt)]
    for settled in itertools.product(*ways):
        then = outcome(list(settled[: len(execute)]), list(settled[len(execute) :]), last=last)
        assert then is found or (found is Outcome.NEXT and then is Outcome.NEXT)


def test_only_the_bayesian_rule_foretells_and_only_from_samples() -> None:
    condition = Condition(signal="agreement", op=Op.GE, value=1.0)
    counted = Tally(asked=8, needed=8, agreeing=6)
    bayes = Stopping(rule=StoppingRule.BAYESIAN, error=0.25)
    is_open = count(condition, Signal(name="agreement", missing="not read"), counted)
    assert is_open.truth is None
    assert expect(is_open, counted, remaining=2, stopping=Stopping()).truth is None
    found = expect(is_open, counted, remaining=2, stopping=bayes)
    assert found.truth is True
    assert found.forecast is not None
    assert found.forecast.reached == pytest.approx(7 / 9)
    nothing = Tally(asked=8, needed=1)
    assert expect(is_open, nothing, remaining=8, stopping=Stopping(rule=StoppingRule.BAYESIAN, error=0.4)).truth is None


@pytest.mark.parametrize(
    ("n", "needed", "looks"), [(3, 2, (2,)), (5, 4, (2, 4)), (8, 8, (1, 3)), (10, 8, (4, 8)), (2, 1, (1,)), (1, 1, ())]
)
def test_when_to_look(n: int, needed: int, looks: tuple[int, ...]) -> None:
    assert cuts(n, needed) == looks


def test_without_a_count_that_decides_one_looks_halfway() -> None:
    assert (cuts(8, 0), cuts(1, 0)) == ((4,), ())


@pytest.mark.parametrize(("n", "looks"), [(10, (5,)), (8, (5,)), (20, (10,)), (5, (4,)), (3, (2,)), (2, (1,)), (1, ())])
def test_the_bayesian_rule_looks_once_and_late(n: int, looks: tuple[int, ...]) -> None:
    assert late_look(n) == looks
