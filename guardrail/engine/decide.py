"""From counted samples to a route: pure rules, monotone in the samples.

With N samples asked for and k of them needed, a call executes once k valid samples contain its meaning,
and may not execute once more than N - k valid ones do not. Neither can be undone by later samples, and an
invalid sample counts for neither side; so stopping as soon as one of the two holds never changes a route.
Where neither holds after all N, the measurement fell short, and the call takes its fail-closed route.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from guardrail.policy import Resolution
from guardrail.types import Reason, Route, Tier


@dataclass(frozen=True, kw_only=True)
class Tally:
    """How the samples of a step speak about one planned call."""

    asked: int
    needed: int
    agreeing: int = 0
    disagreeing: int = 0

    @property
    def agreed(self) -> bool:
        """Enough samples contain the call's meaning, whatever the rest says."""
        return self.asked > 0 and self.agreeing >= self.needed

    @property
    def refuted(self) -> bool:
        """Too many valid samples do not contain it, whatever the rest says."""
        return self.disagreeing > self.asked - self.needed

    @property
    def decided(self) -> bool:
        """Whether further samples cannot change the route."""
        return self.agreed or self.refuted


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """A route and the reason for it."""

    route: Route
    reason: Reason


def tally(agrees: Sequence[bool | None], *, asked: int, needed: int) -> Tally:
    """Count what the valid samples say; None marks an invalid one."""
    return Tally(
        asked=asked,
        needed=needed,
        agreeing=sum(answer is True for answer in agrees),
        disagreeing=sum(answer is False for answer in agrees),
    )


def rule(resolution: Resolution, counted: Tally, *, attempt: int, failure: Reason | None = None) -> Ruling:
    """The route of one sampled call.

    ``attempt`` counts earlier tries of the step; ``failure`` says why a measurement is missing, if known.
    """
    if resolution.tier is Tier.CRITICAL:
        return Ruling(route=Route.REVIEW, reason=Reason.CRITICAL)
    if failure is not Reason.ENTAILMENT_FAILED:
        if counted.agreed:
            return Ruling(route=Route.EXECUTE, reason=Reason.AGREED)
        if counted.refuted:
            return replan_or_review(resolution, attempt, Reason.DISAGREED)
    if resolution.unmeasured is Route.EXECUTE:
        return Ruling(route=Route.EXECUTE, reason=Reason.FAIL_OPEN_BY_POLICY)
    return Ruling(route=Route.REVIEW, reason=failure or Reason.INVALID_SAMPLES)


def replan_or_review(resolution: Resolution, attempt: int, reason: Reason) -> Ruling:
    """Plan again while the step's retries last, then ask a human."""
    if resolution.tier is not Tier.CRITICAL and attempt < resolution.max_retries:
        return Ruling(route=Route.RETRY, reason=reason)
    retried = attempt > 0 and resolution.tier is not Tier.CRITICAL
    return Ruling(route=Route.REVIEW, reason=Reason.RETRIES_SPENT if retried else reason)


def waves(n: int, needed: int) -> tuple[int, ...]:
    """How many samples to draw at a time: first as many as could decide, then the rest.

    Where all N are needed to execute, three samples can refute, so the first wave is three.
    """
    first = needed if needed < n else min(3, n)
    return (first, n - first) if 0 < first < n else (n,)
