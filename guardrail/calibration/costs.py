"""What a threshold costs, and what may be promised where reviewers are few.

Beside the promise, which needs no prices, stands what prices alone would advise. The three routes cost, at a risk r of
being wrong:

- executing: ``r * wrong``;
- a review: ``review``, whether the call turns out right or wrong, and the reviewer misses nothing;
- a retry: its own price; a share ``settled(r)`` of retried calls then runs, ``Retries.wrong`` of those are wrong, and
  the rest goes to a human. The share falls evenly with the risk, since doubt that comes of the request stays.

All three are straight lines over the risk, so each is the cheapest on one interval (Chow 1970; Elkan 2001, section 2).
That the risk is calibrated, is assumed. It is not promised of anything here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from guardrail.calibration.calibrated_file import EVERYTHING
from guardrail.calibration.calls import NOWHERE, ROUTES, Calls
from guardrail.calibration.libraries import needed
from guardrail.calibration.promise import clopper_pearson_lower, clopper_pearson_upper
from guardrail.errors import ConfigError
from guardrail.types import Route

POINTS: Final = 200
"""Thresholds of a cost curve, at most."""
LEVEL: Final = 0.95
"""Of the intervals of a cost curve."""


@dataclass(frozen=True, kw_only=True)
class Retries:
    """What is known or assumed of retried calls: the share that then runs where the first plan's risk is 0 and where
    it is 1, and the share of those that is wrong. ``n`` of them were measured (0: it is assumed).

    Raises:
        ConfigError: a share is none, or more is settled at a greater risk.
    """

    settled_at_0: float
    settled_at_1: float
    wrong: float = 0.0
    n: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.settled_at_1 <= self.settled_at_0 <= 1 and 0 <= self.wrong <= 1):
            raise ConfigError(
                f"retries settle {self.settled_at_0} of the calls at risk 0 and {self.settled_at_1} at risk 1, and "
                f"{self.wrong} of those are wrong: each is a share, and the second is at most the first"
            )

    def settled(self, risk: float) -> float:
        """The share of calls of that risk that run once they are planned again."""
        return self.settled_at_0 + (self.settled_at_1 - self.settled_at_0) * risk


def measured_retries(calls: Calls) -> Retries | None:
    """What labelled calls say of retries: how many of those planned again ran, and how many of these were wrong.

    Each call counts by how improbable it was to be judged (Horvitz and Thompson 1952). The same share is taken at every
    risk, since a record does not say what the risk of the first plan was. None: no retried call is known.
    """
    np = needed("numpy")
    known = calls.take((calls.attempt > 0) & (calls.route != NOWHERE) & (calls.probability > 0))
    if not len(known):
        return None
    weight = 1 / known.probability
    ran = known.route == ROUTES.index(Route.EXECUTE)
    settled = float(weight[ran].sum() / weight.sum())
    wrong = float(np.dot(weight[ran], known.wrong[ran]) / weight[ran].sum()) if ran.any() else 0.0
    return Retries(settled_at_0=settled, settled_at_1=settled, wrong=wrong, n=len(known))


@dataclass(frozen=True, kw_only=True)
class Costs:
    """Prices in one currency: of a wrong call that ran, of a human's look at a call, and of planning a step again.

    Without ``retry`` and ``retries`` no call is retried.

    Raises:
        ConfigError: a price is no number above 0 (a retry may be free), or ``retry`` stands without ``retries``.
    """

    wrong: float
    review: float
    retry: float | None = None
    retries: Retries | None = None

    def __post_init__(self) -> None:
        for name, value in (("a wrong call", self.wrong), ("a review", self.review)):
            if not (math.isfinite(value) and value > 0):
                raise ConfigError(f"the cost of {name} is {value}: give a number above 0")
        if self.retry is not None and not (math.isfinite(self.retry) and self.retry >= 0):
            raise ConfigError(f"the cost of a retry is {self.retry}: give a number of at least 0")
        if (self.retry is None) != (self.retries is None):
            raise ConfigError("what a retry costs and how often it settles a call are needed together")

    def of(self, route: Route, risk: float) -> float:
        """The expected cost of sending a call of that risk there; infinite for a retry where none is possible."""
        if route is Route.EXECUTE:
            return risk * self.wrong
        if route is Route.REVIEW:
            return self.review
        if self.retry is None or self.retries is None:
            return math.inf
        settled = self.retries.settled(risk)
        return self.retry + settled * self.retries.wrong * self.wrong + (1 - settled) * self.review

    def handed(self, risk: float) -> float:
        """The cost of a call that does not run at once: by a review or a retry, whichever is cheaper."""
        return min(self.of(Route.REVIEW, risk), self.of(Route.RETRY, risk))


@dataclass(frozen=True, kw_only=True)
class Bayes:
    """The routes of least expected cost. A call runs at a risk strictly below ``execute_below`` (``EVERYTHING``: at
    any), is planned again below ``retry_below`` (None: never), and goes to a human otherwise.
    """

    execute_below: float
    retry_below: float | None = None

    def route(self, risk: float) -> Route:
        """Where a call of that risk goes."""
        if risk < self.execute_below:
            return Route.EXECUTE
        return Route.RETRY if self.retry_below is not None and risk < self.retry_below else Route.REVIEW


def bayes(costs: Costs) -> Bayes:
    """The thresholds on a calibrated risk that cost least in expectation."""
    below = costs.review / costs.wrong
    retry_below = None
    if costs.retry is not None:
        below = min(below, _root(*(costs.of(Route.RETRY, r) - costs.of(Route.EXECUTE, r) for r in (0.0, 1.0))))
        dearer = _root(*(costs.of(Route.REVIEW, r) - costs.of(Route.RETRY, r) for r in (0.0, 1.0)))
        retry_below = dearer if dearer > below else None
    return Bayes(execute_below=below if below <= 1 else EVERYTHING, retry_below=retry_below)


def _root(at_0: float, at_1: float) -> float:
    """Up to which risk in [0, 1] a falling line is above 0; ``EVERYTHING`` where it stays there."""
    if at_0 <= 0:
        return 0.0
    return at_0 / (at_0 - at_1) if at_1 <= 0 else EVERYTHING


@dataclass(frozen=True, kw_only=True)
class CostPoint:
    """One threshold: a ``coverage`` of the calls runs, ``errors`` of ``executed`` were wrong. ``cost`` is per call.

    ``low`` to ``high`` is the interval at ``LEVEL`` that the exact one of the error (Clopper and Pearson 1934) gives,
    over independent calls and with the share that runs taken as it is.
    """

    execute_below: float
    coverage: float
    executed: int
    errors: int
    cost: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class CostView:
    """Expected costs per call over thresholds, strictest first.

    ``cheapest`` is the lowest point of the curve: found by the same labels, and so too good by chance. ``advised`` is
    at the Bayes threshold, which no label has chosen. ``promised`` is at the threshold that keeps the promise, or where
    nothing runs if there is none.
    """

    costs: Costs
    bayes: Bayes
    n: int
    curve: tuple[CostPoint, ...]
    cheapest: CostPoint
    advised: CostPoint
    promised: CostPoint
    nothing_runs: CostPoint
    everything_runs: CostPoint


def cost_view(
    risk: Sequence[float], wrong: Sequence[bool], costs: Costs, *, promised: float | None, points: int = POINTS
) -> CostView:
    """The costs of labelled calls that were drawn with equal probability. A call without a risk (NaN) never runs.

    ``promised`` is the threshold with the promise (None: there is none).

    Raises:
        ConfigError: there are no calls, a risk is no probability, or a truth is neither True nor False.
    """
    ranked = _Ranked.of(risk, wrong, costs)
    advised = bayes(costs)
    curve = tuple(ranked.at(below) for below in ranked.thresholds(points))
    return CostView(
        costs=costs,
        bayes=advised,
        n=ranked.n,
        curve=curve,
        cheapest=min(curve, key=lambda point: point.cost),
        advised=ranked.at(advised.execute_below),
        promised=ranked.at(0.0 if promised is None else promised),
        nothing_runs=curve[0],
        everything_runs=curve[-1],
    )


@dataclass(frozen=True, kw_only=True)
class _Ranked:
    """Calls by rising risk; ``errors`` and ``handed`` are sums over the first k, k from 0."""

    costs: Costs
    n: int
    risk: Any
    errors: Any
    handed: Any
    unscored: int

    @classmethod
    def of(cls, risk: Sequence[float], wrong: Sequence[bool], costs: Costs) -> _Ranked:
        np = needed("numpy")
        values, truth = checked(risk, wrong)
        known = ~np.isnan(values)
        order = np.argsort(values[known], kind="stable")
        ordered = values[known][order]
        handed = np.full(len(ordered), costs.review)
        if costs.retry is not None and costs.retries is not None:
            settled = costs.retries.settled(ordered)
            again = costs.retry + settled * costs.retries.wrong * costs.wrong + (1 - settled) * costs.review
            handed = np.minimum(handed, again)
        return cls(
            costs=costs,
            n=len(values),
            risk=ordered,
            errors=np.concatenate([[0], np.cumsum(truth[known][order])]),
            handed=np.concatenate([[0.0], np.cumsum(handed)]),
            unscored=int((~known).sum()),
        )

    def thresholds(self, most: int) -> list[float]:
        """One that lets nothing run, some of those between two risks, and one that lets everything run."""
        np = needed("numpy")
        distinct = np.unique(self.risk)
        if len(distinct) > most:
            places = np.unique(np.rint(np.linspace(0, len(self.risk) - 1, most)).astype(int))
            distinct = np.unique(self.risk[places])
        return [0.0, *map(float, distinct[distinct > 0]), EVERYTHING]

    def at(self, below: float) -> CostPoint:
        np = needed("numpy")
        k = int(np.searchsorted(self.risk, below, side="left"))
        errors = int(self.errors[k])
        miss = (1 - LEVEL) / 2
        low, high = clopper_pearson_lower(errors, k, miss), clopper_pearson_upper(errors, k, miss)
        rest = float(self.handed[-1] - self.handed[k]) + self.unscored * self.costs.review

        def cost(wrong: float) -> float:
            return (wrong * self.costs.wrong + rest) / self.n

        return CostPoint(
            execute_below=below,
            coverage=k / self.n,
            executed=k,
            errors=errors,
            cost=cost(errors),
            low=cost(low * k),
            high=cost(high * k),
        )


def checked(risk: Sequence[float], wrong: Sequence[bool]) -> tuple[Any, Any]:
    """Risks (NaN: missing) and truths as arrays.

    Raises:
        ConfigError: there are no calls, a risk is no probability, or a truth is neither True nor False.
    """
    np = needed("numpy")
    values, truth = np.asarray(risk, dtype=float), np.asarray(wrong)
    if values.ndim != 1 or values.shape != truth.shape or not len(values):
        raise ConfigError(f"{values.shape} risks and {truth.shape} truths: give one of each a call, at least one")
    if truth.dtype != bool:
        raise ConfigError("a truth is neither True nor False: leave out calls that nobody has judged")
    if not (np.isnan(values) | ((values >= 0) & (values <= 1))).all():
        raise ConfigError("a risk lies outside of 0 to 1")
    return values, truth
