"""What reviews, signals and times are called on a page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final

from guardrail import catalogue
from guardrail.codec import canonical
from guardrail.types import DecisionType, Fault, Reason, Review, ReviewEvent, ReviewState, Safer, Signal, ToolCall

STATES: Final = {
    ReviewState.PENDING: "waits for a person",
    ReviewState.CLAIMED: "somebody is looking at it",
    ReviewState.DECIDED: "decided; the agent has not gone on yet",
    ReviewState.EXECUTING: "the call was started; that it ended is not on record",
    ReviewState.EXPIRED: "nobody decided in time, which is a reject",
    ReviewState.DONE: "closed",
    ReviewState.OUTCOME_UNKNOWN: "the call was started; whether it took effect is not known",
    ReviewState.SUPERSEDED: "nobody asks for it any more",
}
LOOKS: Final = {
    ReviewState.PENDING: "",
    ReviewState.CLAIMED: "accent",
    ReviewState.DECIDED: "good",
    ReviewState.EXECUTING: "warn",
    ReviewState.EXPIRED: "bad",
    ReviewState.DONE: "",
    ReviewState.OUTCOME_UNKNOWN: "bad",
    ReviewState.SUPERSEDED: "",
}
"""The class of a state's badge."""
DECIDED: Final = {
    DecisionType.APPROVE: "approved",
    DecisionType.EDIT: "edited",
    DecisionType.REJECT: "rejected",
    DecisionType.RESPOND: "answered",
}
_SAID: Final = {
    **{kind.value: word for kind, word in DECIDED.items()},
    "commented": "commented",
    "released": "given back",
}
FAULTS: Final = {Fault.WRONG: "the call was wrong", Fault.UNWANTED: "the call was right, and unwanted"}
REASONS: Final = {
    Reason.AGREED: "the samples agree with the plan",
    Reason.LIKELY: "the plan is likely enough",
    Reason.CLEARED: "a signal cleared it",
    Reason.DISAGREED: "the samples disagree with the plan",
    Reason.DOUBTFUL: "a signal speaks against it",
    Reason.CRITICAL: "calls of the critical tier always wait for a person",
    Reason.RETRIES_SPENT: "planning it again did not help",
    Reason.SAMPLING_FAILED: "the step could not be planned again",
    Reason.INVALID_SAMPLES: "too few samples could be used",
    Reason.ENTAILMENT_FAILED: "the texts could not be compared",
    Reason.REQUEST_UNKNOWN: "the model's request is not known, so nothing could be measured",
    Reason.UNKNOWN_TOOL: "the model was not offered such a tool",
    Reason.UNPARSABLE_CALL: "the call could not be read",
    Reason.FAIL_OPEN_BY_POLICY: "nothing could be measured, and the policy lets it run",
    Reason.SIBLING_RETRIED: "another call of the step is planned again",
    Reason.BUDGET_SPENT: "measuring would cost more than the policy allows",
    Reason.NOT_MEASURED: "nothing was measured",
    Reason.UNCALIBRATED: "the policy wants a calibrated threshold, and there is none",
    Reason.ALARM: "audits found more wrong calls here than was promised",
    Reason.REFUSED_BEFORE: "a person refused the same call in this thread before",
    Reason.MAY_HAVE_RUN: "the same call was started before, and may have taken effect",
    Reason.HOLDS_MARK: "it has the mark of a hidden value where the value should be",
}
SIGNALS: Final = {
    "risk": "How likely the call is wrong, all signals together",
    "logprob_mean": "How likely the model found its own words, on average",
    "logprob_min": "How likely it found its least likely word",
    "logprob_sum": "How likely it found the whole call",
    "logprob_turn": "How likely it found the whole turn",
    "top_margin": "How far its least certain word was ahead of the next one",
    "top_entropy": "How open its least certain word was",
    "verbalized_confidence": "What the model says about itself when asked",
    "verbalized_top_k": "What it says when asked for several guesses",
    "p_true": "How likely it answers that the call is right",
    "agreement": "Share of the samples that plan this call too",
    "majority_share": "Share of the meaning that most samples have",
    "majority_margin": "How far this call is ahead of the next meaning",
    "semantic_entropy": "How far the samples spread over meanings",
    "semantic_entropy_normalized": "How far they spread, of what is possible",
    "semantic_entropy_weighted": "How far they spread, likely ones counting more",
    "semantic_entropy_bayesian": "How far they spread, allowing for the few samples",
    "semantic_entropy_chao_shen": "How far they spread, allowing for meanings not seen",
    "lexical_entropy": "How far they spread in their wording",
    "argument_entropy": "How far they spread in their least certain argument",
    "kernel_entropy": "How far they spread, near meanings counting as near",
}
_FIRST: Final = frozenset(
    {"risk", "agreement", "majority_margin", "semantic_entropy", "p_true", "verbalized_confidence", "logprob_mean"}
)
_BRIEF: Final = 160
_NAMES: Final = 12
_LOOKED_AT: Final = 5_000


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A signal in words: what it is, its number, and which direction speaks for the call."""

    name: str
    means: str
    value: str
    more: str
    missing: str


def measured(signal: Signal) -> Measured:
    """A signal as a reviewer reads it."""
    known = catalogue.RISK if signal.name == catalogue.RISK.name else catalogue.info(signal.name)
    more = [f"{'higher' if known.safer is Safer.HIGH else 'lower'} is safer"] if known is not None else []
    if signal.bounds is not None:
        more.append(f"between {signal.bounds[0]:.3g} and {signal.bounds[1]:.3g} with the samples that were not drawn")
    if signal.credible is not None:
        more.append(f"95 % credible: {signal.credible[0]:.2g} to {signal.credible[1]:.2g}")
    value = ""
    if signal.value is not None:
        share = signal.unit in {"share", "probability"}
        value = f"{signal.value:.0%}" if share else f"{signal.value:.3g} {signal.unit}".strip()
    return Measured(
        name=signal.name,
        means=SIGNALS.get(signal.name) or (known.title if known is not None else signal.name),
        value=value,
        more="; ".join(more),
        missing=signal.missing or "",
    )


@dataclass(frozen=True, kw_only=True)
class Measurements:
    """Signals: those that say most to a person first, the others beside them."""

    first: tuple[Measured, ...]
    others: tuple[Measured, ...]


def measurements(signals: Iterable[Signal]) -> Measurements:
    """The signals as a page shows them."""
    found = sorted(
        (measured(signal) for signal in signals),
        key=lambda one: list(SIGNALS).index(one.name) if one.name in SIGNALS else 0,
    )
    first = tuple(one for one in found if one.name in _FIRST and not one.missing)
    return Measurements(first=first, others=tuple(one for one in found if one not in first))


def parsed(text: str) -> datetime | None:
    """A moment in UTC; None where there is none, or it cannot be read."""
    try:
        at = datetime.fromisoformat(text)
        return (at.replace(tzinfo=UTC) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def clock_time(text: str) -> str:
    """A moment for people, in UTC; what is none stays as it is."""
    at = parsed(text)
    return text if at is None else f"{at:%Y-%m-%d %H:%M:%S} UTC"


def span(seconds: float) -> str:
    """How long that is, in the two largest units at most."""
    left = max(0, int(seconds))
    days, left = divmod(left, 86_400)
    hours, left = divmod(left, 3600)
    minutes, left = divmod(left, 60)
    if days:
        return f"{days} d {hours} h" if days < 10 and hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return (
        f"{minutes} min"
        if minutes >= 5 or (minutes and not left)
        else f"{minutes} min {left} s"
        if minutes
        else f"{left} s"
    )


def ago(text: str, now: datetime) -> str:
    """How long ago a moment was."""
    at = parsed(text)
    return "" if at is None else span((now.astimezone(UTC) - at).total_seconds())


def left(text: str, now: datetime) -> str:
    """How long it is until a moment."""
    at = parsed(text)
    if at is None:
        return ""
    seconds = (at - now.astimezone(UTC)).total_seconds()
    return f"in {span(seconds)}" if seconds > 0 else "passed"


def brief(arguments: Mapping[str, object]) -> str:
    """The arguments in a line, its end cut off where it is long: to tell calls apart, not to decide by."""
    text = ", ".join(f"{name[:_BRIEF]}={_json(value)}" for name, value in islice(arguments.items(), _NAMES))
    return f"{text[:_BRIEF]}…" if len(text) > _BRIEF or len(arguments) > _NAMES else text


def beginning(call: ToolCall) -> list[str]:
    """What a list looks at of a call, to say whether it has to be read closely; its own page looks at all of it."""
    return [call.name[:_LOOKED_AT], _json(call.arguments, _LOOKED_AT)]


def _json(value: object, limit: int = _BRIEF + 1) -> str:
    try:
        return canonical(value)[:limit]
    except (ValueError, TypeError, RecursionError):
        return "…"


def happened(event: ReviewEvent) -> str:
    """One change of a review, in a line."""
    if event.note in _SAID:
        return f"{_SAID[event.note]} by {event.by}"
    state = event.state.value.replace("_", " ")
    return f"{state} by {event.by}: {event.note}" if event.note else f"{state} by {event.by}"


def outcome(review: Review) -> str:
    """What came of a review, in a word or two."""
    if review.decision is None or review.state in (ReviewState.EXPIRED, ReviewState.SUPERSEDED):
        return review.state.value.replace("_", " ")
    decided = DECIDED[review.decision.type]
    return decided if review.state is ReviewState.DECIDED else f"{decided}, {review.state.value.replace('_', ' ')}"
