"""One planning step from samples to verdicts, as a generator that does no I/O.

The generator asks (``Draw``, ``Judge``) and is sent the answer, or the failure, by whoever drives it.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass, replace

from guardrail.clustering import Answers, CallMeaning, Comparison, TextPair, compare
from guardrail.engine.decide import Ruling, Tally, replan_or_review, rule, tally, waves
from guardrail.engine.words import explain
from guardrail.errors import MeasurementError
from guardrail.policy import Policy, Resolution
from guardrail.sampling import inspect, provenance
from guardrail.signals import Evidence, Registry
from guardrail.types import (
    PlanningStep,
    Reason,
    Route,
    Sample,
    SampleBatch,
    StepVerdict,
    Tier,
    ToolCall,
    Usage,
    Verdict,
)


@dataclass(frozen=True, kw_only=True)
class Draw:
    """Asks for n samples of the step; answered with a ``SampleBatch`` or a ``MeasurementError``."""

    n: int


@dataclass(frozen=True, kw_only=True)
class Judge:
    """Asks which pairs mean the same; answered with a list of booleans or a ``MeasurementError``."""

    pairs: tuple[TextPair, ...]


@dataclass(frozen=True, kw_only=True)
class Assessment:
    """The verdict on a step and the samples behind it."""

    verdict: StepVerdict
    samples: tuple[Sample, ...]


Answer = SampleBatch | Sequence[bool] | MeasurementError
Flow = Generator[Draw | Judge, Answer, Assessment]


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """What the policy asks about one planned call, and what is clear without samples."""

    call: ToolCall
    resolution: Resolution
    early: Ruling | None


class _Evidence:
    """What has been measured so far."""

    def __init__(self, asked: int) -> None:
        self.asked = asked
        self.samples: tuple[Sample, ...] = ()
        self.same: dict[TextPair, bool] = {}
        self.pairs = 0
        self.known_pairs = 0
        self.meanings: tuple[CallMeaning, ...] = ()
        self.extra: dict[str, int] = {}
        self.usage = Usage()
        self.failure: Reason | None = None
        self.curtailed = False
        self.fell_back = False
        self.detail = ""


def assess(step: PlanningStep, policy: Policy, *, draw_audit: float, curtail: bool, entailment: str) -> Flow:
    """Decide on every call of a planning step.

    ``draw_audit`` is a uniform random number in [0, 1), drawn before anything is sampled: the step is
    audited, and then takes all its samples, where it lies below the policy's audit probability.
    """
    plans = [_plan(step, call, index, policy) for index, call in enumerate(step.planned.calls)]
    audit = max((plan.resolution.audit for plan in plans), default=0.0)
    audited = draw_audit < audit
    sampled = [plan for plan in plans if _wants_samples(plan, audited=audited)]
    evidence = _Evidence(max((plan.resolution.samples for plan in sampled), default=0))
    if evidence.asked:
        yield from _gather(step, policy, plans, evidence, curtail=curtail and not audited)
    verdicts = [_verdict(step, plan, index, evidence) for index, plan in enumerate(plans)]
    return Assessment(
        verdict=StepVerdict(
            record_id="",
            step_id=step.id,
            route=_step_route(verdicts),
            verdicts=_with_siblings(verdicts),
            asked=evidence.asked,
            drawn=len(evidence.samples),
            invalid=sum(not sample.valid for sample in evidence.samples),
            curtailed=evidence.curtailed,
            audited=audited,
            audit_probability=audit,
            extra=evidence.extra,
            entailment=f"exact, in place of {entailment}" if evidence.fell_back else entailment,
            pairs=evidence.pairs,
            known_pairs=evidence.known_pairs,
            usage=evidence.usage,
        ),
        samples=evidence.samples,
    )


def _plan(step: PlanningStep, call: ToolCall, index: int, policy: Policy) -> _Plan:
    tool = step.tool(call.name)
    resolution = policy.resolve(call, tool)
    early: Ruling | None = None
    if not step.planned.valid:
        early = Ruling(route=Route.REVIEW, reason=Reason.UNPARSABLE_CALL)
    elif tool is None:
        early = replan_or_review(resolution, step.attempt, Reason.UNKNOWN_TOOL)
    elif step.request is None:
        early = Ruling(route=Route.REVIEW, reason=Reason.REQUEST_UNKNOWN)
    elif resolution.logprob is not None and resolution.tier is not Tier.CRITICAL:
        (likely,) = Registry().measure(("logprob_min",), Evidence(planned=step.planned, index=index))
        if likely.value is not None and likely.value >= resolution.logprob:
            early = Ruling(route=Route.EXECUTE, reason=Reason.LIKELY)
    return _Plan(call=call, resolution=resolution, early=early)


def _wants_samples(plan: _Plan, *, audited: bool) -> bool:
    if plan.early is None:
        return True
    return audited and plan.early.reason is Reason.LIKELY


def _gather(
    step: PlanningStep, policy: Policy, plans: Sequence[_Plan], evidence: _Evidence, *, curtail: bool
) -> Generator[Draw | Judge, Answer, None]:
    asked = evidence.asked
    needed = max(plan.resolution.needed_of(asked) for plan in plans if plan.resolution.samples)
    comparators = _comparators(plans)
    source = provenance(step.planned)
    seen = () if source is None else (source,)
    sizes = waves(asked, needed) if curtail else (asked,)
    comparison: Comparison | None = None
    for wave, size in enumerate(sizes, start=1):
        drawn = yield Draw(n=size)
        if not isinstance(drawn, SampleBatch):
            evidence.failure, evidence.detail = Reason.SAMPLING_FAILED, _detail(drawn)
            continue
        evidence.usage += drawn.usage
        evidence.samples = inspect((*evidence.samples, *drawn.samples[:size]), seen)
        comparison = compare(
            step.planned.calls,
            evidence.samples,
            step.tools,
            comparators=comparators,
            stated_defaults=policy.stated_defaults,
        )
        # two rounds a step: the first tells who agrees with the plan, and the second all the rest
        second = wave == len(sizes) > 1
        yield from _ask(comparison.open_pairs(evidence.same) if second else comparison.against_plan, policy, evidence)
        _conclude(comparison, evidence)
        if curtail and len(evidence.samples) < asked and _all_decided(plans, evidence):
            evidence.curtailed = True
            break
    if comparison is None or evidence.failure is Reason.ENTAILMENT_FAILED:
        return
    if (yield from _ask(comparison.open_pairs(evidence.same), policy, evidence)):
        _conclude(comparison, evidence)


def _ask(pairs: Iterable[TextPair], policy: Policy, evidence: _Evidence) -> Generator[Draw | Judge, Answer, bool]:
    """Has those pairs judged that are not judged yet; whether there were any.

    Where the judge fails, the policy may let the texts count as different.
    """
    asked = tuple(pair for pair in pairs if pair not in evidence.same)
    if not asked:
        return False
    answer = yield Judge(pairs=asked)
    judged = _judged(asked, answer)
    if not judged and policy.judge_fallback == "exact":
        evidence.fell_back = True
        judged = dict.fromkeys(asked, False)
    evidence.same.update(judged)
    evidence.pairs += len(asked)
    evidence.known_pairs += answer.known if isinstance(answer, Answers) else 0
    if not judged:
        evidence.failure, evidence.detail = Reason.ENTAILMENT_FAILED, _detail(answer)
    return True


def _conclude(comparison: Comparison, evidence: _Evidence) -> None:
    meaning = comparison.resolve(evidence.same)
    evidence.meanings, evidence.extra = meaning.calls, dict(meaning.extra)


def _detail(answer: object) -> str:
    return str(answer) if isinstance(answer, MeasurementError) else "the answer has the wrong form"


def _judged(pairs: tuple[TextPair, ...], answer: object) -> dict[TextPair, bool]:
    """Which pairs mean the same: only a plain True does. Nothing where the judge did not answer for each."""
    if not isinstance(answer, Sequence) or len(answer) != len(pairs):
        return {}
    return {pair: same is True for pair, same in zip(pairs, answer, strict=True)}


def _comparators(plans: Sequence[_Plan]) -> dict[str, dict[str, str]]:
    """Comparators by tool. Where two calls of a tool met rules that differ, only what both say holds."""
    found: dict[str, dict[str, str]] = {}
    for plan in plans:
        named = dict(plan.resolution.comparators)
        known = found.setdefault(plan.call.name, named)
        found[plan.call.name] = {path: name for path, name in known.items() if named.get(path) == name}
    return found


def _all_decided(plans: Sequence[_Plan], evidence: _Evidence) -> bool:
    return evidence.failure is None and all(
        plan.early is not None or (plan.resolution.tier is not Tier.CRITICAL and _tally(plan, index, evidence).decided)
        for index, plan in enumerate(plans)
    )


def _tally(plan: _Plan, index: int, evidence: _Evidence) -> Tally:
    agrees = evidence.meanings[index].agrees if evidence.meanings else ()
    return tally(
        agrees, asked=evidence.asked, needed=plan.resolution.needed_of(evidence.asked) if evidence.asked else 0
    )


def _verdict(step: PlanningStep, plan: _Plan, index: int, evidence: _Evidence) -> Verdict:
    resolution, counted = plan.resolution, _tally(plan, index, evidence)
    ruling = plan.early or rule(resolution, counted, attempt=step.attempt, failure=evidence.failure)
    clusters = evidence.meanings[index].clusters if evidence.meanings else ()
    signals = Registry().measure(
        resolution.signals,
        Evidence(
            planned=step.planned,
            index=index,
            tool=step.tool(plan.call.name),
            samples=evidence.samples,
            clusters=clusters,
            agrees=evidence.meanings[index].agrees if evidence.meanings else (),
            asked=counted.asked,
        ),
    )
    return Verdict(
        call=plan.call,
        tier=resolution.tier,
        route=ruling.route,
        reason=ruling.reason,
        why=explain(ruling, resolution, counted, step, evidence.detail),
        rule=resolution.rule,
        decisions=resolution.decisions,
        asked=counted.asked,
        needed=counted.needed,
        agreeing=counted.agreeing,
        disagreeing=counted.disagreeing,
        threshold=resolution.logprob if ruling.reason is Reason.LIKELY else resolution.agreement,
        clusters=clusters,
        signals=signals,
    )


def _step_route(verdicts: Sequence[Verdict]) -> Route:
    routes = {verdict.route for verdict in verdicts}
    return next((route for route in (Route.RETRY, Route.REVIEW) if route in routes), Route.EXECUTE)


def _with_siblings(verdicts: Sequence[Verdict]) -> tuple[Verdict, ...]:
    """A step is planned again as a whole: where one call is, none runs."""
    if not any(verdict.route is Route.RETRY for verdict in verdicts):
        return tuple(verdicts)
    return tuple(
        verdict
        if verdict.route is Route.RETRY
        else replace(
            verdict,
            route=Route.RETRY,
            reason=Reason.SIBLING_RETRIED,
            why="Not run because another call of the same step is planned again. " + verdict.why,
        )
        for verdict in verdicts
    )
