"""Special functions that the signals need, in plain Python, to about ten digits and better."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

_TINY: Final = 1e-300
_MOST_TERMS: Final = 10_000
_HALVINGS: Final = 200
_ASYMPTOTIC: Final = 10.0
_DIGAMMA: Final = (-1 / 12, 1 / 120, -1 / 252, 1 / 240, -1 / 132)
_TRIGAMMA: Final = (1 / 6, -1 / 30, 1 / 42, -1 / 30, 5 / 66)


def regularised_beta(x: float, a: float, b: float) -> float:
    """``I_x(a, b)``: the probability that a Beta(a, b) variable is at most x.

    By the continued fraction of the incomplete beta function (Abramowitz and Stegun 1964, 26.5.8), evaluated
    from its head (modified Lentz).

    Raises:
        ValueError: x lies outside [0, 1], or a parameter is not positive.
    """
    if not 0 <= x <= 1 or not (a > 0 and b > 0):
        raise ValueError(f"there is no I_x(a, b) for x = {x}, a = {a}, b = {b}")
    if x in (0, 1):
        return float(x)
    if x > (a + 1) / (a + b + 2):
        return 1 - regularised_beta(1 - x, b, a)
    scale = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    return scale * _beta_fraction(x, a, b) / a


def _beta_fraction(x: float, a: float, b: float) -> float:
    above, below = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    found = below
    for term in range(1, _MOST_TERMS):
        even = term * (b - term) * x / ((a + 2 * term - 1) * (a + 2 * term))
        odd = -(a + term) * (a + b + term) * x / ((a + 2 * term) * (a + 2 * term + 1))
        for numerator in (even, odd):
            below = 1 / _nonzero(1 + numerator * below)
            above = _nonzero(1 + numerator / above)
            found *= above * below
        if abs(above * below - 1) < 1e-15:
            break
    return found


def _nonzero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY


@lru_cache(maxsize=4_096)
def beta_quantile(p: float, a: float, b: float) -> float:
    """The x with ``I_x(a, b) = p``, by halving the interval until nothing is left of it.

    Raises:
        ValueError: p lies outside [0, 1], or a parameter is not positive.
    """
    if not 0 <= p <= 1 or not (a > 0 and b > 0):
        raise ValueError(f"a Beta({a}, {b}) variable has no quantile of {p}")
    if p in (0, 1):
        return float(p)
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        if regularised_beta(middle, a, b) < p:
            low = middle
        else:
            high = middle
    return high


def digamma(x: float) -> float:
    """The derivative of ``ln Gamma`` at a positive x (Abramowitz and Stegun 1964, 6.3.5 and 6.3.18)."""
    shifted = 0.0
    while x < _ASYMPTOTIC:
        shifted -= 1 / x
        x += 1
    return shifted + math.log(x) - 1 / (2 * x) + _series(_DIGAMMA, x) / (x * x)


def trigamma(x: float) -> float:
    """The second derivative of ``ln Gamma`` at a positive x (Abramowitz and Stegun 1964, 6.4.6 and 6.4.12)."""
    shifted = 0.0
    while x < _ASYMPTOTIC:
        shifted += 1 / (x * x)
        x += 1
    return shifted + 1 / x + 1 / (2 * x * x) + _series(_TRIGAMMA, x) / (x * x * x)


def _series(coefficients: tuple[float, ...], x: float) -> float:
    found = 0.0
    for coefficient in reversed(coefficients):
        found = found / (x * x) + coefficient
    return found
