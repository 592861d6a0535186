"""Recorded steps without a model: every signal of them, and what a policy would have made of them.

Both use what the flow itself uses, so that a number in a table is the number that would have decided.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from guardrail.catalogue import RISK
from guardrail.clustering import Entailment, ExactEntailment, TextPair
from guardrail.engine.calibrated import Calibration
from guardrail.engine.calls import calls_of
from guardrail.engine.evidence import COMPARED, Gathered, Risk, Tools
from guardrail.engine.flow import Draw, Inquire, assess, comparators_of
from guardrail.errors import AskingError, EntailmentError, SamplingError
from guardrail.policy import Policy
from guardrail.signals import Evidence, Measure, Registry
from guardrail.types import Case, Need, PlanningStep, SampleBatch, Signal, SignalInfo, StepVerdict, Usage

_NEVER = 1.0
"""No audit is drawn at this number."""


@dataclass(frozen=True, kw_only=True)
class Replayed:
    """What a policy makes of a recorded step: its verdict (``drawn`` samples of ``asked``), in how many ``rounds``.

    ``fingerprint`` is what the scores depend on, as a record of the step would have it.
    """

    verdict: StepVerdict
    rounds: int
    fingerprint: dict[str, str] = field(default_factory=dict)


class Recorded:
    """A signal that was measured when the case was recorded and cannot be computed again: an answer of the model."""

    def __init__(self, info: SignalInfo, case: Case) -> None:
        self.info = replace(info, needs=frozenset())
        self._case = case

    def measure(self, evidence: Evidence) -> Signal:
        """What was recorded."""
        recorded = self._case.signals[evidence.index] if evidence.index < len(self._case.signals) else ()
        missing = Signal(name=self.info.name, unit=self.info.unit, missing="it was not recorded")
        return next((signal for signal in recorded if signal.name == self.info.name), missing)


def score(
    cases: Sequence[Case],
    names: Sequence[str],
    *,
    entailment: Entailment | None = None,
    registry: Registry | None = None,
    policy: Policy | None = None,
    n: int | None = None,
    risk_model: Risk | None = None,
) -> list[tuple[tuple[Signal, ...], ...]]:
    """The signals ``names`` of every planned call of every case, over the first ``n`` samples (None: all).

    All texts of all cases go to the judge in one batch (and in a second those of arguments, where only the first tells
    which of several calls of one tool is which). Signals that ask the model are those recorded. ``policy`` has
    the rules by which calls are compared; ``risk`` needs a ``risk_model``.

    Raises:
        EntailmentError: the judge failed, or did not answer for each pair; whatever else it raises.
    """
    found = [
        _gathered(case, names, registry or Registry(), policy or Policy(), n=n, risk_model=risk_model) for case in cases
    ]
    judge = entailment or ExactEntailment()
    while pairs := tuple(dict.fromkeys(pair for gathered in found for pair in _open_pairs(gathered, names))):
        same = _judged(pairs, judge)
        for gathered in found:
            gathered.same.update((pair, same[pair]) for pair in _open_pairs(gathered, names))
    return [
        tuple(gathered.measure(names, index, gathered.asked) for index in range(len(gathered.step.planned.calls)))
        for gathered in found
    ]


def replay(
    case: Case,
    policy: Policy,
    *,
    n: int | None = None,
    entailment: Entailment | None = None,
    registry: Registry | None = None,
    risk_model: Risk | None = None,
    curtail: bool = True,
    calibration: Calibration | None = None,
    fingerprint: Mapping[str, str] | None = None,
    attempt: int = 0,
) -> Replayed:
    """What the policy makes of a case whose samples come in their order; ``n`` replaces every tier's N.

    Samples beyond those recorded cannot be drawn, and questions cannot be asked: signals that ask are those recorded.
    A judge that fails sends the step to its fail-closed route, as it does when the guard runs. ``calibration`` has
    thresholds for steps of a ``fingerprint`` like theirs, at the ``attempt`` (0: the first).

    Raises:
        PolicyError: the policy cannot have that N.
    """
    if n is not None:
        policy = replace(policy, tiers={tier: replace(each, samples=n) for tier, each in policy.settings.items()})
    registry = registry or Registry()
    tools = _tools(case, _named(policy), registry, risk_model)
    judge = entailment or ExactEntailment()
    flow = assess(
        replace(_step(case), attempt=attempt),
        policy,
        draw_audit=_NEVER,
        curtail=curtail,
        entailment=judge.name,
        tools=tools,
        judging_is_free=isinstance(judge, ExactEntailment),
        calibration=calibration,
        fingerprint=fingerprint,
    )
    left, rounds = list(case.samples), 0
    try:
        request = next(flow)
        while True:
            answer: Any
            if isinstance(request, Draw):
                rounds += 1
                drawn, left = left[: request.n], left[request.n :]
                answer = SampleBatch(samples=tuple(drawn), usage=Usage(requests=1))
                answer = answer if drawn else SamplingError("no more samples were recorded")
            elif isinstance(request, Inquire):
                answer = AskingError("a recorded step cannot be asked about")
            else:
                answer = _answered(request.pairs, judge)
            request = flow.send(answer)
    except StopIteration as done:
        return Replayed(verdict=done.value.verdict, rounds=rounds, fingerprint=done.value.fingerprint)


def _step(case: Case) -> PlanningStep:
    return PlanningStep(
        id=case.id,
        planned=case.planned,
        tools=case.tools,
        model=case.model,
        conversation=case.conversation,
        request="recorded",
    )


def _named(policy: Policy) -> set[str]:
    names = {name for tier in policy.settings.values() for name in tier.signals}
    return names | {name for tier in policy.settings.values() for stage in tier.cascade for name in stage.named}


def _tools(case: Case, names: Iterable[str], registry: Registry, risk_model: Risk | None) -> Tools:
    wanted = {*names, *(risk_model.signals if risk_model is not None else ())} - {RISK.name}
    own: dict[str, Measure] = {}
    for name in sorted(wanted):
        measure = registry.get(name)
        own[name] = Recorded(measure.info, case) if Need.QUESTION in measure.info.needs else measure
    return Tools(registry=Registry(own.values()), risk=risk_model)


def _gathered(
    case: Case, names: Sequence[str], registry: Registry, policy: Policy, *, n: int | None, risk_model: Risk | None
) -> Gathered:
    step = _step(case)
    gathered = Gathered(
        step,
        _tools(case, names, registry, risk_model),
        comparators=comparators_of(calls_of(step, policy, early=False)),
        stated_defaults=policy.stated_defaults,
    )
    samples = case.samples if n is None else case.samples[:n]
    gathered.asked = gathered.requested = len(case.samples) if n is None else n
    if samples:
        gathered.add(SampleBatch(samples=samples), len(samples))
    return gathered


def _open_pairs(gathered: Gathered, names: Sequence[str]) -> set[TextPair]:
    """Every pair of texts that the signals need and nobody has judged."""
    if not gathered.samples or not gathered.step.planned.calls:
        return set()
    needs = gathered.tools.needs(names)
    return {pair for need in COMPARED if need in needs for pair in gathered.open_pairs(need, gathered.asked)}


def _answered(pairs: tuple[TextPair, ...], judge: Entailment) -> Any:
    try:
        return judge.equivalent(pairs)
    except Exception as error:  # noqa: BLE001 - whatever a judge raises, nothing was compared
        return EntailmentError(f"{type(error).__name__} in the backend")


def _judged(pairs: tuple[TextPair, ...], judge: Entailment) -> dict[TextPair, bool]:
    answers = judge.equivalent(pairs)
    if not isinstance(answers, Sequence) or len(answers) != len(pairs):
        raise EntailmentError(f"{judge.name} did not give one answer for each of {len(pairs)} pairs of texts")
    return {pair: same is True for pair, same in zip(pairs, answers, strict=True)}
