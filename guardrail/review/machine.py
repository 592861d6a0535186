"""The states of a review and the ways between them.

    pending <─> claimed ──> decided ──> executing ──> done
       │           │           │            └───────> outcome_unknown
       │           │           ├── rejected or answered ──> done
       ├───────────┴───────────┴── no longer asked ──> superseded
       └───────────┴── nobody decided in time ──> expired ──> done (the agent was told), superseded

A pending review may be decided without being claimed. Nothing leads back from a decision, so an approval is used once.
"""

from __future__ import annotations

from typing import Any

from guardrail.errors import ReviewConflict
from guardrail.review.votes import enough
from guardrail.types import Claim, Decision, DecisionType, Review, ReviewEvent, ReviewState
from guardrail.types.forms import changed

_NEXT: dict[ReviewState, frozenset[ReviewState]] = {
    ReviewState.PENDING: frozenset(
        {ReviewState.CLAIMED, ReviewState.DECIDED, ReviewState.SUPERSEDED, ReviewState.EXPIRED}
    ),
    ReviewState.CLAIMED: frozenset(
        {
            ReviewState.PENDING,
            ReviewState.CLAIMED,
            ReviewState.DECIDED,
            ReviewState.SUPERSEDED,
            ReviewState.EXPIRED,
        }
    ),
    ReviewState.DECIDED: frozenset({ReviewState.EXECUTING, ReviewState.DONE, ReviewState.SUPERSEDED}),
    ReviewState.EXECUTING: frozenset({ReviewState.DONE, ReviewState.OUTCOME_UNKNOWN}),
    ReviewState.EXPIRED: frozenset({ReviewState.DONE, ReviewState.SUPERSEDED}),
}
WAITING = frozenset({ReviewState.PENDING, ReviewState.CLAIMED})
"""A human has not decided."""
FINAL = frozenset(ReviewState) - frozenset(_NEXT)
"""Nothing can happen any more."""
UNFINISHED = frozenset(_NEXT)
"""Something can still happen."""
RUNS = frozenset({DecisionType.APPROVE, DecisionType.EDIT})
"""The decisions after which the tool runs."""


def allowed(review: Review, to: ReviewState) -> bool:
    """Whether a review may go there from where it stands.

    After a decision it depends on which: an approved or edited call is executed, if as many people as its quorum asks
    for agreed to it; any other is merely closed.
    """
    if to not in _NEXT.get(review.state, frozenset()):
        return False
    if review.state is ReviewState.DECIDED and to is not ReviewState.SUPERSEDED:
        runs = review.decision is not None and review.decision.type in RUNS
        return (runs and enough(review)) if to is ReviewState.EXECUTING else not runs
    return True


def advance(
    review: Review,
    to: ReviewState,
    *,
    at: str,
    by: str,
    note: str = "",
    decision: Decision | None = None,
    claim: Claim | None = None,
    **more: Any,
) -> Review:
    """The review one state further, with the event that says so. ``more`` are other fields that change with it.

    Raises:
        ReviewConflict: it may not go there; the message says where it stands and what to do.
    """
    if not allowed(review, to):
        raise ReviewConflict(f"{describe(review)}: {_REMEDY[to]}")
    return _with_event(review, to, at, by, note, decision=decision or review.decision, claim=claim, **more)


def noted(review: Review, *, at: str, by: str, note: str, **more: Any) -> Review:
    """The review where it stands, with other fields changed and the event that says so."""
    return _with_event(review, review.state, at, by, note, **more)


def describe(review: Review) -> str:
    """Where a review stands, who brought it there and when, for people."""
    text = f"review {review.id[:12]} of {review.call.name} is {review.state.value}"
    brought = [event for event in review.history if event.state is review.state]
    if brought and review.state is not ReviewState.DECIDED:
        text += f" since {brought[-1].at} (by {brought[-1].by})"
    if review.decision is not None:
        text += f" ({review.decision.type.value} by {review.decision.by} at {review.decision.at})"
    return text


def _with_event(review: Review, state: ReviewState, at: str, by: str, note: str, **more: Any) -> Review:
    event = ReviewEvent(at=at, by=by, state=state, note=note)
    return changed(review, state=state, history=(*review.history, event), revision=review.revision + 1, **more)


_REMEDY = {
    ReviewState.PENDING: "only one that is claimed can be given back",
    ReviewState.CLAIMED: "take one that is pending",
    ReviewState.DECIDED: "it can no longer be decided; `guardrail reviews list` shows the ones that can",
    ReviewState.EXECUTING: "only an approval that has not been used lets a call run, and only once; "
    "have the agent plan the call again to ask for a new one",
    ReviewState.DONE: "only a call that is executing, or was refused, can be finished",
    ReviewState.OUTCOME_UNKNOWN: "only the outcome of a call that is executing can be unknown",
    ReviewState.EXPIRED: "only a review that nobody has decided can expire",
    ReviewState.SUPERSEDED: "a call that runs or has run can no longer be called off",
}
