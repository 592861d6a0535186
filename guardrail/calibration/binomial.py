"""The binomial distribution by the standard library alone: what a file claims is recomputed wherever it is loaded."""

from __future__ import annotations

import math


def at_most(errors: int, n: int, rate: float) -> float:
    """P(Bin(n, rate) <= errors), to about nine digits up to n = 10^6.

    The terms are summed from the greatest of them in both directions, so that none is lost to rounding.

    Raises:
        ValueError: n is below 0, or the rate is no probability.
    """
    if n < 0 or not 0 <= rate <= 1:
        raise ValueError(f"there is no binomial distribution of {n} draws at a rate of {rate}")
    if errors < 0:
        return 0.0
    if errors >= n or rate == 0:
        return 1.0
    if rate == 1:
        return 0.0
    peak = min(errors, int(n * rate))
    log_peak = (
        math.lgamma(n + 1)
        - math.lgamma(peak + 1)
        - math.lgamma(n - peak + 1)
        + peak * math.log(rate)
        + (n - peak) * math.log1p(-rate)
    )
    odds = rate / (1 - rate)
    total = term = 1.0
    for k in range(peak, 0, -1):
        term *= k / ((n - k + 1) * odds)
        total += term
        if term < total * 1e-18:
            break
    term = 1.0
    for k in range(peak, errors):
        term *= (n - k) * odds / (k + 1)
        total += term
        if term < total * 1e-18:
            break
    return min(1.0, math.exp(log_peak) * total)
