"""Four eyes: which people agreed to the same thing, and whether they are enough."""

from __future__ import annotations

from guardrail.codec import canonical
from guardrail.names import same_person
from guardrail.types import Decision, DecisionType, Review

_ENDS_ALONE = frozenset({DecisionType.REJECT, DecisionType.RESPOND})


def voted(review: Review, decision: Decision) -> tuple[Decision, ...]:
    """The votes with this one. Somebody who votes again takes the earlier vote back."""
    return (*(vote for vote in review.votes if not same_person(vote.by, decision.by)), decision)


def decides(review: Review, decision: Decision) -> bool:
    """Whether the review is decided with this vote.

    One refusal or answer ends it. An approval needs ``quorum`` people for the call as it is, an edit that many for
    exactly its arguments; approvals and edits do not add up.
    """
    return decision.type in _ENDS_ALONE or review.quorum <= 1 or _people(review, decision) >= review.quorum


def enough(review: Review) -> bool:
    """Whether as many different people voted for the decision as the review asks for."""
    decision = review.decision
    return decision is not None and decides(review, decision)


def missing(review: Review, decision: Decision) -> int:
    """How many more people have to agree to the same."""
    return max(0, review.quorum - _people(review, decision))


def same_answer(one: Decision, other: Decision) -> bool:
    """Whether two votes let the same call run, or say the same of it."""
    same = one.type is other.type and one.typed == other.typed
    return same and same_json(one.arguments, other.arguments)


def same_json(one: object, other: object) -> bool:
    """Equal as JSON: true is not 1, and 1 is not 1.0. What is no JSON equals nothing."""
    try:
        return canonical(one) == canonical(other)
    except (ValueError, TypeError, RecursionError):
        return False


def _people(review: Review, decision: Decision) -> int:
    """Different people among those who voted for this; look-alike names are one person."""
    names: list[str] = []
    for vote in review.votes:
        if same_answer(vote, decision) and not any(same_person(vote.by, name) for name in names):
            names.append(vote.by)
    return len(names)
