"""What more labels would probably buy: for each number of them, the coverage that the exact rule then reaches.

A forecast and no promise. The error over the risk is smoothed by a logistic regression on the labels there are (Platt
1999), the rule walks over simulated labels, and what it reaches in four of five walks is said.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from guardrail.calibration.calibrated_file import EVERYTHING
from guardrail.calibration.costs import checked
from guardrail.calibration.libraries import needed
from guardrail.calibration.promise import LEAST_SHARE, POWER, labels_needed

CELLS: Final = 100
"""Cuts that a walk looks at, at most."""
WALKS: Final = 400
MOST: Final = 100
"""Up to so many times the labels that there are, or as the least number needed, are considered."""
GAIN: Final = 0.05
"""Less coverage gained is not worth a line."""
_SIZES: Final = 40
_FITTED: Final = 20_000
_EDGE: Final = 1e-4


@dataclass(frozen=True, kw_only=True)
class Step:
    """With ``more`` labels of calls drawn at random (``labels`` in all), a ``coverage`` at least would run with a
    probability of ``POWER``, at a risk below about ``execute_below``; about ``rate`` of what runs would be wrong.
    """

    more: int
    labels: int
    coverage: float
    execute_below: float
    rate: float


def next_steps(
    risk: Sequence[float],
    wrong: Sequence[bool],
    *,
    alpha: float,
    delta: float,
    now: float = 0.0,
    share: float = 1.0,
    seed: int = 0,
) -> tuple[Step, ...]:
    """At most three numbers of labels: the least that gains anything over a coverage of ``now``, the one that gains
    most for its labels, and the one beyond which nothing more is gained. Empty: more labels gain nothing.

    ``risk`` (NaN: missing) and ``wrong`` are the calls of the last test. ``share`` is how many of all labelled calls
    come to the test, where some decide about tools.

    Raises:
        ConfigError: there are no calls, or a number is none.
    """
    np = needed("numpy")
    values, truth = checked(risk, wrong)
    known = ~np.isnan(values)
    scored = float(known.mean())
    if not known.any():
        return ()
    cells = _Cells.of(values[known], truth[known])
    least = labels_needed(alpha, delta)
    n = len(values)
    found: list[Step] = []
    best = now
    for size in _sizes(n, least):
        reached = cells.reached(size * scored, alpha=alpha, delta=delta, least=least, seed=seed)
        if not reached or cells.ends[reached - 1] * scored < best + GAIN:
            continue
        best = float(cells.ends[reached - 1]) * scored
        found.append(
            Step(
                more=_rounded((size - n) / share),
                labels=_rounded(size / share),
                coverage=best,
                execute_below=float(cells.below[reached - 1]),
                rate=float((cells.rate * cells.width)[:reached].sum() / cells.ends[reached - 1]),
            )
        )
    return _few(found, now)


@dataclass(frozen=True, kw_only=True)
class _Cells:
    """Calls by rising risk, cut where thresholds can be: the share up to each cut, the risk that it lets run up to, and
    the error between it and the one before.
    """

    ends: Any
    below: Any
    rate: Any

    @property
    def width(self) -> Any:
        return needed("numpy").diff(self.ends, prepend=0.0)

    @classmethod
    def of(cls, risk: Any, wrong: Any) -> _Cells:
        np = needed("numpy")
        order = np.argsort(risk, kind="stable")
        ranked = risk[order]
        n = len(ranked)
        # equal risks run together or not at all
        cuts = np.append(np.flatnonzero(np.diff(ranked) > 0) + 1, n)
        if len(cuts) > CELLS:
            near = np.searchsorted(cuts, np.rint(np.linspace(0, n, CELLS + 1)[1:]))
            cuts = np.unique(cuts[near])
        starts = np.concatenate([[0], cuts[:-1]])
        rate = np.add.reduceat(_smoothed(ranked, wrong[order]), starts) / np.diff(cuts, prepend=0)
        return cls(ends=cuts / n, below=np.append(ranked, EVERYTHING)[cuts], rate=rate)

    def reached(self, size: float, *, alpha: float, delta: float, least: int, seed: int) -> int:
        """How many cells run in at least ``POWER`` of the walks over so many labels."""
        np = needed("numpy")
        binom = needed("scipy.stats").binom
        k = np.rint(size * self.ends).astype(int)
        rng = np.random.default_rng(seed)
        errors = np.cumsum(rng.binomial(np.diff(k, prepend=0), self.rate, size=(WALKS, len(k))), axis=1)
        most = binom.ppf(delta, k, alpha)
        most = np.where(binom.cdf(most, k, alpha) <= delta, most, most - 1)
        tried = k >= max(least, math.ceil(LEAST_SHARE * k[-1]))
        if not tried.any():
            return 0
        passes = (errors <= most) | ~tried
        # the first cut that fails ends the walk
        cells = np.where(passes.all(axis=1), len(k), np.argmin(passes, axis=1))
        cells = np.where(cells > np.argmax(tried), cells, 0)
        return int(np.quantile(cells, 1 - POWER, method="lower"))


def _sizes(n: int, least: int) -> list[int]:
    first, last = max(n + 1, least), MOST * max(n, least)
    return sorted({math.ceil(first * (last / first) ** (number / (_SIZES - 1))) for number in range(_SIZES)})


def _smoothed(ranked: Any, wrong: Any) -> Any:
    """The error of each call, safest first, by a curve of two parameters."""
    np = needed("numpy")
    flat = np.full(len(ranked), (wrong.sum() + 0.5) / (len(wrong) + 1))
    at = np.clip(ranked, _EDGE, 1 - _EDGE)
    logit = np.log(at / (1 - at))[:, None]
    rows = np.unique(np.rint(np.linspace(0, len(ranked) - 1, min(len(ranked), _FITTED))).astype(int))
    truth = wrong[rows]
    if truth.all() or not truth.any() or logit[0] == logit[-1]:
        return flat
    model = needed("sklearn.linear_model").LogisticRegression(C=100.0).fit(logit[rows], truth)
    return model.predict_proba(logit)[:, 1] if model.coef_[0, 0] > 0 else flat


def _few(steps: Sequence[Step], now: float) -> tuple[Step, ...]:
    if not steps:
        return ()
    worth = max(steps, key=lambda step: (step.coverage - now) / step.more)
    return tuple(sorted({steps[0], worth, steps[-1]}, key=lambda step: step.more))


def _rounded(count: float) -> int:
    """Up to two digits: it is a forecast."""
    whole = max(1, math.ceil(count))
    unit = int("1" + "0" * max(0, len(str(whole)) - 2))
    return math.ceil(whole / unit) * unit
