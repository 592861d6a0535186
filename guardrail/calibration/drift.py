"""Whether the scores of today's calls still lie where those of the calibration lay.

A promise is about calls like the labelled ones. Two tests of "both come from one distribution" look for two kinds of
change, with scores of few values taken for what they are: the Wilcoxon-Mann-Whitney test with its variance corrected
for ties (Lehmann, Nonparametrics, 1975, section 1.4) sees scores that moved, the Kolmogorov-Smirnov test (asymptotic;
with ties it errs on the side of silence) those that changed in any way. The p-value is twice the lesser of both.

A small p-value says that something changed, the effect sizes how much; with many calls the first comes without the
second. Each is of one look: looked at daily, one in twenty shows p below 0.05 while nothing changes.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from guardrail.types.forms import type_config

LEAST: Final = 20
"""Fewer scores on either side tell nothing."""
NOTABLE: Final = 0.1
"""A distance between the distributions, or twice that of ``auroc`` from a half, that a person should look at."""
UNLIKELY: Final = 0.01
"""The p-value below which a notable change is reported."""


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How the scores of ``n`` calls compare with the ``reference`` ones of a calibration.

    ``auroc`` is the probability that a call of today has a greater score than one of the calibration, ties counted
    half: 0.5 where nothing moved, more where today's are riskier. ``distance`` is that of Kolmogorov and Smirnov, the
    most by which the shares of calls below any score differ, in 0 to 1. ``p_value`` is that of this one look.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    n: int
    reference: int
    auroc: float
    distance: float
    p_value: float

    @property
    def notable(self) -> bool:
        """Whether the change is neither small nor likely to be chance."""
        return self.p_value < UNLIKELY and max(self.distance, 2 * abs(self.auroc - 0.5)) >= NOTABLE


def drift(live: Sequence[float], calibration: Sequence[float], *, size: int | None = None) -> Drift | None:
    """Compare scores of calls with those of a calibration; None where either are fewer than ``LEAST``.

    ``calibration`` are its scores, or evenly spaced quantiles of them, and then ``size`` is how many scores there were.

    Raises:
        ValueError: a score is not finite, or the size is below 0.
    """
    n, m = len(live), len(calibration) if size is None else size
    if m < 0 or not all(map(math.isfinite, (*live, *calibration))):
        raise ValueError("scores must be finite numbers, and there cannot be fewer than none")
    if min(n, m) < LEAST or not calibration:
        return None
    today, then = sorted(live), sorted(calibration)
    weight = m / len(then)
    total = n + m
    below_today = below_then = greater = ties = 0.0
    distance = 0.0
    for value in sorted({*today, *then}):
        up_to_today, up_to_then = bisect_right(today, value), bisect_right(then, value) * weight
        here_today, here_then = up_to_today - below_today, up_to_then - below_then
        greater += here_today * (below_then + here_then / 2)
        ties += (here_today + here_then) ** 3 - (here_today + here_then)
        below_today, below_then = up_to_today, up_to_then
        distance = max(distance, abs(below_today / n - below_then / m))
    variance = n * m / 12 * (total + 1 - max(ties, 0.0) / (total * (total - 1)))
    # what quantiles leave out between two of them is no evidence
    rounding = 0.0 if len(then) >= m else 1 / len(then)
    moved = _two_sided(abs(greater - n * m / 2) - 0.5 - n * m * rounding / 2, variance)
    changed = _kolmogorov(math.sqrt(n * m / total) * max(0.0, distance - rounding))
    return Drift(
        n=n, reference=m, auroc=greater / (n * m), distance=distance, p_value=min(1.0, 2 * min(moved, changed))
    )


def _two_sided(off: float, variance: float) -> float:
    """P(a normal deviate is so far off its mean, either way)."""
    if variance <= 0:
        return 1.0
    return math.erfc(max(0.0, off) / math.sqrt(2 * variance))


def _kolmogorov(scaled: float) -> float:
    """P(the supremum of a Brownian bridge is at least that), by the series that converges fast there."""
    if scaled < 0.2:
        return 1.0
    if scaled < 1.18:
        terms = (math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * scaled**2)) for k in range(1, 8))
        return min(1.0, max(0.0, 1 - math.sqrt(2 * math.pi) / scaled * sum(terms)))
    alternating = ((-1.0) ** (k - 1) * math.exp(-2 * k * k * scaled * scaled) for k in range(1, 8))
    return min(1.0, max(0.0, 2 * sum(alternating)))
