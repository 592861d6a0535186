"""Whatever a score depends on is in the fingerprint, and a change of it makes a call uncalibrated."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from guardrail.clustering import ExactEntailment
from guardrail.sampling import ScriptedSampler
from guardrail.types import SCORE_KEYS, PlanningStep, Reason, Tier, ToolSpec, Turn, score_fingerprint
from tests.engine.calibrations import Workplace, disagreement
from tests.engine.steps import GOOD, READ, Stated, in_order, pay, step
from tests.support.calibrated import a_threshold

CASCADE = "tiers: {high: {cascade: [{samples: 3, execute: {agreement: {ge: 1}}}]}}"


def said(role: str, text: str) -> PlanningStep:
    return step(pay(10), model="A", conversation=(Turn(role=role, text=text), Turn(role="user", text="Pay Ann.")))


ONE = said("system", "You pay bills.")


class Shaping(ScriptedSampler):
    """Says how it draws."""

    def __init__(self, settings: Mapping[str, str] | Exception) -> None:
        super().__init__(in_order([GOOD] * 8))
        self._settings = settings

    def settings(self, step: PlanningStep) -> Mapping[str, str]:
        if isinstance(self._settings, Exception):
            raise self._settings
        return self._settings


class Judge(ExactEntailment):
    """Another backend, or another version of one."""

    def __init__(self, name: str = "exact", version: str = "") -> None:
        self.name = name
        self.version = version


class Newer(Stated):
    """The signal ``agreement`` in another version."""

    def __init__(self) -> None:
        from guardrail.signals import Registry

        self._old = Registry().get("agreement")
        self.info = replace(self._old.info, version="2")

    def measure(self, evidence: Any) -> Any:
        return self._old.measure(evidence)


def policy(keys: str) -> Callable[[Workplace], dict[str, Any]]:
    def change(place: Workplace) -> dict[str, Any]:
        place.write(f"risk_model: risk.json\ncalibration: calibration.json\n{keys}")
        return {}

    return change


def given(**options: Any) -> Callable[[Workplace], dict[str, Any]]:
    return lambda _place: options


TOOLS = (ToolSpec(name="pay", description="Pays at once.", parameters=step().tools[0].parameters), READ)
CHANGES: list[tuple[str, Callable[[Workplace], dict[str, Any]], str]] = [
    ("model", given(one=replace(ONE, model="B")), "the model is B, calibrated for A"),
    (
        "temperature",
        given(sampler=Shaping({"temperature": "0.7"})),
        "the sampling temperature is 0.7, calibrated for not known",
    ),
    ("prompt", given(one=said("system", "You pay bills, quickly.")), "the digest of the system prompt is"),
    ("prompt", given(one=said("developer", "You pay bills, quickly.")), "the digest of the system prompt is"),
    ("tools", given(one=replace(ONE, tools=TOOLS)), "the digest of the tools is"),
    ("samples", policy("tiers: {high: {samples: 6}}"), "N is 6, calibrated for 8"),
    ("stages", policy(CASCADE), "the cascade is 3+agreement_ge_1|all, calibrated for all"),
    ("signals", given(signals=[Newer()]), "what the risk rests on is agreement=2, calibrated for agreement=1"),
    ("entailment", given(entailment=Judge("nli")), "the judge of texts is nli, calibrated for exact"),
    ("entailment", given(entailment=Judge(version="2")), "the judge of texts is exact@2, calibrated for exact"),
    ("meaning", policy("tools: [{match: pay, tier: high, arguments: {memo: ignore}}]"), "what compares values is"),
    ("meaning", policy("stated_defaults: false"), "what compares values is"),
]


@pytest.mark.parametrize(
    ("key", "change", "words"), CHANGES, ids=[f"{key}-{i}" for i, (key, _, _) in enumerate(CHANGES)]
)
def test_a_change_of_what_a_score_depends_on_makes_it_uncalibrated(
    tmp_path: Path, key: str, change: Callable[[Workplace], dict[str, Any]], words: str
) -> None:
    place = Workplace(tmp_path)
    place.calibrate(a_threshold(0.3), one=ONE)
    before = place.recorded(ONE)
    assert before.verdict.verdicts[0].calibrated
    after = place.recorded(**{"one": ONE, **change(place)})
    one = after.verdict.verdicts[0]
    assert (one.calibrated, one.reason) == (False, Reason.UNCALIBRATED)
    assert words in one.uncalibrated
    old, new = (score_fingerprint(each.fingerprint, Tier.HIGH) for each in (before, after))
    assert {name for name in SCORE_KEYS if old[name] != new[name]} == {key}


def test_a_change_of_the_libraries_or_of_equality_makes_it_uncalibrated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Workplace(tmp_path)
    place.calibrate(a_threshold(0.3), one=ONE)
    for name, value, words in (
        ("libraries", lambda: ("abacus",), "what compares values is abacus"),
        ("EQUALITY_VERSION", "99", "the version of clustering is 99"),
    ):
        with monkeypatch.context() as patch:
            patch.setattr(f"guardrail.engine.fingerprint.{name}", value)
            assert words in place.recorded(ONE).verdict.verdicts[0].uncalibrated
    assert place.recorded(ONE).verdict.verdicts[0].calibrated


def test_bayesian_stopping_is_another_rule_and_drawing_all_is_none(tmp_path: Path) -> None:
    """To draw all samples, and to stop where the rest cannot change a route, lead every call to the same."""
    place = Workplace(tmp_path)
    made = place.calibrate(a_threshold(0.3), one=ONE)
    policy("tiers: {high: {stopping: {rule: none}}}")(place)
    assert place.recorded(ONE).verdict.verdicts[0].calibrated
    assert place.recorded(ONE, curtail=False).verdict.verdicts[0].calibrated
    (tier,) = made.tiers
    place.calibrate(a_threshold(0.3), one=ONE, fingerprint={**tier.fingerprint, "stopping": ("bayesian(0.1;1;1)",)})
    one = place.recorded(ONE).verdict.verdicts[0]
    assert one.uncalibrated == "the stopping rule is lossless, calibrated for bayesian(0.1;1;1)"


def test_another_risk_model_is_another_score(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    made = place.calibrate(a_threshold(0.3), one=ONE)
    other = disagreement("agreement", "majority_share")
    here = place.recorded(ONE).fingerprint
    place = Workplace(tmp_path, risk=other)
    place.calibrate(a_threshold(0.3), one=ONE, fingerprint=made.tiers[0].fingerprint)
    there = place.recorded(ONE)
    assert {key for key in SCORE_KEYS if here[key] != there.fingerprint[key]} == {"risk_model", "signals"}
    assert f"the risk model is {other.digest[:12]}" in there.verdict.verdicts[0].uncalibrated


def test_a_fingerprint_that_lacks_a_key_covers_nothing(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.calibrate(a_threshold(0.3), fingerprint={})
    assert "the model is not known, and the calibration does not say what it was" in (
        place.recorded().verdict.verdicts[0].uncalibrated
    )


def test_a_value_is_calibrated_where_it_is_one_of_several(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    made = place.calibrate(a_threshold(0.3), one=ONE)
    several = {**made.tiers[0].fingerprint, "model": ("A", "B")}
    place.calibrate(a_threshold(0.3), one=ONE, fingerprint=several)
    assert all(place.recorded(replace(ONE, model=name)).verdict.verdicts[0].calibrated for name in "AB")
    assert "calibrated for A or B" in place.recorded(replace(ONE, model="C")).verdict.verdicts[0].uncalibrated


def test_another_n_of_the_low_tier_leaves_the_high_one_calibrated(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    place.calibrate(a_threshold(0.3), one=ONE)
    policy("tiers: {low: {samples: 7}}")(place)
    assert place.recorded(ONE).verdict.verdicts[0].calibrated


def test_a_record_has_every_key_and_the_versions_of_policy_and_package(tmp_path: Path) -> None:
    found = Workplace(tmp_path).fingerprint(ONE)
    assert set(found) == {*SCORE_KEYS, "policy", "guardrail"}


def test_what_the_user_says_is_no_part_of_the_prompt(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    told = {place.fingerprint(said("developer", text))["prompt"] for text in ("Pay bills.", "Pay nothing.")}
    assert len(told) == 2
    other = replace(ONE, conversation=(ONE.conversation[0], Turn(role="user", text="Pay Bob.")))
    assert place.fingerprint(ONE)["prompt"] == place.fingerprint(other)["prompt"]


def test_a_sampler_says_more_than_its_temperature_or_fails_closed(tmp_path: Path) -> None:
    place = Workplace(tmp_path)
    told = place.fingerprint(ONE, sampler=Shaping({"top_p": "0.9", "temperature": "1"}))
    assert told["temperature"] == "1;top_p=0.9"
    failed = place.fingerprint(ONE, sampler=Shaping(RuntimeError("no")))
    assert failed["temperature"] == "not known (RuntimeError)"
    assert place.fingerprint(ONE)["temperature"] == ""
