"""Several decisions at once: only for low-tier calls that are equal, so that nothing is decided unseen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from guardrail.errors import GuardrailError, InvalidDecision
from guardrail.review.votes import same_json
from guardrail.types import Decision, DecisionType, Review, Tier

MAX_BATCH: Final = 100
"""Reviews that may be decided at once."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of one review of a batch: as it was decided, or why it could not be."""

    review_id: str
    review: Review | None = None
    error: GuardrailError | None = None


def check_batch(reviews: Sequence[Review], decision: Decision) -> None:
    """Whether these may be decided together: the low tier, one tool, equal arguments.

    Raises:
        InvalidDecision: no; the message names the first that differs.
    """
    if not reviews or len(reviews) > MAX_BATCH:
        raise InvalidDecision(f"a batch has 1 to {MAX_BATCH} reviews, not {len(reviews)}")
    if len({review.id for review in reviews}) != len(reviews):
        raise InvalidDecision("a review is named twice in the batch")
    if decision.type is DecisionType.EDIT:
        raise InvalidDecision("an edit is about one call: edit them one by one")
    first = reviews[0]
    for review in reviews:
        if review.tier is not Tier.LOW:
            raise InvalidDecision(
                f"review {review.id[:12]} is of the {review.tier.value} tier: only low-tier calls are decided together"
            )
        if review.hidden:
            raise InvalidDecision(
                f"review {review.id[:12]} has hidden values, of which nobody sees whether they are equal: decide on it "
                "by itself"
            )
        if review.call.name != first.call.name or not same_json(review.call.arguments, first.call.arguments):
            raise InvalidDecision(
                f"reviews {first.id[:12]} and {review.id[:12]} are about different calls: "
                "only equal ones are decided together"
            )
