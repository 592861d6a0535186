"""What is at stake, and what can become of a call."""

from __future__ import annotations

from enum import StrEnum


class Tier(StrEnum):
    """Stakes of a call, least to most."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return list(Tier).index(self)


class Route(StrEnum):
    """What happens to a planned call, least to most cautious."""

    EXECUTE = "execute"
    RETRY = "retry"
    REVIEW = "review"


class DecisionType(StrEnum):
    """What a reviewer may answer."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    RESPOND = "respond"
