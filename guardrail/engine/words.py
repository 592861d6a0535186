"""Why a verdict is what it is, in one sentence for people."""

from __future__ import annotations

from typing import Final

from guardrail import catalogue
from guardrail.engine.calls import Call, Ruling
from guardrail.engine.decide import Tally
from guardrail.engine.evidence import Gathered
from guardrail.engine.stages import AGREEMENT, Look, Outcome, Reading
from guardrail.policy import Op
from guardrail.types import Promise, Reason, Route, Signal

_LONGEST_DETAIL: Final = 500
_THEN: Final = {
    Route.EXECUTE: "it runs",
    Route.RETRY: "the step is planned again",
    Route.REVIEW: "a human decides",
}
_OPS: Final = {Op.GE: "at least", Op.GT: "above", Op.LE: "at most", Op.LT: "below"}
_BECAUSE: Final = {
    Reason.AGREED: "{measured}{also} ({calibrated}){stopped}",
    Reason.LIKELY: "every token of its name and values was likely enough for a low-stakes call ({calibrated})",
    Reason.CLEARED: "cleared at stage {stage} of {stages}: {conditions} ({calibrated}){stopped}",
    Reason.DISAGREED: "{measured}; {disagreeing} plan something else{stopped}",
    Reason.DOUBTFUL: "in doubt at stage {stage} of {stages}: {conditions} ({calibrated}){stopped}",
    Reason.RETRIES_SPENT: "still in doubt after planning again {attempt} of {retries} times; {doubt}",
    Reason.CRITICAL: "critical calls always wait for a human; {evidence}",
    Reason.SAMPLING_FAILED: "the planning step could not be sampled again ({detail})",
    Reason.INVALID_SAMPLES: "too few samples are valid: {measured}, {disagreeing} plan something else",
    Reason.ENTAILMENT_FAILED: "the samples could not be compared ({detail})",
    Reason.BUDGET_SPENT: "the budget does not allow to measure it: {detail}",
    Reason.NOT_MEASURED: "what decides could not be measured ({detail})",
    Reason.REQUEST_UNKNOWN: "the request that planned it is not known, so it could not be sampled again",
    Reason.UNKNOWN_TOOL: "it names a tool that the model was not offered",
    Reason.UNPARSABLE_CALL: "the plan itself is not usable: {status}",
    Reason.FAIL_OPEN_BY_POLICY: "it could not be measured{because}, and the policy lets this tier run unmeasured",
    Reason.UNCALIBRATED: "{detail}; {evidence}",
    Reason.ALARM: "{detail}; {evidence}",
    Reason.REFUSED_BEFORE: "{detail}; {evidence}",
    Reason.HOLDS_MARK: "{detail}; {evidence}",
    Reason.MAY_HAVE_RUN: "{detail}; {evidence}",
}
_BY_RISK: Final = {
    Reason.LIKELY: "{conditions}",
    Reason.CLEARED: "{conditions}",
    Reason.DOUBTFUL: "{conditions}",
}
_SURE: Final = 1.0
"""The greatest risk there is; a threshold above it lets every call run."""


def explain(ruling: Ruling, call: Call, gathered: Gathered) -> str:
    """Says what was measured, against what, and what follows."""
    counted, look = ruling.counted, ruling.look
    evidence = _evidence(counted)
    measured = f"{evidence}, {counted.needed} are needed" if counted.asked and counted.needed else evidence
    conditions = "" if look is None else "; ".join(_condition(reading, counted) for reading in look.deciding)
    standing, promise = call.standing, None
    if standing is not None and ruling.by_risk:
        promise = standing.promise
    if promise is not None and look is not None:
        conditions = _promised(look, promise)
    by_agreement = look is None or any(reading.condition.signal == AGREEMENT for reading in look.deciding)
    also = [] if look is None else [one for one in look.deciding if one.condition.signal != AGREEMENT]
    detail = ruling.detail[:_LONGEST_DETAIL]
    template = _BECAUSE[ruling.reason]
    if promise is not None and ruling.reason in _BY_RISK:
        template = _BY_RISK[ruling.reason]
    because = template.format(
        evidence=evidence,
        measured=measured,
        doubt=measured if by_agreement else conditions,
        also="".join(f"; {_condition(reading, counted)}" for reading in also),
        conditions=conditions,
        stopped=_stopped(look, gathered),
        detail=detail,
        because=f" ({detail})" if detail else "",
        disagreeing=counted.disagreeing,
        stage=ruling.stage,
        stages=len(call.stages),
        attempt=gathered.step.attempt,
        retries=call.resolution.max_retries,
        status=gathered.step.planned.status.value,
        calibrated="not calibrated" + (f": {standing.why}" if standing is not None and standing.why else ""),
    )
    return f"{because}: {_THEN[ruling.route]}."


def uncalibrated(ruling: Ruling, call: Call) -> str:
    """Why the route of a call rests on no calibrated threshold."""
    if call.critical:
        return "critical calls always wait for a human"
    if ruling.reason in (Reason.REFUSED_BEFORE, Reason.MAY_HAVE_RUN, Reason.HOLDS_MARK):
        return ruling.detail
    if call.standing is None:
        return "the policy names no calibration"
    if call.standing.why:
        return call.standing.why
    if not ruling.stage:
        return f"it has no risk that was measured ({ruling.reason.value})"
    return f"stage {ruling.stage} decided without the risk"


def _promised(look: Look, promise: Promise) -> str:
    """``risk 0.03, below 0.11: at most 10 % of the calls run like this are wrong (95 % confidence, 212 labels)``."""
    (reading,) = look.deciding
    value = _value(reading.signal)
    confidence = f"{100 * (1 - promise.delta):.3g} % confidence, {promise.n} labels"
    if look.outcome is Outcome.EXECUTE:
        limit = f", below {promise.execute_below:.3g}" if promise.execute_below <= _SURE else ""
        most = f"at most {100 * promise.alpha:.3g} % of the calls run like this are wrong"
        return f"risk {value}{limit}: {most} ({confidence})"
    return (
        f"risk {value}, not below {promise.execute_below:.3g}, which keeps the wrong ones among the calls that run to "
        f"at most {100 * promise.alpha:.3g} % ({confidence})"
    )


def _evidence(counted: Tally) -> str:
    if not counted.asked:
        return "no samples were drawn"
    return f"{counted.agreeing} of {counted.asked} samples plan the same call"


def _condition(reading: Reading, counted: Tally) -> str:
    """``joint log-probability -0.05, at least -0.2``; where it has no value, the bounds of it."""
    condition, signal = reading.condition, reading.signal
    info = catalogue.info(signal.name)
    title = signal.name if info is None else info.title
    if condition.signal == AGREEMENT and counted.asked:
        value = f"{counted.agreeing} of {counted.asked}"
    else:
        value = _value(signal)
    return f"{title} {value}, {_OPS[condition.op]} {condition.value:.3g}"


def _value(signal: Signal) -> str:
    if signal.value is not None:
        return f"{signal.value:.3g}"
    if signal.bounds is not None:
        return f"between {signal.bounds[0]:.3g} and {signal.bounds[1]:.3g}"
    return "not known"


def _stopped(look: Look | None, gathered: Gathered) -> str:
    """That the rest of the samples was only likely, and how likely, not to matter."""
    found = None if look is None else look.forecast
    if look is None or found is None:
        return ""
    probability = found.reached if look.outcome is Outcome.EXECUTE else found.missed
    return (
        f"; drawing stopped after {gathered.requested} of {gathered.asked} samples, as all of them would lead to the "
        f"same with a probability of {probability:.3f}"
    )
