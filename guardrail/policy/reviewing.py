"""What the policy says about people's decisions: who takes them, how long they may take, and how many may be asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guardrail.types import DecisionType

MAX_QUORUM: Final = 10
"""People whose agreement a policy may ask for, at most."""
MAX_PER_HOUR: Final = 10_000
"""Reviews per hour up to which a policy may let a requester go."""


@dataclass(frozen=True, kw_only=True)
class Timeout:
    """How long a review may wait, in seconds, and how it then ends; ``escalate`` is when others are told before, and
    ``use`` how long an approval then holds (None: until it is used).
    """

    after: float
    then: DecisionType = DecisionType.REJECT
    escalate: float | None = None
    use: float | None = None


@dataclass(frozen=True, kw_only=True)
class Reviewers:
    """Who decides: somebody with one of ``roles`` (empty: anybody), and how many have to approve."""

    roles: tuple[str, ...] = ()
    quorum: int = 1


@dataclass(frozen=True, kw_only=True)
class Floods:
    """How many reviews one requester may have waiting, and ask for within an hour; None: any number."""

    open: int | None = None
    per_hour: int | None = None

    @property
    def any(self) -> bool:
        """Whether something is limited."""
        return self.open is not None or self.per_hour is not None


def joined(rule: Reviewers | None, tier: Reviewers | None) -> Reviewers:
    """Who decides by a rule and its tier: the rule's roles where it names any, and the greater quorum."""
    given = [each for each in (rule, tier) if each is not None]
    roles = next((each.roles for each in given if each.roles), ())
    return Reviewers(roles=roles, quorum=max((each.quorum for each in given), default=1))
