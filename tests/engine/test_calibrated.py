"""A guard that runs on calibrated thresholds: what runs, what is promised, and why a call is uncalibrated."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail import AsyncGuard, Guard, Policy
from guardrail.errors import ConfigError
from guardrail.sampling import ScriptedSampler
from guardrail.types import (
    Alarm,
    Attempts,
    Reason,
    Route,
    Tier,
    ToolEvidence,
    Verdict,
)
from tests.engine.calibrations import Keeping, Workplace
from tests.engine.steps import BROKEN, GOOD, OTHER, Broken, in_order, pay, read, sample, step
from tests.support.calibrated import a_threshold

TIER = Tier.HIGH


@pytest.fixture
def place(tmp_path: Path) -> Workplace:
    return Workplace(tmp_path)


def verdict(place: Workplace, *args: Any, **options: Any) -> Verdict:
    (one,) = place.recorded(*args, **options).verdict.verdicts
    return one


def test_a_call_below_the_threshold_runs_and_says_what_is_promised(place: Workplace) -> None:
    made = place.calibrate(a_threshold(0.11, executed=150, n=212, wrong=5, errors=20))
    one = verdict(place, curtail=False)
    assert (one.route, one.reason, one.calibrated, one.uncalibrated) == (Route.EXECUTE, Reason.CLEARED, True, "")
    assert one.why == (
        "risk 0.0474, below 0.11: at most 10 % of the calls run like this are wrong (95 % confidence, 212 labels): it runs."
    )
    promise = one.promise
    assert promise is not None
    assert (promise.alpha, promise.delta, promise.n, promise.executed) == (0.1, 0.05, 212, 150)
    assert (promise.execute_below, one.threshold) == (0.11, 0.11)
    assert promise.calibration == digest_of(made)


def digest_of(made: Any) -> str:
    from guardrail.calibration import calibration_digest

    return calibration_digest(made)


def test_a_risk_at_the_threshold_does_not_run(place: Workplace) -> None:
    risk = place.recorded(curtail=False).verdict.verdicts[0].risk
    assert risk is None
    place.calibrate(a_threshold(0.5))
    exact = verdict(place, curtail=False).risk
    assert exact is not None
    place.calibrate(a_threshold(exact))
    one = verdict(place, curtail=False)
    assert (one.route, one.reason, one.calibrated) == (Route.RETRY, Reason.DOUBTFUL, True)
    assert "not below" in one.why
    place.calibrate(a_threshold(exact * (1 + 1e-9)))
    assert verdict(place, curtail=False).route is Route.EXECUTE


def test_the_agreement_that_the_tier_asks_for_does_not_decide(place: Workplace) -> None:
    place.calibrate(a_threshold(0.3))
    one = verdict(place, None, [GOOD] * 7 + [OTHER])
    assert (one.route, one.needed) == (Route.EXECUTE, 0)


def test_every_risk_runs_where_every_label_was_right(place: Workplace) -> None:
    place.calibrate(a_threshold(2.0, executed=150, n=150, wrong=5, errors=5))
    one = verdict(place, None, [OTHER] * 8)
    assert one.route is Route.EXECUTE
    assert "below" not in one.why


def test_the_asynchronous_guard_says_the_same(place: Workplace) -> None:
    place.calibrate(a_threshold(0.3))
    for drawn in ([GOOD] * 8, [OTHER] * 8, [BROKEN] * 8):
        guard = AsyncGuard(Policy.load(place.folder / "policy.yaml"), ScriptedSampler(in_order(drawn)), Keeping())
        found = asyncio.run(guard.assess(step(pay(10))))
        here = place.recorded(None, drawn).verdict
        assert replace(found, seconds=0.0) == replace(here, seconds=0.0)


def test_a_retried_step_has_a_threshold_of_its_own(place: Workplace) -> None:
    first = a_threshold(0.2, attempts=Attempts.FIRST, delta=0.025, wrong=0)
    place.calibrate(first, a_threshold(0.6, attempts=Attempts.RETRIED, delta=0.025, wrong=0))
    drawn = [GOOD] * 4 + [OTHER] * 4
    assert verdict(place, None, drawn).reason is Reason.DOUBTFUL
    again = verdict(place, step(pay(10), attempt=1), drawn)
    assert (again.route, again.threshold) == (Route.EXECUTE, 0.6)


def test_a_retried_step_without_a_threshold_is_reviewed(place: Workplace) -> None:
    place.calibrate(a_threshold(0.2, attempts=Attempts.FIRST, delta=0.025, wrong=0))
    one = verdict(place, step(pay(10), attempt=1))
    assert (one.route, one.reason, one.calibrated) == (Route.REVIEW, Reason.UNCALIBRATED, False)
    assert one.uncalibrated == "the high tier has no threshold for steps that are planned again"


def test_a_refused_threshold_says_the_refusal(place: Workplace) -> None:
    place.calibrate(a_threshold(None))
    record = place.recorded(None, [GOOD] * 8)
    (one,) = record.verdict.verdicts
    assert (one.route, one.reason) == (Route.REVIEW, Reason.UNCALIBRATED)
    assert one.uncalibrated == "the high tier has no threshold: label more"
    assert one.why.startswith("the high tier has no threshold: label more; 8 of 8 samples plan the same call")
    assert record.verdict.drawn == 8  # in full: whoever judges it gives a label that counts
    assert one.risk is not None


def test_a_tier_of_which_nothing_is_promised_is_reviewed(place: Workplace) -> None:
    place.calibrate(a_threshold(0.3), tiers=[Tier.LOW])
    assert "nothing is promised of the high tier" in verdict(place).uncalibrated


def test_uncalibrated_calls_may_follow_the_tiers_own_rule(place: Workplace) -> None:
    place.calibrate(a_threshold(None), keys="uncalibrated: defaults")
    one = verdict(place)
    assert (one.route, one.reason, one.calibrated) == (Route.EXECUTE, Reason.AGREED, False)
    assert one.uncalibrated == "the high tier has no threshold: label more"
    assert "not calibrated: the high tier has no threshold" in one.why
    assert verdict(place, None, [GOOD] * 7 + [OTHER]).route is Route.RETRY


def test_another_model_is_uncalibrated_and_back_again_it_is_not(place: Workplace) -> None:
    place.calibrate(one=step(pay(10), model="A"))
    other = verdict(place, step(pay(10), model="B"))
    assert (other.route, other.uncalibrated) == (Route.REVIEW, "the model is B, calibrated for A")
    assert verdict(place, step(pay(10), model="A")).calibrated


def test_a_vetoed_tool_is_reviewed_even_with_defaults(place: Workplace) -> None:
    veto = ToolEvidence(tool="pay", n=3, errors=2, executed=3, executed_errors=2, lower=0.2, upper=0.9, veto="too few")
    fine = ToolEvidence(tool="read", n=90, errors=2, executed=80, executed_errors=1, lower=0.0, upper=0.1)
    place.calibrate(a_threshold(0.3), tools=(veto, fine), keys="uncalibrated: defaults")
    one = verdict(place)
    assert (one.route, one.reason) == (Route.REVIEW, Reason.UNCALIBRATED)
    assert one.uncalibrated == "calls of pay are vetoed: too few"
    assert verdict(place, step(read("a")), [sample(read("a"))] * 8).calibrated


def test_a_tool_that_no_label_is_of_is_reviewed(place: Workplace) -> None:
    known = ToolEvidence(tool="read", n=90, errors=2, executed=80, executed_errors=1, lower=0.0, upper=0.1)
    place.calibrate(a_threshold(0.3), tools=(known,), keys="uncalibrated: defaults")
    one = verdict(place)
    assert (one.route, one.uncalibrated) == (Route.REVIEW, "none of the labelled calls is of pay")


@pytest.mark.parametrize("keys", ["", "uncalibrated: defaults"])
@pytest.mark.parametrize(("tool", "stands"), [("", True), ("pay", True), ("read", False)])
def test_an_alarm_tightens_to_review_until_it_is_cleared(place: Workplace, keys: str, tool: str, stands: bool) -> None:
    place.calibrate(a_threshold(0.3), keys=keys)
    alarm = Alarm(id="a1", at="", tier=TIER, tool=tool, alpha=0.1, delta=0.05, audits=40, wrong=9, e_value=31.0)
    one = verdict(place, store=Keeping(alarm))
    assert (one.reason is Reason.ALARM, one.route is Route.REVIEW, not one.calibrated) == (stands,) * 3
    if stands:
        assert "9 of 40 audited" in one.why
        assert "until a person clears it" in one.uncalibrated
    cleared = replace(alarm, cleared_at="2026-01-02T00:00:00+00:00", cleared_by="ana")
    assert verdict(place, store=Keeping(cleared)).calibrated
    assert verdict(place, store=Keeping(replace(alarm, tier=Tier.LOW))).calibrated


@pytest.mark.parametrize("drawn", [[BROKEN] * 8, [GOOD] * 4 + [BROKEN] * 4])
def test_what_could_not_be_measured_does_not_run_even_where_the_tier_says_so(tmp_path: Path, drawn: list[Any]) -> None:
    place = Workplace(tmp_path, "default: {tier: low}")
    keys = "tiers: {low: {unmeasured: execute, logprob: null}}"
    place.write(f"risk_model: risk.json\n{keys.replace('}}', '}, critical: {signals: [agreement, risk]}}')}")
    place.calibrate(a_threshold(0.06), tiers=[Tier.LOW], keys=keys)
    assert verdict(place, None, [GOOD] * 3).route is Route.EXECUTE
    one = verdict(place, None, drawn[-3:])
    assert (one.route, one.calibrated) == (Route.REVIEW, False)


def test_a_judge_that_is_down_lets_nothing_run_either(tmp_path: Path) -> None:
    place = Workplace(tmp_path, "default: {tier: low}")
    keys = "tiers: {low: {unmeasured: execute, logprob: null}}"
    place.write(f"risk_model: risk.json\n{keys.replace('}}', '}, critical: {signals: [agreement, risk]}}')}")
    place.calibrate(a_threshold(0.6), tiers=[Tier.LOW], keys=keys, options={"entailment": Broken(answer=None)})
    one = verdict(place, step(pay(10, "lunch")), [sample(pay(10, "a meal"))] * 3, entailment=Broken(answer=None))
    assert (one.route, one.reason, one.calibrated) == (Route.REVIEW, Reason.ENTAILMENT_FAILED, False)


def test_a_risk_that_is_known_well_enough_runs_with_a_sample_that_is_no_evidence(place: Workplace) -> None:
    place.calibrate(a_threshold(0.3))
    one = verdict(place, None, [GOOD] * 7 + [BROKEN], curtail=False)
    signal = one.signal("risk")
    assert signal is not None
    assert signal.bounds is not None
    assert signal.bounds[1] < 0.3
    assert one.route is Route.EXECUTE


def test_texts_that_another_judge_compared_are_uncalibrated(place: Workplace) -> None:
    keys = "judge_fallback: exact"
    place.write(f"risk_model: risk.json\ntiers: {{critical: {{signals: [risk]}}}}\n{keys}")
    place.calibrate(a_threshold(0.6), keys=keys, options={"entailment": Broken(answer=None)})
    one = verdict(place, step(pay(10, "lunch")), [sample(pay(10, "rent"))] * 8, entailment=Broken(answer=None))
    assert (one.route, one.reason) == (Route.REVIEW, Reason.UNCALIBRATED)
    assert "another judge" in one.uncalibrated


def test_a_critical_call_is_promised_nothing(place: Workplace) -> None:
    place.plain = "default: {tier: critical}"
    place.calibrate(a_threshold(0.3))
    one = verdict(place)
    assert (one.reason, one.calibrated, one.uncalibrated) == (
        Reason.CRITICAL,
        False,
        "critical calls always wait for a human",
    )


def test_without_a_calibration_every_verdict_says_so(place: Workplace) -> None:
    one = verdict(place)
    assert (one.route, one.calibrated, one.uncalibrated) == (
        Route.EXECUTE,
        False,
        "the policy names no calibration",
    )


def refused(place: Workplace, **options: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        Guard(Policy.load(place.folder / "policy.yaml"), ScriptedSampler([]), Keeping(), **options)
    return str(caught.value)


def test_a_proposal_that_nobody_adopted_is_refused(place: Workplace) -> None:
    place.calibrate(change={"adopted_by": "", "adopted_at": ""})
    assert "a proposal that nobody has adopted" in refused(place)
    assert "guardrail policy adopt" in refused(place)


def test_a_calibration_of_another_risk_model_is_refused(place: Workplace) -> None:
    place.calibrate(change={"risk_model": "f" * 64})
    message = refused(place)
    assert "calibration.json was calibrated on the risk model ffffffffffff" in message
    assert f"is {place.risk.digest[:12]}" in message


@pytest.mark.parametrize(
    ("tier", "parts"),
    [
        ("max_risk: 0.1", ["tiers.high.max_risk is 0.1 in the policy", "remove max_risk from the policy"]),
        ("agreement: 0.9, stopping: {rule: bayesian, error: 0.02}", ["bayesian stopping", "write 'lossless'"]),
    ],
)
def test_a_tier_with_another_rule_is_refused(place: Workplace, tier: str, parts: list[str]) -> None:
    place.calibrate(a_threshold(0.3), keys=f"tiers: {{high: {{{tier}}}}}")
    for part in parts:
        assert part in refused(place)


def test_a_file_that_is_no_calibration_is_refused(place: Workplace) -> None:
    place.calibrate()
    (place.folder / "calibration.json").write_text("{}")
    assert "calibration.json is no calibration" in refused(place)
    (place.folder / "calibration.json").unlink()
    assert "cannot read the calibration" in refused(place)


def test_a_sibling_that_is_planned_again_takes_the_promise_with_it(place: Workplace) -> None:
    place.calibrate(a_threshold(0.3))
    both = step(pay(10), read("a"))
    first, second = place.recorded(both, [sample(pay(10), read("b"))] * 8).verdict.verdicts
    assert (first.reason, first.calibrated, first.promise) == (Reason.SIBLING_RETRIED, False, None)
    assert (second.reason, second.calibrated) == (Reason.DOUBTFUL, True)
