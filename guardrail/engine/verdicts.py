"""From what was measured to what is said: the verdicts on a step."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from guardrail.catalogue import RISK
from guardrail.engine.calls import Call, Ruling
from guardrail.engine.evidence import Gathered
from guardrail.engine.words import explain, uncalibrated
from guardrail.types import Reason, Route, Signal, StepVerdict, Verdict


def step_verdict(
    calls: Sequence[Call], gathered: Gathered, *, audited: bool, audit: float, entailment: str
) -> StepVerdict:
    """The verdict on a step whose calls all have their ruling; the record's id and the time are not known yet."""
    verdicts = [_verdict(call, call.ruling, gathered) for call in calls if call.ruling is not None]
    drawn = len(gathered.samples)
    return StepVerdict(
        record_id="",
        step_id=gathered.step.id,
        route=_step_route(verdicts),
        verdicts=_with_siblings(verdicts),
        asked=gathered.asked,
        drawn=drawn,
        invalid=sum(not sample.valid for sample in gathered.samples),
        curtailed=gathered.requested < gathered.asked and not gathered.closed,
        audited=audited,
        audit_probability=audit,
        extra=dict(gathered.meaning(drawn).extra) if drawn else {},
        entailment=f"exact, in place of {entailment}" if gathered.fell_back else entailment,
        pairs=gathered.pairs,
        known_pairs=gathered.known_pairs,
        questions=gathered.questions,
        usage=gathered.usage,
    )


def _verdict(call: Call, ruling: Ruling, gathered: Gathered) -> Verdict:
    resolution = call.resolution
    counted = ruling.counted
    promise = call.standing.promise if call.standing is not None and ruling.by_risk else None
    n = gathered.asked if gathered.requested else 0
    scored = call.scored(gathered)
    return Verdict(
        call=call.call,
        tier=resolution.tier,
        route=ruling.route,
        reason=ruling.reason,
        why=explain(ruling, call, gathered),
        rule=resolution.rule,
        decisions=resolution.decisions,
        asked=counted.asked,
        needed=counted.needed,
        agreeing=counted.agreeing,
        disagreeing=counted.disagreeing,
        stage=ruling.stage,
        threshold=_threshold(call, ruling),
        calibrated=promise is not None,
        promise=promise,
        uncalibrated="" if promise is not None else uncalibrated(ruling, call),
        clusters=gathered.meaning(len(gathered.samples)).calls[call.index].clusters if gathered.samples else (),
        signals=_signals(call, gathered, n),
        scored=() if scored == n else _signals(call, gathered, scored),
        doubted=ruling.doubted,
    )


def _signals(call: Call, gathered: Gathered, n: int) -> tuple[Signal, ...]:
    """Every signal that the tier names and the stages have paid for, over n samples; ``risk`` as it decided."""
    names = tuple(dict.fromkeys((*call.resolution.signals, *call.reached)))
    measured = gathered.measure(names, call.index, n)
    if call.risk is None:
        return measured
    return tuple(call.risk if signal.name == RISK.name else signal for signal in measured)


def _threshold(call: Call, ruling: Ruling) -> float | None:
    """The number that was decisive: of the stage, where it has only one, and else of the last stage."""
    if ruling.reason in (Reason.UNCALIBRATED, Reason.ALARM):
        return None
    if call.gate is not None and ruling.by_risk:
        return call.gate.value
    if ruling.reason in (Reason.LIKELY, Reason.CLEARED, Reason.DOUBTFUL) and ruling.look is not None:
        deciding = ruling.look.deciding
        return deciding[0].condition.value if len(deciding) == 1 else None
    resolution = call.resolution
    return resolution.max_risk if resolution.agreement is None else resolution.agreement


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
            calibrated=False,
            promise=None,
            uncalibrated="another call of the same step is planned again",
            why="Not run because another call of the same step is planned again. " + verdict.why,
        )
        for verdict in verdicts
    )
