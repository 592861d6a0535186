"""How a count of agreeing samples will probably end: Bayesian curtailment of sequential sampling.

Whether a sample agrees is exchangeable with an unknown share, on which the prior is Beta; then the number of
agreeing ones among those not drawn yet is beta-binomial (Gelman et al. 2013, Bayesian Data Analysis, 2.3 and 5.3).
Stopping where one end of the count has a predictive probability of at least 1 - e sends, over the prior, at most a
share e of the stopped calls another way than all N samples would have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Probabilities of the two ends of a count: ``reached`` that enough of the N samples will agree, ``missed`` that
    too many will validly not. What is left of 1 is that invalid samples leave it open.
    """

    reached: float
    missed: float

    @property
    def left(self) -> float:
        """The probability that neither comes about."""
        return max(0.0, 1.0 - self.reached - self.missed)


def forecast(
    *,
    agreeing: int,
    disagreeing: int,
    remaining: int,
    needed: int,
    asked: int,
    prior: tuple[float, float] = (1.0, 1.0),
) -> Forecast:
    """How the count will end if every sample of the ``remaining`` ones is valid.

    ``needed`` of ``asked`` samples have to agree; samples that are neither counted nor remaining are invalid.
    ``prior`` are the pseudo-counts of a sample that agrees and of one that does not.

    Raises:
        ValueError: a count is negative, more are counted than asked for, or a pseudo-count is not above 0.
    """
    if min(agreeing, disagreeing, remaining) < 0 or agreeing + disagreeing + remaining > asked:
        raise ValueError(f"{agreeing} and {disagreeing} samples and {remaining} more are not some of {asked}")
    shares = beta_binomial(remaining, prior[0] + agreeing, prior[1] + disagreeing)
    reached = math.fsum(share for more, share in enumerate(shares) if agreeing + more >= needed)
    missed = math.fsum(share for more, share in enumerate(shares) if disagreeing + remaining - more > asked - needed)
    return Forecast(reached=min(1.0, reached), missed=min(1.0, missed))


def posterior_mean(agreeing: int, disagreeing: int, prior: tuple[float, float] = (1.0, 1.0)) -> float:
    """The expected share of agreeing samples, given those that are there."""
    return (prior[0] + agreeing) / (prior[0] + prior[1] + agreeing + disagreeing)


def beta_binomial(n: int, a: float, b: float) -> tuple[float, ...]:
    """The probability of each number of successes from 0 to ``n`` whose share is Beta(``a``, ``b``).

    Raises:
        ValueError: ``n`` is negative, or a pseudo-count is not above 0.
    """
    if n < 0 or not (0 < a < math.inf and 0 < b < math.inf):
        raise ValueError(f"a beta-binomial of {n} with pseudo-counts {a} and {b} is none")
    logs = [
        math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1) + _log_beta(a + k, b + n - k) - _log_beta(a, b)
        for k in range(n + 1)
    ]
    return tuple(map(math.exp, logs))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
