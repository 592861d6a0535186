"""Claims: leases on reviews, so that two people do not look at one at the same time."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from guardrail.errors import InvalidDecision, ReviewConflict, ReviewError
from guardrail.review.deadlines import later, moment
from guardrail.review.machine import advance, describe
from guardrail.review.people import OVERRIDE
from guardrail.types import Claim, Principal, Review, ReviewState

LEASE: Final = 300.0
"""Seconds that a claim lasts."""
LONGEST_LEASE: Final = 3600.0
"""Seconds that a claim may last at most."""


def live(review: Review, now: datetime) -> Claim | None:
    """The claim that holds now."""
    claim = review.claim
    if claim is None or review.state is not ReviewState.CLAIMED:
        return None
    try:
        until = moment(claim.until)
    except ReviewError:
        return None
    return claim if until is not None and now < until else None


def check_free(review: Review, who: Principal, now: datetime, *, override: bool) -> None:
    """Whether nobody else is looking at the review, or this one may pass over that.

    Raises:
        ReviewConflict: somebody is; the message says who, and until when.
    """
    claim = live(review, now)
    if claim is None or claim.by == who.name:
        return
    held = f"review {review.id[:12]} of {review.call.name} is claimed by {claim.by} until {claim.until}"
    if not override:
        raise ReviewConflict(f"{held}: wait, or have somebody with the role {OVERRIDE} decide")
    if OVERRIDE not in who.roles:
        raise ReviewConflict(f"{held}, and {who.name} lacks the role {OVERRIDE} to pass over that")


def claimed(review: Review, who: Principal, now: datetime, lease: float) -> Review:
    """The review with the claim.

    Raises:
        InvalidDecision: so long nobody may hold it.
        ReviewConflict: it cannot be claimed.
    """
    if not 0 < lease <= LONGEST_LEASE:
        raise InvalidDecision(f"a claim lasts more than 0 and at most {LONGEST_LEASE:g} seconds, not {lease:g}")
    claim = Claim(by=who.name, until=later(now, lease))
    return advance(review, ReviewState.CLAIMED, at=now.isoformat(), by=who.name, claim=claim)


def check_own(review: Review, who: Principal) -> Claim:
    """The claim that is this one's.

    Raises:
        ReviewConflict: there is none.
    """
    if review.state is not ReviewState.CLAIMED or review.claim is None or review.claim.by != who.name:
        held = f", by {review.claim.by}" if review.claim is not None else ""
        raise ReviewConflict(f"{describe(review)}{held}: claim it first")
    return review.claim
