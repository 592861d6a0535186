"""The flow by itself, under any stages at all, with what it asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardrail.clustering import ExactEntailment
from guardrail.engine.calibrated import Calibration
from guardrail.engine.evidence import Risk, Tools
from guardrail.engine.flow import Answer, Draw, Inquire, Judge, assess
from guardrail.errors import SamplingError
from guardrail.policy import Condition, Op, Resolution, Stage, Stopping
from guardrail.signals import Measure, Registry
from guardrail.types import Alarm, PlanningStep, Sample, SampleBatch, StepVerdict, Tier, ToolCall, ToolSpec, Usage


@dataclass
class Rules:
    """Stands for a policy: what applies by the tool's name, whatever a policy file would allow."""

    by_tool: Mapping[str, Resolution]
    stated_defaults: bool = True
    judge_fallback: str = "none"

    def resolve(self, call: ToolCall, tool: ToolSpec | None) -> Resolution:
        return self.by_tool[call.name]


@dataclass
class Ran:
    """A verdict and everything that was paid for."""

    verdict: StepVerdict
    drawn: list[int] = field(default_factory=list)
    judged: list[int] = field(default_factory=list)
    inquired: list[list[str]] = field(default_factory=list)


def condition(text: str) -> Condition:
    """``agreement ge 1.0``."""
    signal, op, value = text.split()
    return Condition(signal=signal, op=Op(op), value=float(value))


def stage(samples: int = 0, *, execute: str = "", doubt: str = "", signals: tuple[str, ...] = ()) -> Stage:
    """Conditions are separated by commas."""
    return Stage(
        samples=samples,
        signals=signals,
        execute=tuple(condition(text) for text in execute.split(",") if text),
        doubt=tuple(condition(text) for text in doubt.split(",") if text),
    )


def tier(
    *cascade: Stage,
    samples: int = 8,
    agreement: float | None = 1.0,
    stopping: Stopping | None = None,
    signals: tuple[str, ...] = ("agreement",),
    **more: Any,
) -> Resolution:
    """What a rule gives."""
    given: dict[str, Any] = {"tier": Tier.HIGH, "rule": "test", "max_retries": 1, **more}
    return Resolution(
        samples=samples,
        agreement=agreement,
        cascade=cascade,
        stopping=stopping or Stopping(),
        signals=signals,
        **given,
    )


def run(
    one: PlanningStep,
    rules: Rules | Resolution,
    drawn: Sequence[Sample],
    *,
    own: Sequence[Measure] = (),
    risk: Risk | None = None,
    asker: Any = None,
    judge: Any = None,
    curtail: bool = True,
    audit: float = 1.0,
    calibration: Calibration | None = None,
    alarms: Sequence[Alarm] = (),
) -> Ran:
    """Drives the flow over samples in their order."""
    policy: Any = rules if isinstance(rules, Rules) else Rules({"pay": rules, "read": rules})
    judge = judge or ExactEntailment()
    tools = Tools(registry=Registry(own), risk=risk, asks=asker is not None)
    flow = assess(
        one,
        policy,
        draw_audit=audit,
        curtail=curtail,
        tools=tools,
        judging_is_free=isinstance(judge, ExactEntailment),
        calibration=calibration,
        alarms=alarms,
    )
    left = list(drawn)
    ran = Ran(verdict=StepVerdict(record_id="", step_id="", route=None, verdicts=()))  # type: ignore[arg-type]
    try:
        request = next(flow)
        while True:
            answer: Answer
            if isinstance(request, Draw):
                ran.drawn.append(request.n)
                taken, left = left[: request.n], left[request.n :]
                answer = SampleBatch(samples=tuple(taken), usage=Usage(requests=1))
                answer = answer if taken else SamplingError("no more")
            elif isinstance(request, Judge):
                ran.judged.append(len(request.pairs))
                answer = judge.equivalent(request.pairs)
            else:
                assert isinstance(request, Inquire)
                ran.inquired.append([question.user for question in request.questions])
                answer = asker.ask(one, request.questions)
            request = flow.send(answer)
    except StopIteration as done:
        ran.verdict = done.value.verdict
        return ran
