"""How shares of agreeing samples are spread over calls: the prior of Bayesian stopping, from counts without labels."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Final

from guardrail.calibration.libraries import needed, one_thread
from guardrail.errors import ConfigError

LEAST_COUNTS: Final = 20
_BOUND: Final = math.log(100.0)
_PULL: Final = 0.02
"""Towards Beta(1, 1): keeps the fit finite where every call agrees alike."""


def fit_prior(counts: Iterable[tuple[int, int]]) -> tuple[float, float]:
    """Pseudo-counts of a sample that agrees and of one that does not, for ``Stopping.prior``.

    ``counts`` has for each call how many of how many valid samples agree, over all N samples. Maximum likelihood of the
    beta-binomial distribution (Griffiths 1973), three digits.

    Raises:
        ConfigError: there are fewer than 20 counts, or one is none.
    """
    np = needed("numpy")
    betaln = needed("scipy.special").betaln
    pairs = [(agreeing, valid) for agreeing, valid in counts if valid > 0]
    if len(pairs) < LEAST_COUNTS:
        raise ConfigError(f"{len(pairs)} calls with valid samples are too few for a prior; record {LEAST_COUNTS}")
    agreeing, valid = (np.array(column, dtype=float) for column in zip(*pairs, strict=True))
    if (agreeing < 0).any() or (agreeing > valid).any():
        raise ConfigError("a call has more agreeing samples than valid ones, or fewer than none")

    def loss(logs: Any) -> float:
        a, b = np.exp(logs)
        likelihood = (betaln(a + agreeing, b + valid - agreeing) - betaln(a, b)).sum()
        return float(_PULL * (logs**2).sum() - likelihood)

    with one_thread():
        found = needed("scipy.optimize").minimize(loss, [0.0, 0.0], method="L-BFGS-B", bounds=[(-_BOUND, _BOUND)] * 2)
    a, b = (float(f"{math.exp(value):.3g}") for value in found.x)
    return a, b
