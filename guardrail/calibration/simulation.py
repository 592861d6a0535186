"""What a calibration will probably give, before anybody labels: how much runs, by labels, samples, alpha, reviewers.

A ``Pool`` is a large body of calls of which the truth is known, recorded or assumed. Labels are drawn from it, the
exact rule walks over them, and the pool says what its threshold would then have let run, and how much of that is
wrong. A forecast: it is as good as the pool is like the calls to come.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

from guardrail.calibration.libraries import needed
from guardrail.calibration.promise import fixed_sequence, labels_needed
from guardrail.errors import ConfigError

ASSUMED: Final = 40_000
"""Calls in a pool that is assumed."""
_AGREEING: Final = 1.8
"""In standard deviations: samples agree with nine of ten right plans, on average, as they did in recordings."""
_MOST_SAMPLES: Final = 100
_WORKING: Final = 0.8
"""The share of a reviewer's hours that reviews may take up: a queue at full use never empties."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Pool:
    """Calls with their risk (0 to 1, lower is safer) and whether each is wrong, as arrays of one length.

    ``samples`` is N, where the risk depends on it; None: a risk without ties, as log-probabilities give one.

    Raises:
        ConfigError: there are no calls, the lengths differ, or a risk is none.
    """

    name: str
    risk: Any
    wrong: Any
    samples: int | None = None

    def __post_init__(self) -> None:
        np = needed("numpy")
        risk, wrong = np.asarray(self.risk, dtype=float), np.asarray(self.wrong)
        if risk.ndim != 1 or risk.shape != wrong.shape or not len(risk) or wrong.dtype != bool:
            raise ConfigError(f"{self.name}: give one risk and one answer (wrong or not) a call, and at least one call")
        if not ((risk >= 0) & (risk <= 1)).all():
            raise ConfigError(f"{self.name}: a risk is a number from 0 to 1; leave out calls without one")
        order = np.argsort(risk, kind="stable")
        object.__setattr__(self, "risk", risk[order])
        object.__setattr__(self, "wrong", wrong[order])
        object.__setattr__(self, "_errors", np.concatenate(([0], np.cumsum(wrong[order]))))

    @property
    def base(self) -> float:
        """The share of all calls that is wrong."""
        return float(self.wrong.mean())

    def outcome(self, below: float | None) -> tuple[float, float | None]:
        """The share of calls with a risk below that, and how many of these are wrong (None: nothing runs)."""
        np = needed("numpy")
        ran = 0 if below is None else int(np.searchsorted(self.risk, below, side="left"))
        return ran / len(self.risk), float(self._errors[ran]) / ran if ran else None  # type: ignore[attr-defined]  # set above

    def oracle(self, alpha: float) -> float:
        """The greatest share that could run with at most alpha wrong, by one who knows the truth."""
        np = needed("numpy")
        ends = np.append(np.flatnonzero(self.risk[1:] > self.risk[:-1]) + 1, len(self.risk))
        fine = ends[self._errors[ends] <= alpha * ends]  # type: ignore[attr-defined]  # set above
        return float(fine[-1]) / len(self.risk) if len(fine) else 0.0


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What ``labels`` labelled calls give at a target: over many calibrations, how often there is a threshold, the
    share of calls that runs (mean, and the 10 % and 90 % points, 0 without a threshold), the error of what runs, and
    how often it exceeds alpha. ``oracle`` is what could run at most.
    """

    pool: str
    samples: int | None
    labels: int
    alpha: float
    delta: float
    trials: int
    certified: float
    coverage: float
    low: float
    high: float
    error: float | None
    broken: float
    oracle: float


def assumed_pool(*, error: float, auroc: float, samples: int | None, seed: int = 0, calls: int = ASSUMED) -> Pool:
    """Calls of which ``error`` are wrong, told apart by a normal score of that AUROC.

    With ``samples`` the score is not seen itself: each of N samples agrees with the plan with a probability that it
    gives (nine of ten for right plans, on average), and the risk is the share that does not. So N samples tell less,
    and in steps of 1 / N.

    Raises:
        ConfigError: a number is none of its kind.
    """
    np = needed("numpy")
    if not 0 < error < 1 or not 0.5 <= auroc < 1:
        raise ConfigError(f"an error of {error} must lie between 0 and 1, an AUROC of {auroc} between 0.5 and 1")
    if samples is not None and not 1 <= samples <= _MOST_SAMPLES:
        raise ConfigError(f"{samples} samples: give 1 to {_MOST_SAMPLES}")
    special = needed("scipy.special")
    rng = np.random.default_rng(seed)
    apart = math.sqrt(2) * float(special.ndtri(auroc))
    wrong = rng.random(calls) < error
    sure = rng.standard_normal(calls) + np.where(wrong, 0.0, apart)
    if samples is None:
        return Pool(name="a score without ties", risk=special.ndtr(-sure), wrong=wrong)
    agreeing = rng.binomial(samples, special.ndtr(sure - apart + _AGREEING))
    return Pool(name=f"N = {samples}", risk=1 - agreeing / samples, wrong=wrong, samples=samples)


def forecasts(
    pools: Sequence[Pool],
    *,
    labels: Sequence[int],
    alphas: Sequence[float],
    delta: float = 0.05,
    trials: int = 400,
    seed: int = 0,
) -> Iterator[Forecast]:
    """A forecast for each pool, number of labels and target, in that order; each is ``trials`` calibrations.

    Raises:
        ConfigError: a number is none of its kind.
    """
    if trials < 1 or any(n < 1 for n in labels):
        raise ConfigError("give at least one trial, and at least one label")
    for alpha in alphas:
        labels_needed(alpha, delta)
    for place, pool in enumerate(pools):
        for n in labels:
            yield from _forecasts(pool, n, alphas, delta=delta, trials=trials, seed=(seed, place, n))


def _forecasts(
    pool: Pool, n: int, alphas: Sequence[float], *, delta: float, trials: int, seed: tuple[int, ...]
) -> Iterator[Forecast]:
    np = needed("numpy")
    rng = np.random.default_rng(seed)
    shares = np.zeros((len(alphas), trials))
    errors = np.full((len(alphas), trials), np.nan)
    for trial in range(trials):
        drawn = rng.integers(len(pool.risk), size=n)
        scores, wrong = pool.risk[drawn], pool.wrong[drawn]
        for row, alpha in enumerate(alphas):
            below = fixed_sequence(scores, wrong, alpha=alpha, delta=delta).execute_below
            share, error = pool.outcome(below)
            shares[row, trial] = share
            errors[row, trial] = np.nan if error is None else error
    for row, alpha in enumerate(alphas):
        ran = ~np.isnan(errors[row])
        yield Forecast(
            pool=pool.name,
            samples=pool.samples,
            labels=n,
            alpha=alpha,
            delta=delta,
            trials=trials,
            certified=float(ran.mean()),
            coverage=float(shares[row].mean()),
            low=float(np.quantile(shares[row], 0.1)),
            high=float(np.quantile(shares[row], 0.9)),
            error=float(errors[row][ran].mean()) if ran.any() else None,
            broken=float((errors[row][ran] > alpha).sum() / trials),
            oracle=pool.oracle(alpha),
        )


@dataclass(frozen=True, kw_only=True)
class Staff:
    """What reviewing takes: reviews and hours a day, ``reviewers`` whose hours it fills to four fifths at most, and how
    long a call waits for one of them on average, in minutes, while they work (0 reviews: nobody is needed).
    """

    reviews: float
    hours: float
    reviewers: int
    wait: float


def staff(*, calls_a_day: float, coverage: float, audit: float, minutes: float, hours: float) -> Staff:
    """The reviewers for a coverage: of ``calls_a_day`` the rest is reviewed, and an ``audit`` share of what runs.

    A review takes ``minutes`` of somebody who works ``hours`` a day. The wait is that of a queue with random arrivals
    and as many servers (Erlang 1917, formula C); audits wait for nobody and are not in it.

    Raises:
        ConfigError: a number is none of its kind.
    """
    if not (calls_a_day >= 0 and 0 <= coverage <= 1 and 0 <= audit <= 1 and minutes > 0 and 0 < hours <= 24):
        raise ConfigError(
            "calls a day must be at least 0, coverage and audits shares, minutes above 0, and hours between 0 and 24"
        )
    urgent = calls_a_day * (1 - coverage)
    reviews = urgent + calls_a_day * coverage * audit
    work = reviews * minutes / 60
    people = math.ceil(work / (hours * _WORKING) - 1e-9)
    if not people:
        return Staff(reviews=0.0, hours=0.0, reviewers=0, wait=0.0)
    load = urgent * minutes / (60 * hours)
    waiting = _erlang_c(load, people)
    return Staff(reviews=reviews, hours=work, reviewers=people, wait=waiting * minutes / (people - load))


def _erlang_c(load: float, servers: int) -> float:
    """How likely an arrival waits; by the recursion of Erlang's formula B, which does not overflow."""
    blocked = 1.0
    for server in range(1, servers + 1):
        blocked = load * blocked / (server + load * blocked)
    return servers * blocked / (servers - load * (1 - blocked))


def days_for(labels: int, *, calls_a_day: float, audit: float) -> tuple[float, float]:
    """How many days bring so many labels: where every call is reviewed at first, and where only audits are judged."""
    if calls_a_day <= 0:
        return math.inf, math.inf
    return labels / calls_a_day, labels / (calls_a_day * audit) if audit > 0 else math.inf
