"""Laws of the calibrated threshold: the score of a call depends on the call, and on nothing that is decided by it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail.policy import Resolution
from guardrail.types import PlanningStep, Reason, Route, Sample, Signal, StepVerdict, Tier, Token, Verdict
from tests.engine.calibrations import disagreement, rules
from tests.engine.flows import Rules, run, stage, tier
from tests.engine.steps import BROKEN, GOOD, OTHER, Answering, Stated, pay, read, sample, step
from tests.engine.test_laws import DRAWN, MODELS, model, resolutions, steps
from tests.support.calibrated import a_threshold

TIERS = (Tier.LOW, Tier.MEDIUM, Tier.HIGH)
BELOW = st.sampled_from([0.06, 0.1, 0.3, 0.5, 0.9, 1.0])
ANYTHING = {
    "one": steps(),
    "pays": resolutions(),
    "reads": resolutions(),
    "drawn": DRAWN,
    "names": st.sampled_from(MODELS),
    "answer": st.sampled_from(["0.95", "0.3", ""]),
    "below": BELOW,
}


def decided(
    one: PlanningStep,
    by_tool: dict[str, Resolution],
    drawn: Sequence[Sample],
    names: Sequence[str],
    answer: str,
    below: float | None,
    **options: bool | float,
) -> StepVerdict:
    asker = Answering(answer) if answer else None
    calibration = rules(a_threshold(below), tiers=TIERS)
    return run(
        one,
        Rules(by_tool),
        drawn,
        own=[Stated()],
        risk=model(names),
        asker=asker,
        calibration=calibration,
        **options,  # type: ignore[arg-type]
    ).verdict


def said(verdict: StepVerdict) -> list[tuple[Route, int, bool, bool]]:
    return [(each.route, each.stage, each.calibrated, each.doubted) for each in verdict.verdicts]


def early_is_full(
    one: PlanningStep,
    pays: Resolution,
    reads: Resolution,
    drawn: list[Sample],
    names: tuple[str, ...],
    answer: str,
    below: float,
) -> None:
    given = (one, {"pay": pays, "read": reads}, drawn, names, answer, below)
    early, full, audited = (decided(*given, **how) for how in ({}, {"curtail": False}, {"audit": 0.0}))
    assert said(early) == said(full) == said(audited)
    assert early.drawn <= full.drawn <= audited.drawn


@given(**ANYTHING)
@settings(max_examples=300, deadline=None)
def test_neither_stopping_early_nor_an_audit_changes_what_a_threshold_decides(
    one: PlanningStep,
    pays: Resolution,
    reads: Resolution,
    drawn: list[Sample],
    names: tuple[str, ...],
    answer: str,
    below: float,
) -> None:
    early_is_full(one, pays, reads, drawn, names, answer, below)


@pytest.mark.slow
@given(**ANYTHING)
@settings(max_examples=5_000, deadline=None)
def test_neither_stopping_early_nor_an_audit_changes_what_a_threshold_decides_at_length(
    one: PlanningStep,
    pays: Resolution,
    reads: Resolution,
    drawn: list[Sample],
    names: tuple[str, ...],
    answer: str,
    below: float,
) -> None:
    early_is_full(one, pays, reads, drawn, names, answer, below)


def score_of(verdict: Verdict) -> tuple[int, Signal | None, bool]:
    found = (each for each in verdict.scored or verdict.signals if each.name == "risk")
    return verdict.stage, next(found, None), verdict.doubted


@given(**ANYTHING, other=BELOW)
@settings(max_examples=200, deadline=None)
def test_the_score_does_not_depend_on_the_threshold(
    one: PlanningStep,
    pays: Resolution,
    reads: Resolution,
    drawn: list[Sample],
    names: tuple[str, ...],
    answer: str,
    below: float,
    other: float,
) -> None:
    """So a threshold can be calibrated on it; and who has no threshold is measured alike."""
    by_tool = {"pay": pays, "read": reads}
    verdicts = [decided(one, by_tool, drawn, names, answer, each, audit=0.0).verdicts for each in (below, other, None)]
    for here, there, unset in zip(*verdicts, strict=True):
        assert score_of(here) == score_of(there) == score_of(unset)
        assert unset.route is Route.REVIEW
        if here.calibrated and here.route is Route.EXECUTE:
            risk = here.signal("risk")
            assert risk is not None
            assert (risk.bounds[1] if risk.bounds else risk.value or 0.0) < below
        else:
            assert here.route is not Route.EXECUTE


@given(
    drawn=st.lists(st.sampled_from([GOOD, OTHER, BROKEN, sample(pay(10), read("a"))]), min_size=8, max_size=8),
    n=st.integers(2, 6),
    below=BELOW,
    early=st.booleans(),
)
@settings(max_examples=150, deadline=None)
def test_a_sibling_that_draws_more_samples_changes_nothing(
    drawn: list[Sample], n: int, below: float, early: bool
) -> None:
    """Alone a call draws its tier's N; beside another it still looks at these alone."""
    cascade = (stage(2, execute="agreement ge 1.0", doubt="agreement le 0.0"),) if early else ()
    mine = tier(*cascade, samples=n, tier=Tier.LOW)
    by_tool = {"pay": mine, "read": tier(samples=8, tier=Tier.HIGH)}
    calibration = rules(a_threshold(below), tiers=TIERS)
    alone, beside = (
        run(
            replace(step(*calls), attempt=1),
            Rules(by_tool),
            drawn,
            risk=disagreement(),
            calibration=calibration,
            curtail=False,
        ).verdict.verdicts[0]
        for calls in ((pay(10),), (pay(10), read("a")))
    )
    assert (alone.route, alone.stage, alone.calibrated) == (beside.route, beside.stage, beside.calibrated)
    assert score_of(alone) == score_of(beside)


def test_a_stage_that_would_execute_is_the_last_one_asked() -> None:
    rules_of = tier(stage(3, execute="agreement ge 0.6"), samples=8, agreement=1.0)
    drawn = [GOOD, GOOD, OTHER, *[GOOD] * 5]
    for below, route in ((0.5, Route.EXECUTE), (0.2, Route.RETRY)):
        ran = run(step(pay(10)), rules_of, drawn, risk=disagreement(), calibration=rules(a_threshold(below)))
        (one,) = ran.verdict.verdicts
        assert (one.route, one.stage, one.calibrated, ran.drawn) == (route, 1, True, [3])
        assert one.risk == pytest.approx(0.2689, abs=1e-3)


def test_a_stage_whose_risk_was_never_learned_does_not_execute_and_is_the_last_one_asked() -> None:
    """The model was fitted on calls with samples alone: without them it has no risk, and no score."""
    rules_of = tier(samples=8, tier=Tier.LOW, logprob=-0.5)
    from tests.engine.steps import likely

    ran = run(likely(-0.01), rules_of, [GOOD] * 8, risk=disagreement(), calibration=rules(tiers=TIERS))
    (one,) = ran.verdict.verdicts
    assert (one.route, one.reason, one.stage, ran.drawn) == (Route.REVIEW, Reason.NOT_MEASURED, 1, [])
    assert "never learned from" in one.why


def test_a_stage_that_executes_on_something_else_pays_for_its_risk_all_the_same() -> None:
    class Same:
        name = "same"

        def equivalent(self, pairs: Sequence[object]) -> list[bool]:
            return [True] * len(pairs)

    texts = ('{"', "amount", '":', " ", "10", ', "memo": "lunch"}')
    planned = sample(pay(10, "lunch"), tokens=tuple(Token(text=text, logprob=-0.01) for text in texts))
    ran = run(
        step(planned=planned),
        tier(stage(3, execute="logprob_min ge -1"), samples=8),
        [sample(pay(10, "a meal"))] * 8,
        risk=disagreement(),
        calibration=rules(a_threshold(0.3)),
        judge=Same(),
    )
    (one,) = ran.verdict.verdicts
    assert (one.route, one.stage, one.calibrated, ran.drawn) == (Route.EXECUTE, 1, True, [3])


def test_a_doubt_keeps_a_call_from_running_whatever_its_risk_is() -> None:
    rules_of = tier(stage(2, doubt="agreement le 0.0"), samples=8)
    ran = run(
        step(pay(10)), rules_of, [OTHER] * 2 + [GOOD] * 6, risk=disagreement(), calibration=rules(a_threshold(1.0))
    )
    (one,) = ran.verdict.verdicts
    assert (one.route, one.reason, one.doubted, one.calibrated) == (Route.RETRY, Reason.DOUBTFUL, True, False)
    assert one.uncalibrated == "stage 1 decided without the risk"


def test_signals_are_on_record_as_they_stood_when_the_call_was_decided() -> None:
    """So a risk that is learned from records is the risk that decides."""
    rules_of = tier(stage(2, execute="agreement ge 1.0"), samples=8, audit=0.5)
    audited = run(step(pay(10)), rules_of, [GOOD] * 2 + [OTHER] * 6, audit=0.0).verdict.verdicts[0]
    assert [one.value for one in audited.signals] == [0.25]
    assert [one.value for one in audited.scored] == [1.0]
    plain = run(step(pay(10)), tier(samples=8), [GOOD] * 8).verdict.verdicts[0]
    assert plain.scored == ()
