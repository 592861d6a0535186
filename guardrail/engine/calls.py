"""One planned call on its way through the stages of its tier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from guardrail.catalogue import RISK
from guardrail.engine.calibrated import Standing
from guardrail.engine.decide import Tally, cuts, late_look
from guardrail.engine.evidence import COMPARED, Gathered, Tools
from guardrail.engine.refused import Objection
from guardrail.engine.stages import AGREEMENT, Look, Outcome, Reading, concluded, count, expect, gated, needed_of, read
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

    @property
    def by_risk(self) -> bool:
        """Whether a calibrated risk made the route what it is, where the call has such a threshold."""
        look = self.look
        return look is not None and look.outcome in (Outcome.EXECUTE, Outcome.DOUBT) and look.gate is not None

    @property
    def doubted(self) -> bool:
        """Whether a doubt decided, before the last stage."""
        look = self.look
        return look is not None and look.outcome is Outcome.DOUBT and any(reading.truth for reading in look.doubt)


class Call:
    """A planned call, the stage it has reached, and its ruling once there is one.

    ``early`` says whether a stage may be left before all its samples are there. ``standing`` is what a calibration says
    of the call, if there is one; where the risk decides, ``gate`` is the condition on it.
    """

    def __init__(
        self, index: int, call: ToolCall, resolution: Resolution, *, early: bool, standing: Standing | None = None
    ) -> None:
        self.index = index
        self.call = call
        self.objection: Objection | None = None
        self.resolution = resolution
        self.standing = standing
        self.gate: Condition | None = None
        self.stages = resolution.stages
        if standing is not None and standing.gated:
            self.gate = Condition(signal=RISK.name, op=Op.LT, value=standing.below)
            self.stages = (*self.stages[:-1], replace(self.stages[-1], execute=()))
        self.at = 0
        self.ruling: Ruling | None = None
        self.risk: Signal | None = None
        self.critical = resolution.tier is Tier.CRITICAL
        # who is reviewed whatever is measured is measured in full: such a call can be learned from
        self.early = early and resolution.stopping.rule is not StoppingRule.NONE and not self.critical
        self.early = self.early and (standing is None or standing.reason is None)
        self.expects = self.early and resolution.stopping.rule is StoppingRule.BAYESIAN and self.gate is None
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
        if self._gates(stage):
            return tuple(dict.fromkeys((*stage.named, RISK.name)))
        return stage.signals if self.critical else stage.named

    def _gates(self, stage: Stage) -> bool:
        """Whether the calibrated risk decides at a stage: at every one that may execute."""
        return self.gate is not None and (bool(stage.execute) or stage is self.stages[-1])

    def size(self, gathered: Gathered) -> int:
        """How many samples the stage looks at: the last one at as many as any call that comes to its last.

        Where the risk is a calibrated score it is of the tier's own N: it may not depend on what else the step plans.
        """
        if not self.last or self.gate is not None:
            return self.stage.samples
        return gathered.raised or self.stage.samples

    def scored(self, gathered: Gathered) -> int:
        """Over how many samples the call's score is: those of the stage that decided, at most the tier's own N.

        So a risk that is learned from the signals on record is the risk that decides. A critical call, and one that no
        stage has decided on, has no score but the evidence of all samples.
        """
        if not gathered.requested:
            return 0
        if self.critical or self.ruling is None or not self.ruling.stage:
            return gathered.asked
        return self.stages[self.ruling.stage - 1].samples

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
        if self.gate is not None and self.last:
            look = Look(outcome=Outcome.EXECUTE)
        else:
            look = concluded(stage, execute, doubt, last=self.last)
        if self.gate is None or look.outcome is not Outcome.EXECUTE:
            return look
        return gated(look, self._read(self.gate, gathered), complete=self.complete(gathered))

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
        names = [one.signal for one in self.stage.conditions]
        if self._gates(self.stage):
            names.append(RISK.name)
        needs = gathered.tools.needs(names)
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


def calls_of(
    step: PlanningStep,
    policy: Policy,
    *,
    early: bool,
    standing: Callable[[Tier, str], Standing | None] = lambda _tier, _tool: None,
    objections: Mapping[int, Objection] | None = None,
) -> list[Call]:
    """The planned calls; those that nothing has to be measured for have their ruling.

    ``standing`` is what a calibration says of calls of a tier and a tool; ``objections`` are what the past says against
    a call, by its index.
    """
    found = []
    for index, call in enumerate(step.planned.calls):
        resolution = policy.resolve(call, step.tool(call.name))
        one = Call(index, call, resolution, early=early, standing=standing(resolution.tier, call.name))
        one.objection = (objections or {}).get(index)
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
    if look.outcome is Outcome.UNSCORED:
        reason, detail = _why_open(look, gathered, gathered.unjudged)
        return Ruling(route=Route.REVIEW, reason=reason, stage=stage, look=look, counted=counted, detail=detail)
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
    # a call without a score is none of those of which something is promised, so that it does not run unmeasured
    if call.resolution.unmeasured is Route.EXECUTE and call.gate is None:
        route, reason = Route.EXECUTE, Reason.FAIL_OPEN_BY_POLICY
    else:
        route = Route.REVIEW
    return Ruling(route=route, reason=reason, look=look, counted=counted, detail=detail)


def enforced(call: Call, gathered: Gathered) -> Ruling | None:
    """The ruling of a measured call after what a calibration and the past say of it, whatever was measured."""
    ruling, objection = _calibrated(call, gathered), call.objection
    if ruling is None or objection is None or ruling.route is not Route.EXECUTE:
        return ruling
    return replace(ruling, route=Route.REVIEW, reason=objection.reason, detail=objection.detail, look=None, stage=0)


def _calibrated(call: Call, gathered: Gathered) -> Ruling | None:
    ruling, standing = call.ruling, call.standing
    if ruling is None or standing is None:
        return ruling
    if standing.promise is not None and gathered.fell_back:
        why = "its texts were compared by another judge than the one that it is calibrated for, which failed"
        call.standing = standing = Standing(why=why, reason=Reason.UNCALIBRATED)
    if standing.reason is None:
        return ruling
    return replace(ruling, route=Route.REVIEW, reason=standing.reason, detail=standing.why)


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
