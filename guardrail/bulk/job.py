"""A run of bulk replay: what is done to every case, and how it is told from another run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from guardrail.bulk.planner import Checker, Factory, PlannerOptions
from guardrail.clustering import Entailment, ExactEntailment
from guardrail.codec import digest, to_json
from guardrail.engine.calibrated import Calibration
from guardrail.engine.evidence import Risk
from guardrail.policy import Policy
from guardrail.types import Case

SOURCE: Final = "source"
"""Key of ``Case.run`` that names the case that was replayed, as it was recorded; the others are the run's."""
_SHORT: Final = 16


def no_judge() -> Entailment:
    """Texts that differ are different."""
    return ExactEntailment()


@dataclass(frozen=True, kw_only=True)
class Job:
    """What is done to every case; it can be sent to another process.

    ``samples`` replaces the N of every tier; None draws what the policy's tiers ask for. With ``keep_plan`` the
    recorded plan is scored, otherwise the step is planned again. ``signals`` are measured beside those that the policy
    names. ``judge`` and ``checker`` make what they are named for, in the process that uses it; ``named`` says how they
    were asked for. ``concurrency`` is the number of cases in work at the same time, in one process. ``started`` (ISO
    8601) is the time of the run: a new plan, and a judgement on it, is of that time.

    Raises:
        PolicyError: the policy cannot have that N.
    """

    planner: Factory
    options: PlannerOptions = field(default_factory=PlannerOptions)
    policy: Policy = field(default_factory=Policy)
    samples: int | None = None
    keep_plan: bool = False
    signals: tuple[str, ...] = ()
    risk_model: Risk | None = None
    calibration: Calibration | None = None
    judge: Callable[[], Entailment] = no_judge
    checker: Callable[[], Checker] | None = None
    named: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 8
    started: str = ""

    def __post_init__(self) -> None:
        if self.samples is not None:
            tiers = {tier: replace(each, samples=self.samples) for tier, each in self.policy.settings.items()}
            object.__setattr__(self, "policy", replace(self.policy, tiers=tiers))
        # asked for here, where the files are that it is made of: another machine need not have them
        _ = self.policy.version, self.policy.comparing

    def run(self, planner: str) -> dict[str, str]:
        """What the results depend on, in words: results of another run are never mixed with these.

        How many cases are in work at the same time, and on how many machines, is not among it.
        """
        return {
            "planner": planner,
            "temperature": "the request's" if self.options.temperature is None else f"{self.options.temperature:g}",
            "samples": "the policy's" if self.samples is None else str(self.samples),
            "plan": "kept" if self.keep_plan else "new",
            "policy": self.policy.version[:_SHORT],
            "risk_model": "" if self.risk_model is None else self.risk_model.digest[:_SHORT],
            "signals": ",".join(sorted(self.signals)),
            "judge": self.named.get("judge", ""),
            "checker": self.named.get("checker", ""),
        }


def source_of(case: Case) -> str:
    """Names a recorded case by its content."""
    return digest(to_json(case))[:_SHORT]
