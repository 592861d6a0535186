"""Ways to collect and use labels that break the promise, each beside the way that keeps it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy import special

from guardrail.calibration.dependence import one_per_task
from guardrail.calibration.ledger import Ledger, Look
from guardrail.calibration.promise import clopper_pearson_lower
from guardrail.calibration.thinning import thin
from guardrail.types import Refusal, RefusalCode, Tier
from tests.calibration.worlds import DELTA, NOTHING, Play, Result, Scenario, binormal, flat, rule

ALPHA = 0.1
JUST_WORSE = 0.101
"""An error rate that is above the target, by so little that the test is at its hardest."""


def traps() -> list[Scenario]:
    """The scenarios in pairs: what is done carelessly, and what is done instead."""
    return [
        *_ties(),
        *_silence(),
        *_unequal_audits(),
        *_unanswered(),
        *_floor(),
        *_retries(),
        *_tasks(),
        *_peeking(),
        *_combiner(),
        *_tools(),
    ]


def _pair(
    name: str, careful: str, careless: str, n: int, play: Callable[[bool], Play], **more: float
) -> list[Scenario]:
    return [
        Scenario(name=f"{name}, {careful}", n=n, alpha=ALPHA, play=play(False), **more),
        Scenario(name=f"{name}, {careless}", n=n, alpha=ALPHA, play=play(True), naive=True, **more),
    ]


def _ids(rng: np.random.Generator, n: int) -> list[str]:
    batch = rng.integers(2**63)
    return [f"{batch} {number}" for number in range(n)]


def _ties() -> list[Scenario]:
    """Six different scores, as agreement of five samples has: equal ones run together."""
    errors = np.array([0.02, 0.05, 0.16, 0.3, 0.4, 0.5])
    reached = np.cumsum(errors) / np.arange(1, 7)

    def play(split: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            level = rng.integers(6, size=300)
            wrong = rng.random(300) < errors[level]
            # the careless sort puts the right ones of equal scores first
            below = rule(level / 6 + split * 1e-6 * wrong, wrong, ALPHA).execute_below
            runs = 0 if below is None else int(np.count_nonzero(np.arange(6) / 6 < below))
            return (runs / 6, float(reached[runs - 1])) if runs else NOTHING

        return once

    oracle = float(np.count_nonzero(reached <= ALPHA) / 6)
    return _pair("ties", "together", "split by their labels", 300, play, oracle=oracle)


def _silence() -> list[Scenario]:
    """80 % of 1,000 calls run unseen, the others are reviewed; a fifth of those that run may be audited."""
    world, ran = binormal(0.2, 0.8), 0.8

    def play(careless: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            scores, wrong = world.draw(rng, 1_000)
            if careless:
                return world.outcome(rule(scores, wrong & (scores >= ran), ALPHA).execute_below)
            chance = np.where(scores < ran, 0.2, 1.0)
            judged = np.flatnonzero(rng.random(1_000) < chance)
            kept = judged[thin(_ids(rng, len(judged)), chance[judged], seed=0)]
            return world.outcome(rule(scores[kept], wrong[kept], ALPHA).execute_below)

        return once

    return _pair("calls that ran unseen", "audited", "taken for right", 1_000, play, oracle=world.oracle(ALPHA))


def _unequal_audits() -> list[Scenario]:
    """Of a good tool's calls all are judged, of a bad one's a tenth; the score tells nothing, and the mix is bad."""
    errors, chances = np.array([0.02, 2 * JUST_WORSE - 0.02]), np.array([1.0, 0.1])

    def drawn(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        tool = rng.integers(2, size=2_000)
        tool = tool[rng.random(2_000) < chances[tool]]
        return rng.random(len(tool)), rng.random(len(tool)) < errors[tool], chances[tool]

    def outcome(below: float | None) -> Result:
        return NOTHING if below is None else (min(below, 1.0), JUST_WORSE)

    def play(careless: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            scores, wrong, chance = drawn(rng)
            kept = np.arange(len(scores)) if careless else thin(_ids(rng, len(scores)), chance, seed=0)
            return outcome(rule(scores[kept], wrong[kept], ALPHA).execute_below)

        return once

    def weighted(rng: np.random.Generator) -> Result:
        scores, wrong, chance = drawn(rng)
        order = np.argsort(scores)
        weight = 1 / chance[order]
        share = np.cumsum(weight * wrong[order]) / np.cumsum(weight)
        fine = np.flatnonzero(share[len(order) // 4 :] <= ALPHA)
        return (0.5, JUST_WORSE) if len(fine) else NOTHING

    return [
        *_pair("unequal audits", "thinned", "pooled", 2_000, play),
        Scenario(name="unequal audits, weighted plug-in", n=2_000, alpha=ALPHA, play=weighted, naive=True),
        _audits_by_score(),
    ]


def _audits_by_score() -> Scenario:
    """A budget spent where the threshold may come to lie."""
    world = binormal(0.2, 0.8)

    def once(rng: np.random.Generator) -> Result:
        scores, wrong = world.draw(rng, 1_000)
        chance = 0.2 + 0.6 * ((scores > 0.3) & (scores < 0.7))
        judged = np.flatnonzero(rng.random(1_000) < chance)
        kept = judged[thin(_ids(rng, len(judged)), chance[judged], seed=0)]
        return world.outcome(rule(scores[kept], wrong[kept], ALPHA).execute_below)

    return Scenario(name="audits by score, thinned", n=1_000, alpha=ALPHA, play=once, oracle=world.oracle(ALPHA))


def _unanswered() -> list[Scenario]:
    """Of the wrong calls that were drawn, two in five are hard to judge, and nobody does."""
    world = flat(JUST_WORSE)

    def play(careless: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            scores, wrong = world.draw(rng, 400)
            judged = ~wrong | (rng.random(400) > 0.4)
            if careless:
                return world.outcome(rule(scores[judged], wrong[judged], ALPHA).execute_below)
            return world.outcome(rule(scores, wrong | ~judged, ALPHA).execute_below)

        return once

    return _pair("draws that nobody judged", "wrong", "left out", 400, play)


def _floor() -> list[Scenario]:
    """Labels only where calls would run."""
    world, floor = binormal(0.2, 0.8), 0.45

    def play(careless: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            found = rule(*world.draw(rng, 300, below=floor), ALPHA, floor=None if careless else floor)
            return world.outcome(found.execute_below)

        return once

    return _pair("labels up to a floor", "kept", "passed", 300, play, oracle=min(floor, world.oracle(ALPHA)))


@dataclass(frozen=True, kw_only=True)
class Loop:
    """Steps with a difficulty of their own, each planned twice: scores and labels of both plans, one column each."""

    scores: np.ndarray
    wrong: np.ndarray

    def outcome(self, first: float | None, retried: float | None) -> Result:
        """What runs where first plans run below one cut, and plans made again below another."""
        at_once = self.scores[:, 0] < (first or 0.0)
        later = ~at_once & (self.scores[:, 1] < (retried or 0.0))
        runs = int(at_once.sum() + later.sum())
        if not runs:
            return NOTHING
        return runs / len(self.wrong), float(self.wrong[at_once, 0].sum() + self.wrong[later, 1].sum()) / runs


def loop(rng: np.random.Generator, n: int) -> Loop:
    hard = rng.normal(size=(n, 1))
    wrong = rng.random((n, 2)) < special.expit(1.6 * hard - 2.2)
    return Loop(scores=special.expit(0.3 * hard + 1.3 * wrong + rng.normal(size=(n, 2)) - 1), wrong=wrong)


@cache
def _everybody() -> Loop:
    return loop(np.random.default_rng(7), 200_000)


@cache
def _loop_oracle() -> float:
    cuts = np.linspace(0.02, 0.98, 97)
    ran = [_everybody().outcome(float(cut), float(cut)) for cut in cuts]
    return max((share for share, error in ran if error <= ALPHA), default=math.nan)


def _retries() -> list[Scenario]:
    """Steps above a cut are planned again, and the new plan runs below it."""
    n, deployed = 600, 0.35

    def careless(rng: np.random.Generator) -> Result:
        seen = loop(rng, n)
        cut = rule(seen.scores[:, 0], seen.wrong[:, 0], ALPHA).execute_below
        return _everybody().outcome(cut, cut)

    def strata(rng: np.random.Generator) -> Result:
        seen = loop(rng, n)
        again = seen.scores[:, 0] >= deployed
        cuts = (
            rule(seen.scores[rows, column], seen.wrong[rows, column], ALPHA, delta=DELTA / 2).execute_below
            for column, rows in enumerate((np.ones(n, dtype=bool), again))
        )
        return _everybody().outcome(*cuts)

    def final(rng: np.random.Generator) -> Result:
        seen = loop(rng, n)
        last = (seen.scores[:, 0] >= deployed).astype(int)
        scores, wrong = seen.scores[np.arange(n), last], seen.wrong[np.arange(n), last]
        ran = scores < deployed
        cut = rule(scores[ran], wrong[ran], ALPHA, floor=deployed).execute_below
        return _everybody().outcome(cut, cut)

    return [
        Scenario(name="retries, one cut for each attempt", n=n, alpha=ALPHA, play=strata, oracle=_loop_oracle()),
        Scenario(name="retries, the calls that finally ran", n=n, alpha=ALPHA, play=final, oracle=_loop_oracle()),
        Scenario(name="retries, first attempts' cut for all", n=n, alpha=ALPHA, play=careless, naive=True),
    ]


def _tasks() -> list[Scenario]:
    """100 tasks of five calls, as risky as each other, with an intraclass correlation of 0.45."""
    more = 1 / 0.45 - 1

    def play(careless: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            task = np.repeat(np.arange(100), 5)
            errors = rng.beta(JUST_WORSE * more, (1 - JUST_WORSE) * more, size=100)
            scores, wrong = rng.random(100)[task] + 1e-9 * rng.random(500), rng.random(500) < errors[task]
            scores = np.minimum(scores, 1.0)
            kept = np.arange(500) if careless else one_per_task(task.tolist(), _ids(rng, 500), seed=0)
            return flat(JUST_WORSE).outcome(rule(scores[kept], wrong[kept], ALPHA).execute_below)

        return once

    return _pair("tasks", "one call of each", "calls taken for independent", 500, play)


def _peeking() -> list[Scenario]:
    """A look after every 50 labels, until something passes."""
    n = 1_000

    def play(careless: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            scores, wrong = flat(JUST_WORSE).draw(rng, n)
            ledger = Ledger()
            for many in range(50, n + 1, 50):
                may = DELTA if careless else ledger.delta(Tier.MEDIUM, str(many), n=many, delta=DELTA)
                if isinstance(may, Refusal):
                    return NOTHING
                found = rule(scores[:many], wrong[:many], ALPHA, delta=may)
                if found.refusal is None:
                    return flat(JUST_WORSE).outcome(found.execute_below)
                if found.refusal.code is not RefusalCode.TOO_FEW_LABELS:
                    ledger = ledger.with_look(Tier.MEDIUM, Look(key=str(many), n=many, delta=may))
            return NOTHING

        return once

    return _pair("looks after every 50 labels", "spending delta", "at full delta", n, play)


def _logistic(inputs: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The coefficients of a logistic fit, by Newton's method, hardly pulled towards 0."""
    found = np.zeros(inputs.shape[1])
    for _ in range(6):
        risk = special.expit(inputs @ found)
        bend = (inputs * (risk * (1 - risk))[:, None]).T @ inputs + 0.5 * np.eye(len(found))
        found = found + np.linalg.solve(bend, inputs.T @ (wrong - risk) - 0.5 * found)
    return found


def _combiner() -> list[Scenario]:
    """A risk fitted on four signals that tell nothing."""
    n, folds = 150, 5

    def play(careless: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            inputs = np.column_stack([np.ones(n), rng.normal(size=(n, 4))])
            wrong = rng.random(n) < JUST_WORSE
            risk = special.expit(inputs @ _logistic(inputs, wrong))
            # as many wrong ones in each fold
            fold = np.empty(n, dtype=int)
            fold[np.lexsort((rng.random(n), wrong))] = np.arange(n) % folds
            for held in () if careless else range(folds):
                mine = fold == held
                risk[mine] = special.expit(inputs[mine] @ _logistic(inputs[~mine], wrong[~mine]))
            return flat(JUST_WORSE).outcome(rule(risk, wrong, ALPHA).execute_below)

        return once

    return _pair("a risk of useless signals", "cross-fitted", "fitted on the same labels", n, play)


def _tools() -> list[Scenario]:
    """Ten tools; those that look bad go to review."""
    n, tools = 600, 10

    def play(careless: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            tool = rng.integers(tools, size=n)
            scores, wrong = flat(JUST_WORSE).draw(rng, n)
            aside = np.ones(n, dtype=bool) if careless else rng.random(n) < 0.25
            seen = [aside & (tool == number) for number in range(tools)]
            bad = [number for number, rows in enumerate(seen) if wrong[rows].mean() > ALPHA]
            tested = ~np.isin(tool, bad) & (careless | ~aside)
            return flat(JUST_WORSE).outcome(rule(scores[tested], wrong[tested], ALPHA).execute_below)

        return once

    return [*_pair("tools left out", "by other labels", "by the labels of the test", n, play), *_hidden_tool()]


def _hidden_tool() -> list[Scenario]:
    """A fifth of the calls are of a tool that is wrong at 0.2; the others are so good that the tier keeps its promise."""
    n, alpha, errors = 1_500, 0.05, np.array([0.002, 0.2])

    def play(careless: bool) -> Play:
        def once(rng: np.random.Generator) -> Result:
            bad = (rng.random(n) < 0.2).astype(int)
            scores, wrong = rng.random(n), rng.random(n) < errors[bad]
            aside = (rng.random(n) < 0.25) & (not careless)
            mine = wrong[aside & (bad == 1)]
            vetoed = bool(len(mine)) and clopper_pearson_lower(int(mine.sum()), len(mine), DELTA) > alpha
            tested = ~aside & (~vetoed | (bad == 0))
            below = rule(scores[tested], wrong[tested], alpha).execute_below
            # the worst tool of those that run
            return NOTHING if below is None else (min(below, 1.0), float(errors[0 if vetoed else 1]))

        return once

    return [
        Scenario(name="a bad tool, vetoed by other labels", n=n, alpha=alpha, play=play(False)),
        Scenario(name="a bad tool, hidden in its tier", n=n, alpha=alpha, play=play(True), naive=True),
    ]
