"""What time does to a review: priorities, escalation before a deadline, and the reject that follows it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from guardrail.errors import ReviewError
from guardrail.review.machine import WAITING, advance, noted
from guardrail.types import Decision, DecisionType, Review, ReviewState, Tier

DEADLINE: Final = "deadline"
"""Who decides, where nobody did in time."""
_STEP: Final = 10
ESCALATION: Final = 15
"""What escalation adds to a priority: one that was escalated comes before those of the next tier, and not of two."""


def priority(tier: Tier) -> int:
    """Where reviews of a tier stand in a list: 0 for low to 30 for critical."""
    return tier.rank * _STEP


def moment(text: str) -> datetime | None:
    """A moment in UTC; None where nothing is said. A time without a zone is UTC.

    Raises:
        ReviewError: it is no time.
    """
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found.replace(tzinfo=UTC) if found.tzinfo is None else found).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise ReviewError(f"{text!r} is no time: write it as 2026-01-31T12:00:00+00:00") from error


def later(at: datetime, seconds: float | None) -> str:
    """The moment so many seconds after, ISO 8601 in UTC; empty for never."""
    if seconds is None:
        return ""
    try:
        return (at.astimezone(UTC) + timedelta(seconds=seconds)).isoformat()
    except OverflowError:
        return ""


def overdue(review: Review, now: datetime) -> bool:
    """Whether nobody may decide any more. A deadline that cannot be read has passed."""
    return review.state in WAITING and _passed(review.due, now)


def stale(review: Review, now: datetime) -> str:
    """Until when its approval held, if it does not any more; empty where it holds. A time that cannot be read has
    passed.
    """
    if review.use_within is None or review.state is not ReviewState.DECIDED or review.decision is None:
        return ""
    try:
        given = moment(review.decision.at)
    except ReviewError:
        given = None
    until = "" if given is None else later(given, review.use_within)
    return (until or "a time that cannot be read") if not until or _passed(until, now) else ""


def to_escalate(review: Review, now: datetime) -> bool:
    """Whether others are to be told, and were not."""
    return review.state in WAITING and not review.escalated and _passed(review.escalate_at, now)


def expired(review: Review, now: datetime) -> Review:
    """The review as its deadline ends it: with a reject, of which no label is made.

    Raises:
        ReviewConflict: it does not wait any more.
    """
    at = now.isoformat()
    return advance(
        review,
        ReviewState.EXPIRED,
        at=at,
        by=DEADLINE,
        note=f"nobody decided before {review.due}",
        decision=Decision(type=DecisionType.REJECT, by=DEADLINE, at=at, message=out_of_time(review)),
    )


def escalated(review: Review, now: datetime) -> Review:
    """The review, marked as escalated and higher in the list."""
    return noted(
        review,
        at=now.isoformat(),
        by=DEADLINE,
        note=f"escalated: nobody decided before {review.escalate_at}",
        escalated=True,
        priority=review.priority + ESCALATION,
    )


def out_of_time(review: Review) -> str:
    """What the agent is told of a review that expired."""
    return (
        f"Nobody decided on this call of {review.call.name} before its deadline ({review.due}), which counts as a "
        "refusal. Do not assume that it ran. Plan it again only if it is still wanted."
    )


def swept(review: Review, now: datetime) -> Review | None:
    """What the clock makes of a review now; None where it leaves it as it is."""
    if overdue(review, now):
        return expired(review, now)
    return escalated(review, now) if to_escalate(review, now) else None


def _passed(text: str, now: datetime) -> bool:
    try:
        at = moment(text)
    except ReviewError:
        return True
    return at is not None and at <= now
