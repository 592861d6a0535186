"""``calibrate``: the same calls give the same proposal, and a proposal says what it stands on."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from guardrail.calibration import (
    Calibration,
    RiskModel,
    calibrate,
    calls_of,
    calls_tested,
    load_calibration,
)
from guardrail.calibration.calibrated_file import EVERYTHING, write_calibration
from guardrail.calibration.options import Options
from guardrail.types import SCORE_KEYS, Attempts, LabelledCall, LabelSource, RefusalCode, Route, Threshold, Tier
from tests.calibration.labelled import a_call, calls, world

MEDIUM = {"medium": 0.1}


def medium(found: Calibration) -> Threshold:
    (one,) = found.policy.tiers[0].thresholds
    return one


def recorded(records: list[LabelledCall], **more: Any) -> Calibration:
    return calibrate(records, **{"target_error": MEDIUM, "combiner": "recorded", "attempts": "all", **more})


def test_the_threshold_is_the_exact_rules() -> None:
    found = medium(recorded(calls(200, wrong=60)))
    assert found.refusal is None
    assert found.executed_errors == found.executed - 140
    assert found.p_value == pytest.approx(stats.binom.cdf(found.executed_errors, found.executed, 0.1))
    assert found.p_value <= 0.05 < stats.binom.cdf(found.executed_errors + 1, found.executed + 1, 0.1)
    # the first call that is left out is not below the threshold, the last one that runs is
    assert found.execute_below == pytest.approx(0.5 * found.executed / 200)
    assert (found.n, found.errors, found.coverage) == (200, 60, found.executed / 200)


def test_everything_may_run() -> None:
    found = recorded([*calls(200), a_call("wrong", correct=False, risk=0.0)])
    assert medium(found).execute_below == EVERYTHING
    assert medium(found).executed == 201


@settings(max_examples=8, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_the_records_makes_no_difference(chance: random.Random) -> None:
    records = world(240, tools=("pay", "send"))
    shuffled = chance.sample(records, len(records))
    one, other = calibrate(records, target_error=MEDIUM), calibrate(shuffled, target_error=MEDIUM)
    assert write_calibration(one.policy) == write_calibration(other.policy)
    assert one.model == other.model


def test_another_seed_or_label_is_another_calibration() -> None:
    records = world(240)
    plain = calibrate(records, target_error=MEDIUM)
    again = calibrate([replace(records[0], correct=not records[0].correct), *records[1:]], target_error=MEDIUM)
    assert calibrate(records, target_error=MEDIUM, seed=1).policy != plain.policy
    assert again.policy.records != plain.policy.records


def test_policy_and_model_are_written_together_and_fit(tmp_path: Path) -> None:
    found = calibrate(world(400), target_error=MEDIUM)
    found.save(tmp_path / "c.json", tmp_path / "r.json")
    policy, model = load_calibration(tmp_path / "c.json"), RiskModel.load(tmp_path / "r.json")
    assert found.promises
    assert policy == found.policy
    assert policy.risk_model == model.digest
    assert policy.tiers[0].fingerprint["risk_model"] == (model.digest,)
    assert policy.adopted_by == ""


def test_no_label_has_a_part_in_its_own_risk() -> None:
    """Cross-fitting: turning one task's labels round leaves the risks of that task as they were."""
    records = world(200)
    turned = [replace(one, correct=not one.correct) if one.task == "0-7" else one for one in records]

    def risks(of: list[LabelledCall]) -> dict[str, float]:
        ((_, found),) = calls_tested(of, target_error=MEDIUM, attempts="all").items()
        return dict(zip(found.calls.ids.tolist(), found.calls.risk.tolist(), strict=True))

    before, after = risks(records), risks(turned)
    own = [one.id for one in records if one.task == "0-7"]
    assert [before[name] for name in own] == [after[name] for name in own]
    assert before != after


def test_beyond_the_fitted_part_calls_are_scored_by_the_refit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.calibration.preparing.FIT_ROWS", 150)
    records = world(600)
    found = calibrate(records, target_error=MEDIUM, attempts="all")
    assert found.model is not None
    assert 150 <= found.model.facts["n"] <= 152
    tested = found.tested[Tier.MEDIUM, Attempts.ALL].calls
    assert len(tested) == 600
    signals = {one.id: {name: value for name, value in one.signals.items() if value is not None} for one in records}
    by_refit = [found.model.of(signals[name]) == risk for name, risk in zip(tested.ids, tested.risk, strict=True)]
    assert 600 - 152 <= sum(by_refit) < 600


def test_the_fingerprint_names_all_that_makes_the_score() -> None:
    records = world(200)
    tier = calibrate(records, target_error=MEDIUM).policy.tiers[0]
    assert set(tier.fingerprint) == set(SCORE_KEYS)
    assert tier.fingerprint["model"] == ("m",)
    assert tier.fingerprint["signals"] == ("agreement=1,logprob_sum=1",)


def test_steps_that_named_other_signals_beside_the_models_are_alike() -> None:
    more = {"model": "m", "signals": "agreement=1,logprob_sum=1,p_true=2"}
    less = {"model": "m", "signals": "agreement=1,logprob_sum=1"}
    records = [replace(one, fingerprint=more if k % 2 else less) for k, one in enumerate(world(200))]
    tier = calibrate(records, target_error=MEDIUM, signals=["agreement", "logprob_sum"]).policy.tiers[0]
    assert tier.fingerprint["signals"] == ("agreement=1,logprob_sum=1",)
    records[3] = replace(records[3], fingerprint={**more, "signals": "agreement=2,logprob_sum=1"})
    found = calibrate(records, target_error=MEDIUM, signals=["agreement", "logprob_sum"]).policy.tiers[0]
    refusal = found.thresholds[0].refusal
    assert refusal is not None
    assert refusal.code is RefusalCode.MIXED_FINGERPRINTS
    assert "the signal agreement is of version 1, 2" in refusal.message


def test_evidence_of_dates_sources_tasks_and_scores() -> None:
    records = [*calls(100, wrong=30), *calls(20, name="x", source=LabelSource.AUDIT, at="2026-03-01T00:00:00Z")]
    tier = recorded(records).policy.tiers[0]
    assert tier.sources == {"audit": 20, "checker": 100}
    assert (tier.first_at, tier.last_at, tier.tasks) == ("2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", 120)
    assert len(tier.scores) == 101
    assert (tier.scores[0], tier.scores[-1]) == (0.0, max(one.risk or 0 for one in records))


def test_unanswered_draws_count_as_wrong_and_are_told() -> None:
    answered = [*calls(100), *calls(30, name="x", wrong=30, risk=0.9)]
    silent = calls(20, name="silent", below=0.1)
    without, among = recorded(answered), recorded(answered, unanswered=silent)
    assert medium(without).execute_below is not None
    assert medium(among).errors == 50
    assert medium(among).refusal is not None
    assert among.policy.tiers[0].unanswered == 20
    assert any("20 calls" in warning for warning in among.policy.tiers[0].warnings)


def test_likelier_judged_calls_are_thinned() -> None:
    rare, certain = calls(200, probability=0.1), calls(400, name="x", probability=1.0, wrong=100)
    tier = recorded([*rare, *certain]).policy.tiers[0]
    assert 200 < tier.thresholds[0].n < 300
    assert any("drawn away" in warning for warning in tier.warnings)
    assert tier.sources == {"checker": 600}


def test_one_call_a_task() -> None:
    records = [replace(one, task=f"t{k // 4}") for k, one in enumerate(calls(200, wrong=40))]
    assert medium(recorded(records, unit="task")).n == 50
    plain = recorded(records).policy.tiers[0]
    assert plain.thresholds[0].n == 200
    assert any("intraclass" in warning and "unit 'task'" in warning for warning in plain.warnings)
    assert not any("intraclass" in one for one in recorded(records, unit="task").policy.tiers[0].warnings)


def test_together_the_tiers_share_delta() -> None:
    records = world(600)
    both = {"medium": 0.1, "high": 0.3}
    high = [replace(one, id=f"h{one.id}", tier=Tier.HIGH) for one in records]
    found = calibrate([*records, *high], target_error=both, simultaneous=True, attempts="all").policy
    assert [one.delta for one in found.tiers] == [0.025, 0.025]
    assert [tier.thresholds[0].delta for tier in found.tiers] == [0.025, 0.025]


def test_retried_calls_have_a_threshold_of_their_own_and_share_delta() -> None:
    first = calls(200, wrong=60)
    retried = calls(120, name="r", wrong=60, attempt=1)
    one, two = recorded([*first, *retried], attempts="strata").policy.tiers[0].thresholds
    assert (one.attempts, two.attempts) == (Attempts.FIRST, Attempts.RETRIED)
    assert (one.n, two.n, one.delta, two.delta) == (200, 120, 0.025, 0.025)
    assert one.execute_below is not None
    assert two.execute_below is not None


def test_without_labels_of_retried_calls_first_attempts_have_all_of_delta() -> None:
    one, two = recorded(calls(200, wrong=60), attempts="strata").policy.tiers[0].thresholds
    assert one.delta == 0.05
    assert two.execute_below is None
    assert two.refusal is not None
    assert two.refusal.code is RefusalCode.RETRY_NOT_IN_RECORDS
    # a few retried ones are too few, and spend nothing either
    one, two = (
        recorded([*calls(200, wrong=60), *calls(5, name="r", attempt=1)], attempts="strata").policy.tiers[0].thresholds
    )
    assert one.delta == 0.05
    assert two.refusal is not None
    assert two.refusal.code is RefusalCode.TOO_FEW_LABELS


def test_the_loop_counts_the_calls_that_finally_ran() -> None:
    planned_again = calls(50, name="a", route=Route.RETRY, wrong=50)
    ran = [*calls(150, name="b", route=Route.EXECUTE, wrong=10), *calls(50, name="c", route=Route.EXECUTE, attempt=1)]
    found = medium(recorded([*planned_again, *ran], attempts="loop"))
    assert (found.attempts, found.n, found.errors) == (Attempts.ALL, 200, 10)


def test_calls_without_a_risk_are_not_counted() -> None:
    tier = recorded([*calls(100, wrong=30), *calls(20, name="x", risk=None)]).policy.tiers[0]
    assert tier.thresholds[0].n == 100
    assert any("20 labelled calls have no risk" in warning for warning in tier.warnings)


def test_labels_above_a_floor_are_no_evidence_and_the_threshold_stays_below() -> None:
    records = [*calls(200, wrong=1, below=0.3), *calls(100, name="x", below=0.9, wrong=90)]
    found = medium(recorded(records, floor={"medium": 0.3}))
    assert found.floor == 0.3
    assert found.execute_below is not None
    assert found.execute_below <= 0.3
    assert found.n == 200 + sum((one.risk or 0) < 0.3 for one in records[200:])


def test_fixed_cuts_are_taken_from_traffic() -> None:
    traffic = {"medium": [{"risk": k / 1000} for k in range(1, 1000)]}
    found = medium(recorded(calls(300, wrong=60, below=1.0), cuts="traffic", traffic=traffic))
    assert found.execute_below in {k / 1000 for k in range(1, 1000)}
    risks = calls(300, wrong=60, below=1.0)
    assert found.executed == sum((one.risk or 0) < (found.execute_below or 0) for one in risks)


def test_what_was_asked_for_is_told_and_can_be_asked_again() -> None:
    records = world(300)
    asked = {
        "target_error": {"low": 0.25, "medium": 1 / 7},
        "confidence": 0.9,
        "unit": "task",
        "attempts": "all",
        "seed": 5,
        "signals": ("agreement", "logprob_sum"),
        "where": {"medium.samples": "5"},
        "fingerprint": {"entailment": "x=1,y=2"},
        "vetoes": False,
    }
    policy = calibrate(records, **asked).policy
    told = Options.told(policy.settings)
    assert told.settings() == policy.settings
    assert dict(told.alphas) == {Tier.LOW: 0.25, Tier.MEDIUM: 1 / 7}
    assert told.delta == 0.1
    assert told.fingerprint == {"entailment": "x=1,y=2"}


def test_the_digest_is_of_all_calls() -> None:
    records = world(100)
    assert calibrate(records, target_error=MEDIUM).policy.records == calls_of(records).digest()


def test_other_calls_model_scores_them() -> None:
    model = calibrate(world(300, seed=1), target_error=MEDIUM).model
    assert model is not None
    found = calibrate(world(300, seed=2), target_error=MEDIUM, combiner=model, attempts="all")
    assert found.model is model
    assert found.policy.risk_model == model.digest
    assert medium(found).execute_below is not None
    assert Options.told(found.policy.settings, model).combiner is model
