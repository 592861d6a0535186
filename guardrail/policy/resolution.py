"""What a policy says about one call."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from guardrail.catalogue import RISK
from guardrail.comparing import Named
from guardrail.policy.defaults import SIGNALS, TierSettings
from guardrail.policy.reviewing import Reviewers, Timeout
from guardrail.policy.stages import Condition, Op, Stage, Stopping
from guardrail.types import DecisionType, Route, Tier

_ROUNDING: Final = 1e-9
"""7 % of 100 is 7, although the float 0.07 times 100 is a little more."""


@dataclass(frozen=True, kw_only=True)
class Resolution:
    """The tier of a call, the rule that gave it, and everything that follows.

    ``rule`` is for people. ``agreement`` is the share of ``samples`` that must contain the call's meaning.
    ``unmeasured`` is the route where the measurement failed. ``logprob`` (nats) is the least
    log-probability, over name and value tokens, at which the call runs without samples; None: never.
    ``comparators`` goes from argument path to comparator name, or the comparator of somebody else.
    """

    tier: Tier
    rule: str
    samples: int
    agreement: float | None
    max_retries: int
    unmeasured: Route = Route.REVIEW
    logprob: float | None = None
    max_risk: float | None = None
    cascade: tuple[Stage, ...] = ()
    stopping: Stopping = Stopping()  # noqa: RUF009 - frozen
    waves: tuple[int, ...] = ()
    audit: float = 0.0
    signals: tuple[str, ...] = SIGNALS
    decisions: tuple[DecisionType, ...] = tuple(DecisionType)
    comparators: Mapping[str, Named] = field(default_factory=dict)
    timeout: Timeout | None = None
    reviewers: Reviewers = Reviewers()  # noqa: RUF009 - frozen

    @property
    def needed(self) -> int:
        """How many of this tier's own N samples have to contain the call's meaning."""
        return self.needed_of(self.samples)

    def needed_of(self, n: int) -> int:
        """The smallest k with k / n >= agreement, at least 1; 0 where the tier has no such rule."""
        return 0 if self.agreement is None else max(1, math.ceil(self.agreement * n - _ROUNDING))

    @property
    def stages(self) -> tuple[Stage, ...]:
        """The tier's stages in order: log-probability alone (low), the cascade, and all N samples."""
        return stages_of(self)


def stages_of(tier: TierSettings | Resolution) -> tuple[Stage, ...]:
    """The stages of a tier in order: log-probability alone (low), the cascade, and all N samples."""
    first: tuple[Stage, ...] = ()
    if tier.logprob is not None:
        first = (Stage(execute=(Condition(signal="logprob_min", op=Op.GE, value=tier.logprob),)),)
    last: list[Condition] = []
    if tier.agreement is not None:
        last.append(Condition(signal="agreement", op=Op.GE, value=tier.agreement))
    if tier.max_risk is not None:
        last.append(Condition(signal=RISK.name, op=Op.LE, value=tier.max_risk))
    return (*first, *tier.cascade, Stage(samples=tier.samples, signals=tier.signals, execute=tuple(last)))


def stricter(a: Resolution, b: Resolution) -> bool:
    """Whether ``a`` asks for more care than ``b``: a higher tier, or the same with a decision withheld, a greater
    quorum, or people of roles that ``b`` does not ask for.
    """
    if a.tier is not b.tier:
        return a.tier.rank > b.tier.rank
    if a.reviewers.quorum > b.reviewers.quorum:
        return True
    asked, known = set(a.reviewers.roles), set(b.reviewers.roles)
    others = bool(asked) and not (known and known <= asked)
    return others or not set(b.decisions) <= set(a.decisions)
