"""Why a verdict is what it is, in one sentence for people."""

from __future__ import annotations

from guardrail.engine.decide import Ruling, Tally
from guardrail.policy import Resolution
from guardrail.types import PlanningStep, Reason, Route

_LONGEST_DETAIL = 500
_THEN = {
    Route.EXECUTE: "it runs",
    Route.RETRY: "the step is planned again",
    Route.REVIEW: "a human decides",
}
_BECAUSE = {
    Reason.AGREED: "{measured} (not calibrated)",
    Reason.LIKELY: "every token of its name and values was likely enough for a low-stakes call (not calibrated)",
    Reason.DISAGREED: "{measured}; {disagreeing} plan something else",
    Reason.RETRIES_SPENT: "still in doubt after planning again {attempt} of {retries} times; {measured}",
    Reason.CRITICAL: "critical calls always wait for a human; {evidence}",
    Reason.SAMPLING_FAILED: "the planning step could not be sampled again ({detail})",
    Reason.INVALID_SAMPLES: "too few samples are valid: {measured}, {disagreeing} plan something else",
    Reason.ENTAILMENT_FAILED: "the samples could not be compared ({detail})",
    Reason.REQUEST_UNKNOWN: "the request that planned it is not known, so it could not be sampled again",
    Reason.UNKNOWN_TOOL: "it names a tool that the model was not offered",
    Reason.UNPARSABLE_CALL: "the plan itself is not usable: {status}",
    Reason.FAIL_OPEN_BY_POLICY: "it could not be measured, and the policy lets this tier run unmeasured",
}


def explain(ruling: Ruling, resolution: Resolution, counted: Tally, step: PlanningStep, detail: str) -> str:
    """Says what was measured, against what, and what follows. ``detail`` tells why a measurement failed."""
    evidence = measured = "no samples were drawn"
    if counted.asked:
        evidence = f"{counted.agreeing} of {counted.asked} samples plan the same call"
        measured = f"{evidence}, {counted.needed} are needed"
    because = _BECAUSE[ruling.reason].format(
        evidence=evidence,
        detail=detail[:_LONGEST_DETAIL],
        measured=measured,
        disagreeing=counted.disagreeing,
        attempt=step.attempt,
        retries=resolution.max_retries,
        status=step.planned.status.value,
    )
    return f"{because}: {_THEN[ruling.route]}."
