"""One planned call on its way through the stages of its tier."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from guardrail.catalogue import RISK
from guardrail.engine.decide import Tally, cuts, late_look
from guardrail.engine.evidence import COMPARED, Gathered, Tools
from guardrail.engine.stages import AGREEMENT, Look, Outcome, Reading, concluded, count, expect, needed_of, read
from guardrail.policy import Condition, Op, Policy, Resolution, Stage, StoppingRule
from guardrail.types import SAMPLED, Need, PlanningStep, Reason, Route, Signal, Tier, ToolCall


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """A route, the reason for it, and what it rests on: stage (1 is the first), conditions, counts."""

    route: Route
    reason: Reason
    stage: int = 0
    look: Look | None = None
    counted: Tally = field(default_factory=lambda: Tally(asked=0, needed=0))
    detail: str = ""


class Call:
    """A planned call, the stage it has reached, and its ruling once there is one.

    ``early`` says whether a stage may be left before all its samples are there.
    """

    def __init__(self, index: int, call: ToolCall, resolution: Resolution, *, early: bool) -> None:
        self.index = index
        self.call = call
        self.resolution = resolution
        self.stages = resolution.stages
        self.at = 0
        self.ruling: Ruling | None = None
        self.risk: Signal | None = None
        self.critical = resolution.tier is Tier.CRITICAL
        self.early = early and resolution.stopping.rule is not StoppingRule.NONE and not self.critical
        self.expects = self.early and resolution.stopping.rule is StoppingRule.BAYESIAN
        if self.critical:
            self.at = len(self.stages) - 1

    @property
    def stage(self) -> Stage:
        """The stage that it has reached."""
        return self.stages[self.at]

    @property
    def last(self) -> bool:
        """Whether no other follows."""
        return self.at == len(self.stages) - 1

    @property
    def open(self) -> bool:
        """Whether no stage before the last has decided."""
        return self.ruling is None

    @property
    def reached(self) -> tuple[str, ...]:
        """Every signal that the stages so far name."""
        return tuple(dict.fromkeys(name for stage in self.stages[: self.at + 1] for name in self.paid_in(stage)))

    @property
    def all_paid(self) -> tuple[str, ...]:
        """Every signal that any of its stages names."""
        return tuple(dict.fromkeys(name for stage in self.stages for name in self.paid_in(stage)))

    def paid_in(self, stage: Stage) -> tuple[str, ...]:
        """The signals that a stage pays for; no condition decides on a critical call."""
        return stage.signals if self.critical else stage.named

    def size(self, gathered: Gathered) -> int:
        """How many samples the stage looks at: the last one at as many as any call that comes to its last."""
        return (gathered.raised or self.stage.samples) if self.last else self.stage.samples

    def sampled(self, gathered: Gathered) -> bool:
        """Whether the stage takes samples."""
        names = self.paid_in(self.stage)
        return self.size(gathered) > 0 and bool(gathered.tools.needs(names) & SAMPLED)

    def most(self, tools: Tools, *, whole: bool) -> int:
        """N of its tier, where this stage or one after it (``whole``: any at all) takes samples; else 0."""
        rest = self.stages if whole else self.stages[self.at :]
        takes = any(stage.samples and tools.needs(self.paid_in(stage)) & SAMPLED for stage in rest)
        return self.resolution.samples if takes else 0

    def complete(self, gathered: Gathered) -> bool:
        """Whether the stage has all the samples that it will get."""
        return gathered.closed or not self.sampled(gathered) or gathered.requested >= self.size(gathered)

    def settled(self, gathered: Gathered) -> bool:
        """Whether the stage says something that samples still to come do not change."""
        return self.early and self.look(gathered).outcome is not Outcome.OPEN

    def look(self, gathered: Gathered) -> Look:
        """What the stage says, with the evidence that is there."""
        if self.critical or not (self.early or self.complete(gathered)):
            return Look(outcome=Outcome.OPEN)
        stage = self.stage
        execute = [self._read(condition, gathered) for condition in stage.execute]
        doubt = [self._read(condition, gathered) for condition in stage.doubt]
        return concluded(stage, execute, doubt, last=self.last)

    def counted(self, gathered: Gathered) -> Tally:
        """How the samples of the stage speak about the call."""
        n = self.size(gathered)
        if not n or not gathered.requested:
            return Tally(asked=0, needed=0)
        return gathered.tally(self.index, n, self._needed(n))

    def next_look(self, gathered: Gathered) -> int:
        """After how many samples to look again, where the stage waits for some.

        A call at its last stage waits at least for the N of its own tier: another, for which N is raised, may be
        decided before.
        """
        n = self.size(gathered)
        if not self.last:
            return n
        look = n
        if self.early:
            look = next((look for look in self._looks(n) if look > gathered.requested), n)
        own = self.resolution.samples
        return min(look, own) if gathered.requested < own else look

    def _needed(self, n: int) -> int:
        """How many of n samples the stage needs to agree; 0 where it has no such condition."""
        wanted = (one for one in self.stage.execute if one.signal == AGREEMENT and one.op is Op.GE)
        return max((needed_of(one, n) for one in wanted), default=0)

    def deciding(self, gathered: Gathered) -> list[tuple[Need, int]]:
        """What the conditions of the stage need compared, and for how many samples."""
        if self.critical or not self.sampled(gathered):
            return []
        needs = gathered.tools.needs([one.signal for one in self.stage.conditions])
        return [(need, self.size(gathered)) for need in COMPARED if need in needs]

    def _looks(self, n: int) -> Iterable[int]:
        base = max((stage.samples for stage in self.stages[:-1]), default=0)
        if not self.resolution.waves:
            yield from late_look(n) if self.expects else cuts(n, self._needed(n))
        for size in self.resolution.waves:
            base += size
            if base < n:
                yield base

    def _read(self, condition: Condition, gathered: Gathered) -> Reading:
        n = self.size(gathered)
        (signal,) = gathered.measure((condition.signal,), self.index, n)
        if condition.signal == RISK.name:
            self.risk = signal
        if condition.signal != AGREEMENT:
            return read(condition, signal, firm=gathered.firm(condition.signal, n))
        counted = gathered.tally(self.index, n, 0)
        reading = count(condition, signal, counted)
        if not (self.last and self.early) or gathered.closed:
            return reading
        remaining = n - gathered.requested
        return expect(reading, counted, remaining=max(0, remaining), stopping=self.resolution.stopping)


def calls_of(step: PlanningStep, policy: Policy, *, early: bool) -> list[Call]:
    """The planned calls; those that nothing has to be measured for have their ruling."""
    found = []
    for index, call in enumerate(step.planned.calls):
        one = Call(index, call, policy.resolve(call, step.tool(call.name)), early=early)
        one.ruling = _at_once(step, one)
        found.append(one)
    return found


def ruled(call: Call, look: Look, gathered: Gathered) -> Ruling:
    """What follows where a stage has decided."""
    resolution, counted = call.resolution, call.counted(gathered)
    first_of_low = call.at == 0 and resolution.logprob is not None
    by_agreement = any(reading.condition.signal == AGREEMENT for reading in look.deciding)
    stage = call.at + 1
    if look.outcome is Outcome.EXECUTE:
        reason = Reason.LIKELY if first_of_low else Reason.AGREED if call.last and by_agreement else Reason.CLEARED
        return Ruling(route=Route.EXECUTE, reason=reason, stage=stage, look=look, counted=counted)
    reason = Reason.DISAGREED if call.last and by_agreement else Reason.DOUBTFUL
    again = replan_or_review(resolution, gathered.step.attempt, reason)
    return Ruling(route=again.route, reason=again.reason, stage=stage, look=look, counted=counted)


def concluded_last(call: Call, gathered: Gathered) -> Ruling:
    """The ruling of a call that no earlier stage has decided on."""
    counted = call.counted(gathered)
    if call.critical:
        return Ruling(route=Route.REVIEW, reason=Reason.CRITICAL, counted=counted)
    look = call.look(gathered)
    needs = gathered.tools.needs(call.paid_in(call.stage))
    unjudged = gathered.unjudged if needs.intersection(COMPARED) else None
    if unjudged is None and look.outcome is not Outcome.OPEN:
        return ruled(call, look, gathered)
    reason, detail = _why_open(look, gathered, unjudged)
    if call.resolution.unmeasured is Route.EXECUTE:
        route, reason = Route.EXECUTE, Reason.FAIL_OPEN_BY_POLICY
    else:
        route = Route.REVIEW
    return Ruling(route=route, reason=reason, look=look, counted=counted, detail=detail)


def replan_or_review(resolution: Resolution, attempt: int, reason: Reason) -> Ruling:
    """Plan again while the step's retries last, then ask a human."""
    if resolution.tier is not Tier.CRITICAL and attempt < resolution.max_retries:
        return Ruling(route=Route.RETRY, reason=reason)
    retried = attempt > 0 and resolution.tier is not Tier.CRITICAL
    return Ruling(route=Route.REVIEW, reason=Reason.RETRIES_SPENT if retried else reason)


def _at_once(step: PlanningStep, call: Call) -> Ruling | None:
    if not step.planned.valid:
        return Ruling(route=Route.REVIEW, reason=Reason.UNPARSABLE_CALL)
    if step.tool(call.call.name) is None:
        return replan_or_review(call.resolution, step.attempt, Reason.UNKNOWN_TOOL)
    if step.request is None:
        return Ruling(route=Route.REVIEW, reason=Reason.REQUEST_UNKNOWN)
    return None


def _why_open(look: Look, gathered: Gathered, unjudged: str | None) -> tuple[Reason, str]:
    """Why nothing could be decided: the failure that there was, else what is missing."""
    if unjudged is not None:
        return Reason.ENTAILMENT_FAILED, unjudged
    if gathered.failure is not None:
        return gathered.failure, gathered.detail
    for reading in look.deciding:
        signal = reading.signal
        if reading.condition.signal != AGREEMENT and reading.truth is None and signal.bounds is None:
            return Reason.NOT_MEASURED, f"{signal.name}: {signal.missing or 'samples that it takes are not valid'}"
    return Reason.INVALID_SAMPLES, ""
