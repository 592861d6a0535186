"""Review floods: an agent that asks for more decisions than people can take.

What is over the limit is not put before anybody and does not run; one entry in the queue tells people so. The agent's
run ends with the exception, which is safest: an agent that was merely answered would go on planning.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from guardrail.codec import digest
from guardrail.errors import StoreError, TooManyReviews
from guardrail.policy import Floods
from guardrail.review.deadlines import ESCALATION, later, priority
from guardrail.review.machine import WAITING
from guardrail.store import Store
from guardrail.types import DecisionType, Review, ReviewFilter, Tier, ToolCall

SUMMARY: Final = "guardrail.flood"
"""Tool and requester of the entry that tells of a flood. It stands for no call, and can only be rejected."""
_HOUR: Final = 3600.0
_DAY: Final = 24 * _HOUR
_RACES: Final = 50


def admit(store: Store, reviews: Sequence[Review], limits: Floods, now: datetime) -> None:
    """Count new reviews of one requester and tenant, all or none.

    The limit of an hour is exact in any window of an hour, for all processes together. That of open reviews can be
    exceeded by those which other processes open in the same instant.

    Raises:
        TooManyReviews: they are too many; the entry that says so is in the queue.
    """
    first = reviews[0]
    if limits.open is not None:
        waiting = _waiting(store, first, limits.open)
        if waiting + len(reviews) > limits.open:
            raise _flood(store, first, f"has {waiting} calls before people (at most {limits.open})", now)
    if limits.per_hour is not None and not _counted(store, first, len(reviews), limits.per_hour, now):
        raise _flood(store, first, f"asked for {limits.per_hour} decisions within an hour, the most it may", now)


def _waiting(store: Store, review: Review, limit: int) -> int:
    wanted = ReviewFilter(tenant=review.tenant, requester=review.requester, states=WAITING)
    return len(store.find_reviews(wanted, limit=limit + 1).reviews)


def _counted(store: Store, review: Review, new: int, limit: int, now: datetime) -> bool:
    """Whether so many more fit into the hour; then they are written down. Times are seconds since 1970."""
    key, present = f"reviews asked: {digest(review.tenant, review.requester)}", now.timestamp()
    for _ in range(_RACES):
        revision, text = store.state(key) or (0, "[]")
        times = [time for time in json.loads(text) if present - _HOUR < time <= present + _HOUR]
        if len(times) + new > limit:
            return False
        if store.put_state(key, json.dumps([*times, *[round(present, 3)] * new]), revision=revision):
            return True
    raise StoreError(f"the count of what {review.requester or 'this agent'} asked for kept changing: try again")


def _flood(store: Store, review: Review, why: str, now: datetime) -> TooManyReviews:
    """Put the entry there, one an hour for a requester, and say what the agent is told."""
    who = review.requester or "an agent without a name"
    hour = now.replace(minute=0, second=0, microsecond=0).isoformat()
    call = ToolCall(name=SUMMARY, arguments={"requester": review.requester, "since": hour}, id=SUMMARY)
    store.add_review(
        Review(
            id=digest(SUMMARY, review.tenant, review.requester, hour),
            record_id="",
            thread_id="",
            namespace="",
            step_id="",
            call=call,
            digest=digest(SUMMARY, call.arguments),
            tier=Tier.HIGH,
            why=f"{who} {why}: further calls are refused without being shown. Look what it is doing.",
            at=now.isoformat(),
            decisions=(DecisionType.REJECT,),
            tenant=review.tenant,
            requester=SUMMARY,
            rule="floods",
            due=later(now, _DAY),
            priority=priority(Tier.HIGH) + ESCALATION,
        )
    )
    return TooManyReviews(
        f"the call of {review.call.name} was not put before a human and must not run: {who} {why}. "
        "Wait until people have decided, and do not plan it again in the meantime"
    )
