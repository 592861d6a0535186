"""Calibrations for the tests of the engine, and guards that run on one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from guardrail import Guard, Policy
from guardrail.calibration import Doubt, Input, Pattern, RiskModel, Scale, save_calibration
from guardrail.engine.calibrated import Calibration
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import (
    SCORE_KEYS,
    Alarm,
    CalibratedPolicy,
    CalibratedTier,
    PlanningStep,
    Record,
    Safer,
    Sample,
    Threshold,
    Tier,
    score_fingerprint,
)
from tests.engine.steps import GOOD, in_order, pay, step
from tests.support.calibrated import a_policy, a_threshold, a_tier

UNKNOWN = dict.fromkeys(SCORE_KEYS, ("",))
"""The fingerprint of steps of which nothing is known."""


def unmarked(*thresholds: Threshold, tiers: Sequence[Tier] = (Tier.HIGH,), **more: Any) -> CalibratedPolicy:
    """The same thresholds for each tier, for steps of no fingerprint."""
    given = thresholds or (a_threshold(0.3),)
    return a_policy(*(a_tier(tier, *given, **{"fingerprint": UNKNOWN, **more}) for tier in tiers))


def rules(*thresholds: Threshold, uncalibrated: Literal["review", "defaults"] = "review", **more: Any) -> Calibration:
    return Calibration(unmarked(*thresholds, **more), uncalibrated)


def disagreement(*names: str) -> RiskModel:
    """P(wrong) from the share of samples that disagree: about 0.05 where none does, 0.5 at a half, 0.95 where all do."""
    signals = names or ("agreement",)
    doubt = Doubt(safer=Safer.HIGH, scale=Scale.LINEAR, origin=0.0, unit=1.0)
    inputs = [Input(name=name, doubt=doubt, coefficient=6.0 / len(signals), missing=0.5) for name in signals]
    return RiskModel(
        inputs=tuple(inputs),
        intercept=-3.0,
        patterns=(Pattern(missing=frozenset(), raises=0.0, n=200, errors=30),),
    )


class Keeping(MemoryStore):
    """A store in which these alarms stand."""

    def __init__(self, *alarms: Alarm) -> None:
        super().__init__()
        self.standing = list(alarms)

    def alarms(self, *, standing: bool = True) -> list[Alarm]:
        return [one for one in self.standing if not (standing and one.cleared_at)]


class Workplace:
    """A policy file with risk model and calibration beside it, made for the steps that it will see."""

    def __init__(self, folder: Path, policy: str = "default: {tier: high}", *, risk: RiskModel | None = None) -> None:
        self.folder = folder
        self.risk = risk or disagreement()
        self.risk.save(folder / "risk.json")
        self.plain = policy
        self.write("risk_model: risk.json\ntiers: {critical: {signals: [agreement, risk]}}")

    def write(self, keys: str) -> Path:
        path = self.folder / "policy.yaml"
        path.write_text(f"{self.plain}\n{keys}\n", encoding="utf-8")
        return path

    def fingerprint(self, one: PlanningStep | None = None, **options: Any) -> dict[str, str]:
        """What the score of a step depends on, before it is calibrated."""
        return self.recorded(one, **options).fingerprint

    def recorded(
        self, one: PlanningStep | None = None, drawn: Sequence[Sample] = (GOOD,) * 8, **options: Any
    ) -> Record:
        """The record of a step under the policy that is there."""
        store = options.pop("store", None) or Keeping()
        sampler = options.pop("sampler", None) or ScriptedSampler(in_order(drawn))
        guard = Guard(Policy.load(self.folder / "policy.yaml"), sampler, store, **options)
        verdict = guard.assess(one or step(pay(10)))
        return store.record(verdict.record_id)

    def calibrate(
        self,
        *thresholds: Threshold,
        tiers: Sequence[Tier] = (Tier.HIGH,),
        one: PlanningStep | None = None,
        keys: str = "",
        change: Mapping[str, Any] | None = None,
        options: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> CalibratedPolicy:
        """Adopts thresholds for such steps; ``change`` is of the calibrated policy, ``more`` of each tier."""
        found = self.fingerprint(one, **(options or {}))
        marked = {tier: {key: (value,) for key, value in score_fingerprint(found, tier).items()} for tier in tiers}
        made: list[CalibratedTier] = [
            a_tier(tier, *(thresholds or (a_threshold(0.3),)), **{"fingerprint": marked[tier], **more})
            for tier in tiers
        ]
        policy = a_policy(*made, risk_model=self.risk.digest, adopted_by="ana", adopted_at="2026-01-02T03:04:05+00:00")
        policy = replace(policy, **(change or {}))
        save_calibration(policy, self.folder / "calibration.json")
        self.write(f"risk_model: risk.json\ncalibration: calibration.json\n{keys}")
        return policy
