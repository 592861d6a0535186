"""Worlds in which the truth is known: how often a calibration breaks its promise, and how much of the possible it runs.

In a world, calls lie at u, uniform on [0, 1], from the safest to the riskiest by their score, and a call at u is wrong with
probability ``errors(u)``, constant over equal bins: the error of what runs below a cut is then exact, and not simulated.
A scenario plays one calibration and says what share of all calls runs by it, and how many of those are wrong.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special, stats

from guardrail.calibration.promise import binomial_tail, fixed_sequence, traffic_cuts
from guardrail.types import Threshold

DELTA = 0.05
BINS = 2_000
NOTHING = (0.0, 0.0)
Result = tuple[float, float]
"""The share of all calls that run, and the error among them (0, 0: nothing runs)."""
Play = Callable[[np.random.Generator], Result]


class World:
    """Calls whose error goes by the place of their score."""

    def __init__(self, errors: np.ndarray) -> None:
        self.errors = errors
        self._wrong = np.concatenate(([0.0], np.cumsum(errors))) / len(errors)

    def draw(self, rng: np.random.Generator, n: int, *, below: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
        """Scores and labels of n calls with a score below that."""
        scores = rng.random(n) * below
        return scores, rng.random(n) < self.at(scores)

    def at(self, scores: np.ndarray) -> np.ndarray:
        return self.errors[np.minimum((scores * len(self.errors)).astype(int), len(self.errors) - 1)]

    def risks(self, scores: np.ndarray) -> np.ndarray:
        """What a perfect risk model says of calls: the same order, where more score means more errors."""
        return np.interp(scores, (np.arange(len(self.errors)) + 0.5) / len(self.errors), self.errors) + 1e-9 * scores

    def risk(self, below: float) -> float:
        """The error of what runs below a cut."""
        below = min(below, 1.0)
        return float(np.interp(below, np.linspace(0, 1, len(self._wrong)), self._wrong)) / below if below else 0.0

    def oracle(self, alpha: float) -> float:
        """The greatest share that can run with at most alpha wrong, by one who knows the world."""
        edges = np.linspace(0, 1, len(self._wrong))[1:]
        fine = np.flatnonzero(self._wrong[1:] / edges <= alpha)
        return float(edges[fine[-1]]) if len(fine) else 0.0

    def outcome(self, below: float | None) -> Result:
        return NOTHING if below is None or below <= 0 else (min(below, 1.0), self.risk(below))


@cache
def binormal(base: float, auroc: float) -> World:
    """Scores of right and wrong calls are normal, with that AUROC."""
    apart = math.sqrt(2) * stats.norm.ppf(auroc)
    grid = np.linspace(-8, 8 + apart, 40_001)
    wrong, right = base * special.ndtr(grid - apart), (1 - base) * special.ndtr(grid)
    edges = np.linspace(0, 1, BINS + 1)
    return World(np.diff(np.interp(edges, wrong + right, wrong)) * BINS)


def flat(base: float) -> World:
    """A score that tells nothing."""
    return World(np.full(BINS, base))


def confident_wrong() -> World:
    """The very safest are often wrong, then few are, then more and more."""
    u = (np.arange(BINS) + 0.5) / BINS
    return World(np.where(u < 0.04, 0.5, 0.02 + 0.4 * u**3))


def waves() -> World:
    """More risk, fewer errors, and again more: what runs is good, bad, good and bad."""
    u = (np.arange(BINS) + 0.5) / BINS
    return World(np.select([u < 0.3, u < 0.4, u < 0.7], [0.06, 0.26, 0.03], 0.3))


def rule(scores: np.ndarray, wrong: np.ndarray, alpha: float, **more: object) -> Threshold:
    return fixed_sequence(scores, wrong, alpha=alpha, delta=more.pop("delta", DELTA), **more)  # type: ignore[arg-type]


def plug_in(scores: np.ndarray, wrong: np.ndarray, alpha: float) -> float | None:
    """The laxest cut below which at most alpha of the labels are wrong, as most tools take it."""
    return _laxest(scores, wrong, lambda k, e: e <= alpha * k)


def every_cut(scores: np.ndarray, wrong: np.ndarray, alpha: float) -> float | None:
    """The laxest cut whose Clopper-Pearson bound is at most alpha, as if it had been the only one looked at."""
    return _laxest(scores, wrong, lambda k, e: binomial_tail(e, k, alpha) <= DELTA)


def _laxest(
    scores: np.ndarray, wrong: np.ndarray, passes: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> float | None:
    order = np.argsort(scores, kind="stable")
    k = np.arange(1, len(scores) + 1)
    fine = np.flatnonzero(passes(k, np.cumsum(wrong[order])))
    return float(np.append(scores[order], 2.0)[fine[-1] + 1]) if len(fine) else None


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One way to calibrate in one world. ``naive``: one of those that break the promise."""

    name: str
    n: int
    alpha: float
    play: Play
    oracle: float = math.nan
    """The greatest share that could run; NaN where there is none to compare with."""
    naive: bool = False


@dataclass(frozen=True, kw_only=True)
class Found:
    """``violation``: the share of calibrations by which more than alpha of what runs is wrong. ``share``: what runs, of
    the oracle's share.
    """

    violation: float
    share: float


def simulate(scenario: Scenario, *, trials: int = 1_000, seed: int = 0) -> Found:
    rng = np.random.default_rng([seed, *scenario.name.encode()])
    results = np.array([scenario.play(rng) for _ in range(trials)])
    # a share of 1e-9 is rounding, and no violation
    broken = (results[:, 0] > 0) & (results[:, 1] > scenario.alpha + 1e-9)
    share = results[:, 0].mean() / scenario.oracle if scenario.oracle else math.nan
    return Found(violation=float(broken.mean()), share=float(share))


def bound(trials: int, delta: float = DELTA) -> float:
    """The rate of violations that delta allows, with three standard errors."""
    return delta + 3 * math.sqrt(delta * (1 - delta) / trials)


def in_world(
    name: str,
    world: World,
    n: int,
    alpha: float,
    method: Callable[[np.ndarray, np.ndarray, float], Threshold | float | None] = rule,
    *,
    naive: bool = False,
) -> Scenario:
    """Labels of n calls, all with the same chance to be judged."""

    def play(rng: np.random.Generator) -> Result:
        found = method(*world.draw(rng, n), alpha)
        return world.outcome(found.execute_below if isinstance(found, Threshold) else found)

    return Scenario(name=name, n=n, alpha=alpha, play=play, oracle=world.oracle(alpha), naive=naive)


def by_risk(
    name: str,
    world: World,
    n: int,
    alpha: float,
    says: Callable[[np.ndarray], np.ndarray] | None = None,
) -> Scenario:
    """Labels of n calls whose scores are stated as risks by a model of other calls: the true ones, or what ``says`` makes of their place."""
    stated = says or world.risks

    def play(rng: np.random.Generator) -> Result:
        scores, wrong = world.draw(rng, n)
        found = rule(stated(scores), wrong, alpha, planned=True)
        # the order is the same, so the first call left out is
        return world.outcome(float(np.append(np.sort(scores), 2.0)[found.executed]) if found.executed else None)

    return Scenario(name=name, n=n, alpha=alpha, play=play, oracle=world.oracle(alpha))


def by_traffic(name: str, world: World, n: int, alpha: float) -> Scenario:
    """Cuts from the risks of unlabelled calls."""

    def play(rng: np.random.Generator) -> Result:
        cuts = traffic_cuts(rng.random(2_000), n=n, alpha=alpha, delta=DELTA)
        return world.outcome(rule(*world.draw(rng, n), alpha, cuts=cuts).execute_below)

    return Scenario(name=name, n=n, alpha=alpha, play=play, oracle=world.oracle(alpha))


GRID_N = (50, 100, 200, 500, 2_000)
GRID_BASE = (0.05, 0.1, 0.2, 0.3)
GRID_AUROC = (0.7, 0.8, 0.9)
GRID_ALPHA = (0.01, 0.02, 0.05, 0.1, 0.2)


def grid(*, planned: bool = False) -> list[Scenario]:
    """Binormal worlds in which a threshold can be had: n labels suffice without an error, and 5 % of calls may run.

    ``planned``: by risks of a model of other calls, which here are right.
    """
    found = [
        by_risk(f"binormal, base {base:g}, AUROC {auroc:g}, planned", binormal(base, auroc), n, alpha)
        if planned
        else in_world(f"binormal, base {base:g}, AUROC {auroc:g}", binormal(base, auroc), n, alpha)
        for n in GRID_N
        for base in GRID_BASE
        for auroc in GRID_AUROC
        for alpha in GRID_ALPHA
        if n >= math.ceil(math.log(DELTA) / math.log1p(-alpha))
    ]
    return [one for one in found if one.oracle > 0.05]


def scenarios() -> list[Scenario]:
    """Worlds in which calls are a plain sample: the rule, and what breaks the promise."""
    useless, bad = flat(0.101), confident_wrong()
    return [
        in_world("binormal", binormal(0.2, 0.8), 200, 0.1),
        by_risk("binormal, planned", binormal(0.2, 0.8), 200, 0.1),
        by_risk("binormal, planned by risks that are too low", binormal(0.2, 0.8), 200, 0.1, lambda u: 0.1 * u),
        by_risk("useless score, planned by risks that are too low", useless, 200, 0.1, lambda u: 0.02 + 0.08 * u),
        by_risk("useless score, few labels, planned by risks", flat(0.21), 50, 0.2, lambda u: 0.3 * u**2),
        in_world("binormal, plug-in", binormal(0.2, 0.8), 200, 0.1, plug_in, naive=True),
        in_world("useless score", useless, 200, 0.1),
        in_world("useless score, few labels", flat(0.21), 50, 0.2),
        in_world("useless score, plug-in", flat(0.12), 200, 0.1, plug_in, naive=True),
        in_world("useless score, every cut", useless, 500, 0.1, every_cut, naive=True),
        in_world("confident and wrong", bad, 500, 0.1),
        in_world("confident and wrong, plug-in", bad, 500, 0.1, plug_in, naive=True),
        by_traffic("non-monotone, cuts of traffic", waves(), 500, 0.1),
        by_traffic("confident and wrong, cuts of traffic", bad, 500, 0.1),
        by_traffic("useless score, cuts of traffic", useless, 500, 0.1),
    ]
