"""The binomial distribution by the standard library alone: what a file claims is recomputed wherever it is loaded."""

from __future__ import annotations

import math
from collections.abc import Callable


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


def interval(errors: int, n: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval for a rate of which ``errors`` of n draws came true (Clopper and Pearson 1934), to
    nine digits.

    Raises:
        ValueError: there are fewer draws than errors, or the confidence is none.
    """
    if not 0 <= errors <= n or not n or not 0 < confidence < 1:
        raise ValueError(f"{errors} of {n} draws have no interval at a confidence of {confidence}")
    tail = (1 - confidence) / 2
    low = 0.0 if not errors else _where(lambda rate: 1 - at_most(errors - 1, n, rate) >= tail)
    high = 1.0 if errors == n else _where(lambda rate: at_most(errors, n, rate) <= tail)
    return low, high


def _where(reached: Callable[[float], bool]) -> float:
    """The least rate from which on it holds."""
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
