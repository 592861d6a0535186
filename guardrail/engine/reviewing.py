"""From a call that a human has to decide on to the review that asks for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from guardrail.policy import Resolution
from guardrail.review import later, priority
from guardrail.types import Review


def review_under(review: Review, resolution: Resolution, at: datetime) -> Review:
    """The review as the policy wants it, from ``at`` on: its rule, deadline, escalation, roles, quorum and priority."""
    timeout = resolution.timeout
    return replace(
        review,
        at=at.isoformat(),
        rule=resolution.rule,
        due="" if timeout is None else later(at, timeout.after),
        escalate_at="" if timeout is None else later(at, timeout.escalate),
        use_within=None if timeout is None else timeout.use,
        roles=resolution.reviewers.roles,
        quorum=resolution.reviewers.quorum,
        priority=priority(review.tier),
    )
