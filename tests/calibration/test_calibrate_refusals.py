"""Every way in which there is no threshold: it says why, and nothing falls back to a default one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from guardrail.calibration import Calibration, Calls, Ledger, Plan, calibrate, calls_of
from guardrail.errors import ConfigError
from guardrail.types import LabelledCall, LabelSource, Refusal, RefusalCode, Route, Tier
from tests.calibration.labelled import SCORED, a_call, calls, world

MEDIUM = {"medium": 0.05}
GOOD = [*calls(150), *calls(30, name="x", risk=0.9, wrong=30)]


def recorded(records: Iterable[LabelledCall] | Calls, **more: Any) -> Calibration:
    return calibrate(records, **{"target_error": MEDIUM, "combiner": "recorded", "attempts": "all", **more})


def refusal(found: Calibration) -> Refusal:
    (one,) = found.policy.tiers[0].thresholds
    assert one.execute_below is None
    assert not found.promises
    assert one.refusal is not None
    return one.refusal


def test_the_good_calls_pass() -> None:
    """What every test below changes one thing of."""
    assert recorded(GOOD).promises


def test_too_few_labels() -> None:
    found = refusal(recorded([*calls(39), a_call("x", correct=False, risk=0.9)]))
    assert found.code is RefusalCode.TOO_FEW_LABELS
    assert (
        "40 labelled calls; at most 5 % wrong at 95 % confidence needs 59 labels in the executed region without an "
        "error: label 19 more, 93 if one is wrong" in found.message
    )
    assert "With 153 it passes 8 times in 10" in found.message


def test_no_labels_at_all() -> None:
    assert refusal(recorded([])).code is RefusalCode.TOO_FEW_LABELS
    assert refusal(recorded(calls(100, tier=Tier.LOW))).code is RefusalCode.TOO_FEW_LABELS


def test_the_safest_calls_are_too_error_prone() -> None:
    found = refusal(recorded([replace(one, correct=k % 5 > 0) for k, one in enumerate(calls(400))]))
    assert found.code is RefusalCode.TOP_CALLS_TOO_ERROR_PRONE
    assert "more labels will not help" in found.message


@pytest.mark.parametrize("source", [LabelSource.IMPORT, LabelSource.AUDIT])
def test_labels_of_unknown_probability(source: LabelSource) -> None:
    found = refusal(recorded([replace(one, probability=None, source=source) for one in GOOD]))
    assert found.code is RefusalCode.UNKNOWN_LABEL_PROBABILITY
    assert "'c00000'" in found.message


def test_an_audit_without_its_probability_is_refused_and_another_label_left_out() -> None:
    audit = replace(GOOD[3], probability=None, source=LabelSource.AUDIT)
    assert refusal(recorded([*GOOD[:3], audit, *GOOD[4:]])).code is RefusalCode.UNKNOWN_LABEL_PROBABILITY
    other = replace(audit, source=LabelSource.IMPORT)
    tier = recorded([*GOOD[:3], other, *GOOD[4:]]).policy.tiers[0]
    assert tier.thresholds[0].n == len(GOOD) - 1
    assert any("1 labels were left out" in warning for warning in tier.warnings)


@pytest.mark.parametrize("ran", [None, {Tier.MEDIUM: 12}])
def test_labels_only_from_escalations(ran: Mapping[Tier, int] | None) -> None:
    reviewed = [replace(one, source=LabelSource.REVIEW, route=Route.REVIEW) for one in GOOD]
    assert refusal(recorded(reviewed, ran_unjudged=ran)).code is RefusalCode.LABELS_ONLY_FROM_ESCALATIONS
    # where nothing ran, reviews are all there is
    assert recorded(reviewed, ran_unjudged={}).promises
    audits = [replace(one, source=LabelSource.AUDIT, route=Route.EXECUTE) for one in GOOD[:50]]
    assert recorded([*audits, *reviewed[50:]], ran_unjudged=ran).promises


def test_mixed_fingerprints_and_the_way_out() -> None:
    other = [replace(one, id=f"o{one.id}", fingerprint={**SCORED, "samples": "8"}) for one in GOOD]
    found = refusal(recorded([*GOOD, *other]))
    assert found.code is RefusalCode.MIXED_FINGERPRINTS
    assert "samples is 5, 8" in found.message
    assert "--where samples=8" in found.message
    chosen = recorded([*GOOD, *other], where={"samples": "8"}).policy.tiers[0]
    assert (chosen.thresholds[0].n, chosen.fingerprint["samples"]) == (len(other), ("8",))
    # of the tier alone that is meant
    assert recorded([*GOOD, *other], where={"medium.samples": "5"}).promises
    with pytest.raises(ConfigError, match=r"no call has samples=6; there are: 5, 8"):
        recorded([*GOOD, *other], where={"samples": "6"})
    with pytest.raises(ConfigError, match="'moon' selects nothing"):
        recorded(GOOD, where={"moon": "full"})


def test_values_by_tier_are_compared_by_tier() -> None:
    alike = [replace(one, fingerprint={"samples": f"low={k % 2},medium=5"}) for k, one in enumerate(GOOD)]
    assert recorded(alike).policy.tiers[0].fingerprint["samples"] == ("5",)


@pytest.mark.parametrize(("key", "values"), [("prompt", "ab"), ("tools", "ab"), ("stopping", ("none", "lossless"))])
def test_what_may_differ(key: str, values: Iterable[str]) -> None:
    one, other = values
    found = recorded(
        [replace(call, fingerprint={**SCORED, key: one if k % 2 else other}) for k, call in enumerate(GOOD)]
    )
    assert found.policy.tiers[0].fingerprint[key] == tuple(sorted((one, other)))
    assert found.promises


def test_what_calls_do_not_say_of_their_scores_may_be_stated() -> None:
    silent = [replace(one, fingerprint={}) for one in GOOD]
    tier = recorded(silent).policy.tiers[0]
    assert any("what their score depends on" in warning for warning in tier.warnings)
    stated = recorded(silent, fingerprint={"model": "m"}).policy.tiers[0]
    assert stated.fingerprint["model"] == ("m",)
    assert not stated.warnings
    # what a call says itself is not overruled
    assert recorded(GOOD, fingerprint={"model": "other"}).policy.tiers[0].fingerprint["model"] == ("m",)
    with pytest.raises(ConfigError, match="'moon'"):
        recorded(GOOD, fingerprint={"moon": "full"})


def test_a_model_that_saw_these_calls() -> None:
    records = world(300)
    model = calibrate(records, target_error=MEDIUM).model
    assert model is not None
    for seen in (records, records[:150], [*records[:100], *world(200, seed=9)]):
        found = refusal(recorded(seen, combiner=model))
        assert found.code is RefusalCode.COMBINER_SAW_CALIBRATION_DATA
    fresh = recorded(world(300, seed=9), combiner=model).policy.tiers[0].thresholds[0].refusal
    assert fresh is None or fresh.code is not RefusalCode.COMBINER_SAW_CALIBRATION_DATA


@pytest.mark.parametrize("bad", [math.nan, math.inf])
@pytest.mark.parametrize("column", ["risk", "agreement"])
def test_scores_that_are_no_numbers(bad: float, column: str) -> None:
    """A row can hold none; columns that were made otherwise can. In them NaN is what is missing."""
    given = calls_of(GOOD)
    values = (given.risk if column == "risk" else given.signals[column]).copy()
    values[7] = bad
    spoilt = replace(given, **({"risk": values} if column == "risk" else {"signals": {column: values}}))
    if math.isnan(bad):
        assert recorded(spoilt).policy.tiers[0].thresholds[0].n == len(GOOD) - (column == "risk")
        return
    found = refusal(recorded(spoilt))
    assert found.code is RefusalCode.NON_FINITE_SCORE
    assert "'c00007'" in found.message


def test_no_risk_anywhere() -> None:
    assert refusal(recorded([replace(one, risk=None) for one in GOOD])).code is RefusalCode.NON_FINITE_SCORE


def test_contradicting_labels_are_named() -> None:
    twisted = [*GOOD, replace(GOOD[5], correct=False, by="bob"), replace(GOOD[9], correct=False)]
    found = refusal(recorded(twisted))
    assert found.code is RefusalCode.CONTRADICTING_LABELS
    assert "c00005, c00009" in found.message


@pytest.mark.parametrize("correct", [True, False])
@pytest.mark.parametrize("combiner", ["recorded", "cross-fit"])
def test_one_class(combiner: str, *, correct: bool) -> None:
    found = refusal(recorded([replace(one, correct=correct) for one in GOOD], combiner=combiner))
    assert found.code is RefusalCode.ONE_CLASS


def test_too_little_to_fit_a_risk() -> None:
    few = refusal(recorded(world(19), combiner="cross-fit"))
    assert few.code is RefusalCode.TOO_FEW_LABELS
    assert "label at least 20" in few.message
    lone = [replace(one, correct=k > 0) for k, one in enumerate(world(100))]
    found = refusal(recorded(lone, combiner="cross-fit"))
    assert found.code is RefusalCode.TOO_FEW_LABELS
    assert "1 of 100 labelled calls are wrong" in found.message


def test_a_look_that_was_not_planned() -> None:
    ledger = Ledger(plan=Plan(first=100, looks=1))
    first = recorded(GOOD, ledger=ledger)
    assert first.promises
    assert recorded(GOOD, ledger=first.ledger).policy == first.policy
    found = refusal(recorded(GOOD[1:], ledger=first.ledger))
    assert found.code is RefusalCode.UNPLANNED_RECALIBRATION
    assert "0 of delta 0.05 is left" in found.message


def test_one_refused_tier_leaves_the_others() -> None:
    high = [replace(one, id=f"h{one.id}", tier=Tier.HIGH, probability=None) for one in GOOD]
    found = recorded([*GOOD, *high], target_error={"medium": 0.05, "high": 0.05})
    assert found.promises
    assert [one.thresholds[0].execute_below is None for one in found.policy.tiers] == [False, True]


@pytest.mark.parametrize(
    ("option", "said"),
    [
        ({"target_error": {"lofty": 0.1}}, "no tier 'lofty'"),
        ({"target_error": {"critical": 0.1}}, "a human always decides"),
        ({"target_error": {}}, "no tier has a target"),
        *(({"target_error": {"medium": bad}}, "between 0 and 1") for bad in (0, 1, -0.1, 1.5, math.nan, True, "0.1")),
        *(({"confidence": bad}, "confidence") for bad in (0, 1, 95, math.nan, True)),
        ({"unit": "step"}, "call, task"),
        ({"cuts": "everywhere"}, "labels, traffic"),
        ({"attempts": "twice"}, "strata, loop, all"),
        ({"combiner": "mean"}, "cross-fit, recorded"),
        ({"floor": {"medium": 0}}, "floor"),
        ({"floor": {"medium": 0.3}, "combiner": "cross-fit"}, "recorded one"),
        ({"cuts": "traffic"}, "takes calls without labels"),
        ({"cuts": "traffic", "traffic": {"medium": [{"risk": math.nan}]}}, "no finite number"),
    ],
)
def test_options_that_cannot_be_used(option: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        recorded(GOOD, **option)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"correct": 1}, "must be true or false"),
        ({"correct": None}, "leave out what nobody has judged"),
        ({"tier": "lofty"}, "no tier 'lofty'"),
        ({"attempt": -1}, "earlier tries"),
        ({"attempt": True}, "earlier tries"),
        ({"id": ""}, "an id and a tool"),
        ({"tool": ""}, "an id and a tool"),
    ],
)
def test_records_that_are_none_are_refused_with_their_place(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=rf"record 2 .*{said}"):
        recorded([GOOD[0], replace(GOOD[1], **change)])
    with pytest.raises(ConfigError, match="it is a dict"):
        recorded([{"id": "x"}])  # type: ignore[list-item]


@pytest.mark.parametrize(
    "bad",
    [{"probability": 0.0}, {"probability": 1.5}, {"risk": math.nan}, {"risk": -1.0}, {"signals": {"a": math.nan}}],
)
def test_a_labelled_call_holds_no_such_number(bad: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="'c0'"):
        a_call(**bad)


def test_a_call_counted_twice_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'c00005'.*counted twice"):
        recorded([*GOOD, GOOD[5]])
    with pytest.raises(ConfigError, match="counted twice"):
        recorded(GOOD, unanswered=[GOOD[5]])


def test_retried_calls_where_the_policy_retries_nothing() -> None:
    for one in (replace(GOOD[3], attempt=1), replace(GOOD[3], route=Route.RETRY)):
        with pytest.raises(ConfigError, match="'c00003' was planned again"):
            recorded([*GOOD[:3], one, *GOOD[4:]])


def test_tiers_without_a_target_decide_nothing() -> None:
    low = [replace(one, id=f"l{one.id}", tier=Tier.LOW, correct=not one.correct) for one in GOOD]
    alone, beside = recorded(GOOD).policy.tiers, recorded([*GOOD, *low]).policy.tiers
    assert alone == beside
    assert np.isfinite(alone[0].scores).all()
