"""The thresholds that keep reviews below what people can do, and the promise that is left there."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from guardrail.calibration.calibrated_file import EVERYTHING
from guardrail.calibration.costs import checked
from guardrail.calibration.libraries import needed
from guardrail.calibration.promise import clopper_pearson_upper
from guardrail.errors import ConfigError
from guardrail.types import Tier

BUSY: Final = 0.95
"""The share of days that stay at or below ``ReviewLoad.busy_day``."""


@dataclass(frozen=True, kw_only=True)
class Sampled:
    """The labelled calls of a tier, drawn with equal probability, for ``traffic`` calls (in any unit, the same in all
    tiers). A call without a risk (NaN), or of a tool that goes to review whatever its risk, is reviewed always.

    ``worth`` is what a wrong call costs, beside those of other tiers.
    """

    risk: Sequence[float]
    wrong: Sequence[bool]
    traffic: float
    delta: float
    worth: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Affordable:
    """What one tier gets: calls run at a risk strictly below ``execute_below``, a ``coverage`` of its ``calls`` a day.

    ``errors`` of the ``executed`` labelled calls below it were wrong; ``alpha`` is the least share of wrong calls that
    the exact test accepts there at ``delta``, the Clopper-Pearson bound.
    """

    execute_below: float
    calls: float
    coverage: float
    reviews: float
    executed: int
    errors: int
    alpha: float
    delta: float


@dataclass(frozen=True, kw_only=True)
class ReviewLoad:
    """Reviews a day, ``reviews`` of them on average and on all but one day in twenty at most ``busy_day``.

    ``fits`` is False where even letting everything run leaves more than was asked for.
    """

    most: float
    calls: float
    reviews: float
    busy_day: int
    fits: bool
    tiers: dict[Tier, Affordable]


def review_load(
    tiers: Mapping[Tier, Sampled], *, calls_a_day: float, most_a_day: float, always: float = 0.0
) -> ReviewLoad:
    """The laxest use of reviewers that stays within ``most_a_day`` on average: those calls are reviewed of which most
    is to be feared, risk times worth, over all tiers. ``always`` is the traffic that is reviewed whatever its risk
    (critical calls), in the unit of ``Sampled.traffic``.

    **Why the promise holds.** The cut is chosen by the risks of the traffic and by the prices, never by a label. Given
    the risks, and with the cut at one of them or at a fixed value, the calls below it are independent draws of all
    calls below it, so that their errors are Bin(executed, R), with R the share of wrong calls that this cut lets run.
    There is one cut and one test of it: the walk over cuts, and what it pays for choosing among them, falls away, and
    the Clopper-Pearson bound at delta exceeds R with probability 1 - delta. It holds for this one number of reviews,
    which was named before the labels were seen; whoever tries several and takes the one that looks best has chosen by
    the labels after all.

    Raises:
        ConfigError: there are no calls a day or no reviews, more reviews than calls, or a tier's calls are none.
    """
    for name, value in (("calls", calls_a_day), ("reviews", most_a_day)):
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"{value} {name} a day: give a number above 0")
    if not tiers:
        raise ConfigError("there are no labelled calls with a risk: nothing is known of the reviews that they need")
    np = needed("numpy")
    given = {tier: checked(one.risk, one.wrong) for tier, one in tiers.items()}
    for tier, one in tiers.items():
        if not (one.traffic > 0 and one.worth > 0 and math.isfinite(one.traffic * one.worth)):
            raise ConfigError(f"{tier.value}: its traffic and the worth of its calls must be above 0")
    day = calls_a_day / (sum(one.traffic for one in tiers.values()) + always)
    feared = np.concatenate([given[tier][0] * one.worth for tier, one in tiers.items()])
    weight = np.concatenate(
        [np.full(len(given[tier][0]), one.traffic / len(given[tier][0])) for tier, one in tiers.items()]
    )
    below = _cut(feared, weight, most_a_day / day - always)
    found = {tier: _affordable(one, *given[tier], below, day) for tier, one in tiers.items()}
    reviews = always * day + sum(one.reviews for one in found.values())
    share = min(1.0, reviews / calls_a_day)
    return ReviewLoad(
        most=most_a_day,
        calls=calls_a_day,
        reviews=reviews,
        busy_day=int(needed("scipy.stats").binom.ppf(BUSY, round(calls_a_day), share)),
        fits=reviews <= most_a_day * (1 + 1e-9),
        tiers=found,
    )


def _cut(feared: Any, weight: Any, most: float) -> float:
    """The least of these values so that those at or above it, and the unknown, weigh at most ``most``."""
    np = needed("numpy")
    known = ~np.isnan(feared)
    left = most - float(weight[~known].sum())
    values, place = np.unique(feared[known], return_inverse=True)
    if not len(values):
        return math.inf
    above = np.cumsum(np.bincount(place, weights=weight[known])[::-1])[::-1]
    fitting = np.flatnonzero(above <= left * (1 + 1e-9))
    return float(values[fitting[0]]) if len(fitting) else math.inf


def _affordable(one: Sampled, risk: Any, wrong: Any, below: float, day: float) -> Affordable:
    np = needed("numpy")
    runs = risk * one.worth < below  # of NaN: never
    executed, errors = int(runs.sum()), int(wrong[runs].sum())
    cut = risk[np.isfinite(risk) & ~runs]
    threshold = float(cut.min()) if len(cut) else EVERYTHING
    calls = one.traffic * day
    coverage = executed / len(risk)
    return Affordable(
        execute_below=threshold,
        calls=calls,
        coverage=coverage,
        reviews=calls * (1 - coverage),
        executed=executed,
        errors=errors,
        alpha=clopper_pearson_upper(errors, executed, one.delta),
        delta=one.delta,
    )
