"""What another calibration would make of recorded traffic: every step decided again, twice, by the samples it had."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from guardrail.clustering import Entailment
from guardrail.engine.calibrated import Calibration
from guardrail.engine.evidence import Risk
from guardrail.engine.fingerprint import Fingerprints
from guardrail.engine.scoring import replay
from guardrail.engine.setup import calibration_for, check_calibration, tools_for
from guardrail.policy import Policy
from guardrail.types import CalibratedPolicy, Case, Reason, Route, Tier, ToolCall, Verdict

_FELL_SHORT: Final = frozenset({Reason.SAMPLING_FAILED, Reason.INVALID_SAMPLES})


class Rules:
    """A policy with its risk model and its calibration, as they would decide."""

    def __init__(self, policy: Policy, risk: Risk | None, calibration: Calibration | None, *, judge: str) -> None:
        tools = tools_for(policy, signals=(), risk_model=risk, asks=True)
        self.policy = policy
        self.risk = tools.risk
        self.calibration = calibration
        self._fingerprints = Fingerprints(policy, tools, curtail=True, entailment=judge)

    @classmethod
    def of(cls, policy: Policy, *, judge: str) -> Rules:
        """A policy as its file says.

        Raises:
            ConfigError: its risk model or its calibration cannot be used.
        """
        tools = tools_for(policy, signals=(), risk_model=None, asks=True)
        return cls(policy, tools.risk, calibration_for(policy, tools), judge=judge)

    @classmethod
    def proposed(cls, policy: Policy, proposal: CalibratedPolicy, risk: Risk, name: str, *, judge: str) -> Rules:
        """The same policy with a proposal, ``name`` in messages, in place of its calibration, if it has one.

        Raises:
            ConfigError: the proposal is none for this policy and risk model.
        """
        # neither path is read: model and calibration are here
        policy = replace(policy, risk_model=policy.risk_model or "risk.json", calibration=name)
        check_calibration(policy, proposal, tools_for(policy, signals=(), risk_model=risk, asks=True), name)
        return cls(policy, risk, Calibration(proposal, policy.uncalibrated), judge=judge)

    def decide(self, case: Case, judge: Entailment) -> tuple[Verdict, ...]:
        """The verdicts on a recorded step."""
        return replay(
            case,
            self.policy,
            entailment=judge,
            risk_model=self.risk,
            calibration=self.calibration,
            fingerprint=self._fingerprints.again(case.fingerprint),
            attempt=case.attempt,
        ).verdict.verdicts


@dataclass(frozen=True, kw_only=True)
class Change:
    """A call that would go another way; ``label`` is whether people judged it right (None: nobody, or not alike)."""

    record: str
    call: ToolCall
    tier: Tier
    risk: float | None
    now: Route
    then: Route
    why: str
    label: bool | None


@dataclass(kw_only=True)
class Traffic:
    """The calls of a tier, by where they go: now, and then. ``open`` were too few samples recorded for either."""

    calls: int = 0
    open: int = 0
    now: dict[Route, int] = field(default_factory=lambda: dict.fromkeys(Route, 0))
    then: dict[Route, int] = field(default_factory=lambda: dict.fromkeys(Route, 0))
    wrong_now: int = 0
    wrong_then: int = 0
    judged_now: int = 0
    judged_then: int = 0
    uncalibrated: dict[str, int] = field(default_factory=dict)
    """Why calls would not be calibrated then, and how many."""

    def as_json(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "calls": self.calls,
            "not_known": self.open,
            "now": {route.value: count for route, count in self.now.items()},
            "then": {route.value: count for route, count in self.then.items()},
            "executed_and_judged": {"now": self.judged_now, "then": self.judged_then},
            "executed_and_wrong": {"now": self.wrong_now, "then": self.wrong_then},
            "uncalibrated_then": self.uncalibrated,
        }


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What would change: per tier, and call by call."""

    tiers: dict[Tier, Traffic]
    changes: list[Change]


def compare(
    cases: Iterable[Case], now: Rules, then: Rules, judge: Entailment, tell: Callable[[int], None] = lambda _: None
) -> Compared:
    """Decides every case by both, with one judge of texts; ``tell`` is told how many are done."""
    tiers: dict[Tier, Traffic] = {}
    changes: list[Change] = []
    for done, case in enumerate(cases, start=1):
        for index, (here, there) in enumerate(zip(now.decide(case, judge), then.decide(case, judge), strict=True)):
            traffic = tiers.setdefault(here.tier, Traffic())
            label = _label(case, index)
            _count(traffic, here, there, label)
            if here.route is not there.route and not _open(here, there):
                changes.append(
                    Change(
                        record=case.id,
                        call=here.call,
                        tier=here.tier,
                        risk=there.risk,
                        now=here.route,
                        then=there.route,
                        why=there.why,
                        label=label,
                    )
                )
        tell(done)
    return Compared(tiers=dict(sorted(tiers.items(), key=lambda each: each[0].rank)), changes=changes)


def _count(traffic: Traffic, here: Verdict, there: Verdict, label: bool | None) -> None:
    traffic.calls += 1
    if _open(here, there):
        traffic.open += 1
        return
    traffic.now[here.route] += 1
    traffic.then[there.route] += 1
    if there.uncalibrated and not there.calibrated and there.tier is not Tier.CRITICAL:
        traffic.uncalibrated[there.uncalibrated] = traffic.uncalibrated.get(there.uncalibrated, 0) + 1
    if label is not None:
        traffic.judged_now += here.route is Route.EXECUTE
        traffic.judged_then += there.route is Route.EXECUTE
        traffic.wrong_now += here.route is Route.EXECUTE and not label
        traffic.wrong_then += there.route is Route.EXECUTE and not label


def _open(*verdicts: Verdict) -> bool:
    """Whether what was recorded does not tell: drawing had stopped before the samples that this rule wants."""
    return any(one.reason in _FELL_SHORT for one in verdicts)


def _label(case: Case, index: int) -> bool | None:
    """Whether people judged the call right; of a plain case, whether the plan of this one call was."""
    calls = case.planned.calls
    said = {label.correct for label in case.labels if label.call_id == calls[index].id}
    if not case.labels and len(calls) == 1:
        return case.correct
    return said.pop() if len(said) == 1 else None
