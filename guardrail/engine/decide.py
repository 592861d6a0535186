"""Counting samples for and against a planned call, and how many to draw at a time.

With N samples asked for and k of them needed, a call executes once k valid samples contain its meaning,
and may not execute once more than N - k valid ones do not. Neither can be undone by later samples, and an
invalid sample counts for neither side; so stopping as soon as one of the two holds never changes a route.
Where neither holds after all N, the measurement fell short, and the call takes its fail-closed route.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import combinations


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


def tally(agrees: Sequence[bool | None], *, asked: int, needed: int) -> Tally:
    """Count what the valid samples say; None marks an invalid one."""
    return Tally(
        asked=asked,
        needed=needed,
        agreeing=sum(answer is True for answer in agrees),
        disagreeing=sum(answer is False for answer in agrees),
    )


@cache
def cuts(n: int, needed: int) -> tuple[int, ...]:
    """After how many of n samples to look whether the rest can matter: at most twice before they are all there.

    Chosen to save the most samples in expectation where every share of agreeing samples is equally likely
    beforehand; then every count of them among the first m is, too. Among equal savings fewer looks, and later ones.
    Without a number that is ``needed`` (0) halfway.
    """
    if not 0 < needed <= n:
        return ((n + 1) // 2,) if n > 1 else ()
    decided = [
        sum(agreeing >= needed or m - agreeing > n - needed for agreeing in range(m + 1)) / (m + 1) for m in range(n)
    ]

    def saved(looks: tuple[int, ...]) -> float:
        before, total = 0.0, 0.0
        for m in looks:
            total += (n - m) * (decided[m] - before)
            before = decided[m]
        return total

    looks = [looks for most in range(3) for looks in combinations(range(1, n), most)]
    return max(looks, key=lambda chosen: (round(saved(chosen), 9), -len(chosen), chosen))


def late_look(n: int) -> tuple[int, ...]:
    """Where the Bayesian rule looks: once, at half of n samples and not before five, where there are more.

    An earlier look saves more, but the few samples that it stops with rank calls worse than all of them would.
    """
    look = max((n + 1) // 2, min(5, n - 1))
    return (look,) if 0 < look < n else ()
