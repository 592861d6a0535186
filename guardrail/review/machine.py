"""The states of a review and the ways between them.

    pending ──> claimed ──> decided ──> executing ──> done
       │           │           │            └───────> outcome_unknown
       │           │           ├── rejected or answered ──> done
       ├───────────┴───────────┴── no longer asked ──> superseded
       └───────────┴── nobody decided in time ──> expired

A pending review may be decided without being claimed. Nothing leads back, so an approval is used once.
"""

from __future__ import annotations

from dataclasses import replace

from guardrail.errors import ReviewConflict
from guardrail.types import Decision, DecisionType, Review, ReviewEvent, ReviewState

_NEXT: dict[ReviewState, frozenset[ReviewState]] = {
    ReviewState.PENDING: frozenset(
        {ReviewState.CLAIMED, ReviewState.DECIDED, ReviewState.SUPERSEDED, ReviewState.EXPIRED}
    ),
    ReviewState.CLAIMED: frozenset({ReviewState.DECIDED, ReviewState.SUPERSEDED, ReviewState.EXPIRED}),
    ReviewState.DECIDED: frozenset({ReviewState.EXECUTING, ReviewState.DONE, ReviewState.SUPERSEDED}),
    ReviewState.EXECUTING: frozenset({ReviewState.DONE, ReviewState.OUTCOME_UNKNOWN}),
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

    After a decision it depends on which: an approved or edited call is executed, any other is merely closed.
    """
    if to not in _NEXT.get(review.state, frozenset()):
        return False
    if review.state is ReviewState.DECIDED and to is not ReviewState.SUPERSEDED:
        runs = review.decision is not None and review.decision.type in RUNS
        return runs == (to is ReviewState.EXECUTING)
    return True


def advance(
    review: Review, to: ReviewState, *, at: str, by: str, note: str = "", decision: Decision | None = None
) -> Review:
    """The review one state further, with the event that says so.

    Raises:
        ReviewConflict: it may not go there; the message says where it stands and what to do.
    """
    if not allowed(review, to):
        raise ReviewConflict(f"{describe(review)}: {_REMEDY[to]}")
    return replace(
        review,
        state=to,
        decision=decision or review.decision,
        history=(*review.history, ReviewEvent(at=at, by=by, state=to, note=note)),
        revision=review.revision + 1,
    )


def describe(review: Review) -> str:
    """Where a review stands, who brought it there and when, for people."""
    text = f"review {review.id[:12]} of {review.call.name} is {review.state.value}"
    if review.history and review.state is not ReviewState.DECIDED:
        last = review.history[-1]
        text += f" since {last.at} (by {last.by})"
    if review.decision is not None:
        text += f" ({review.decision.type.value} by {review.decision.by} at {review.decision.at})"
    return text


_REMEDY = {
    ReviewState.PENDING: "a review is opened once",
    ReviewState.CLAIMED: "take one that is pending",
    ReviewState.DECIDED: "it can no longer be decided; `guardrail reviews list` shows the ones that can",
    ReviewState.EXECUTING: "only an approval that has not been used lets a call run, and only once; "
    "have the agent plan the call again to ask for a new one",
    ReviewState.DONE: "only a call that is executing, or was refused, can be finished",
    ReviewState.OUTCOME_UNKNOWN: "only the outcome of a call that is executing can be unknown",
    ReviewState.EXPIRED: "only a review that nobody has decided can expire",
    ReviewState.SUPERSEDED: "a call that runs or has run can no longer be called off",
}
