"""Whether what a policy says about people's decisions is possible."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Final

from guardrail.policy.defaults import TierSettings
from guardrail.policy.problems import PolicyProblem
from guardrail.policy.reviewing import MAX_PER_HOUR, MAX_QUORUM, Floods, Reviewers, Timeout
from guardrail.types import DecisionType, Tier

MAX_WAIT: Final = 366 * 86_400.0
"""Seconds that a review may wait at most, where it has a deadline: a year."""


def check_timeout(timeout: Timeout, path: str) -> None:
    """Whether a review can end so.

    Raises:
        PolicyProblem: no.
    """
    if not (timeout.after > 0 and math.isfinite(timeout.after)):
        raise PolicyProblem(f"{path}.after", "must be longer than 0 seconds")
    if timeout.after > MAX_WAIT:
        raise PolicyProblem(
            f"{path}.after", "must be at most 366d; remove the timeout where a review may wait for ever"
        )
    if timeout.then is not DecisionType.REJECT:
        raise PolicyProblem(f"{path}.then", "only 'reject' can follow: silence is never consent")
    if timeout.escalate is not None and not 0 < timeout.escalate < timeout.after:
        raise PolicyProblem(
            f"{path}.escalate", "must be longer than 0 seconds and shorter than 'after', when the review ends"
        )
    if timeout.use is not None and not 0 < timeout.use <= MAX_WAIT:
        raise PolicyProblem(f"{path}.use", "must be longer than 0 seconds and at most 366d")


def check_reviewers(reviewers: Reviewers, path: str) -> None:
    """Whether there can be such people.

    Raises:
        PolicyProblem: no.
    """
    if not all(isinstance(role, str) and role.strip() == role != "" for role in reviewers.roles):
        raise PolicyProblem(f"{path}.roles", "must be names of roles, without spaces around them")
    if len(set(reviewers.roles)) != len(reviewers.roles):
        raise PolicyProblem(f"{path}.roles", "names a role twice")
    _check_count(reviewers.quorum, MAX_QUORUM, f"{path}.quorum")


def check_floods(floods: Floods, path: str = "floods") -> None:
    """Whether the limits are numbers of reviews.

    Raises:
        PolicyProblem: no.
    """
    if floods.open is not None:
        _check_count(floods.open, MAX_PER_HOUR, f"{path}.open")
    if floods.per_hour is not None:
        _check_count(floods.per_hour, MAX_PER_HOUR, f"{path}.per_hour")


def check_tier_reviews(tiers: Mapping[Tier, TierSettings]) -> None:
    """Whether the tiers' reviews are possible, and higher stakes ask for no fewer people.

    Raises:
        PolicyProblem: no.
    """
    least, of = 1, Tier.LOW
    for tier in Tier:
        settings = tiers[tier]
        if settings.timeout is not None:
            check_timeout(settings.timeout, f"tiers.{tier}.timeout")
        if settings.reviewers is not None:
            check_reviewers(settings.reviewers, f"tiers.{tier}.reviewers")
        quorum = 1 if settings.reviewers is None else settings.reviewers.quorum
        if quorum < least:
            raise PolicyProblem(
                f"tiers.{tier}.reviewers.quorum",
                f"{quorum} is less than the {least} that the {of} tier asks for; "
                "higher stakes may not need fewer people",
            )
        least, of = quorum, tier


def _check_count(value: object, most: int, path: str) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
        raise PolicyProblem(path, f"must be a whole number from 1 to {most}, not {value!r}")
