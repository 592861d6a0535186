"""How well a number tells right from wrong. A score is higher where the call is more likely right."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from itertools import groupby, pairwise


def auroc(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """P(a right case scores above a wrong one), ties counted half; None where one kind is absent."""
    return _auroc(_counts(scores, right))


def auroc_interval(
    scores: Sequence[float], right: Sequence[bool], *, seed: int, rounds: int = 1000
) -> tuple[float, float] | None:
    """95 % percentile bootstrap over cases; None where one kind is absent."""
    if auroc(scores, right) is None:
        return None
    rng = random.Random(seed)
    places = {score: place for place, score in enumerate(sorted(set(scores)))}
    cases = [(places[score], good) for score, good in zip(scores, right, strict=True)]
    found: list[float] = []
    while len(found) < rounds:
        counts = [[0, 0] for _ in places]
        for place, good in rng.choices(cases, k=len(cases)):
            counts[place][good] += 1
        value = _auroc(counts)
        if value is not None:
            found.append(value)
    found.sort()
    return found[int(0.025 * rounds)], found[int(0.975 * rounds)]


def _counts(scores: Sequence[float], right: Sequence[bool]) -> list[list[int]]:
    counts: dict[float, list[int]] = {score: [0, 0] for score in sorted(set(scores))}
    for score, good in zip(scores, right, strict=True):
        counts[score][good] += 1
    return list(counts.values())


def _auroc(counts: Sequence[Sequence[int]]) -> float | None:
    """From (wrong, right) counts by ascending score."""
    wrongs, rights = sum(wrong for wrong, _ in counts), sum(right for _, right in counts)
    if not wrongs or not rights:
        return None
    below, total = 0, 0.0
    for wrong, right in counts:
        total += right * (below + wrong / 2)
        below += wrong
    return total / (wrongs * rights)


def aurc(scores: Sequence[float], right: Sequence[bool]) -> float:
    """Area under the risk-coverage curve: the mean error of the k best cases over k; ties in expectation."""
    ordered = sorted(zip(scores, right, strict=True), key=lambda case: -case[0])
    errors, taken, total = 0.0, 0, 0.0
    for _, tied in groupby(ordered, key=lambda case: case[0]):
        block = [good for _, good in tied]
        wrong = block.count(False) / len(block)
        for _ in block:
            errors, taken = errors + wrong, taken + 1
            total += errors / taken
    return total / len(ordered)


def accepted(scores: Sequence[float], right: Sequence[bool], least: float) -> tuple[float, float | None]:
    """Coverage and error of executing what scores at least ``least``; no error where nothing does."""
    kept = [good for score, good in zip(scores, right, strict=True) if score >= least - 1e-9]
    return len(kept) / len(scores), kept.count(False) / len(kept) if kept else None


def cross_fitted(scores: Sequence[float], right: Sequence[bool], *, folds: int, seed: int) -> list[float]:
    """P(right) by logistic regression on the score, each case by a model that did not see it."""
    order = list(range(len(scores)))
    random.Random(seed).shuffle(order)
    fitted = [0.0] * len(scores)
    for fold in range(folds):
        held = set(order[fold::folds])
        rest = [index for index in order if index not in held]
        intercept, slope = _logistic([scores[i] for i in rest], [right[i] for i in rest])
        for index in held:
            fitted[index] = _sigmoid(intercept + slope * scores[index])
    return fitted


def _logistic(scores: Sequence[float], right: Sequence[bool]) -> tuple[float, float]:
    """Maximum likelihood by Newton's method, with a little ridge so that separable data have a fit."""
    a = b = 0.0
    for _ in range(50):
        ga, gb, haa, hab, hbb = -1e-3 * a, -1e-3 * b, 1e-3, 0.0, 1e-3
        for score, good in zip(scores, right, strict=True):
            p = _sigmoid(a + b * score)
            w = p * (1 - p)
            ga, gb = ga + good - p, gb + (good - p) * score
            haa, hab, hbb = haa + w, hab + w * score, hbb + w * score * score
        determinant = haa * hbb - hab * hab
        da, db = (hbb * ga - hab * gb) / determinant, (haa * gb - hab * ga) / determinant
        a, b = a + da, b + db
        if abs(da) + abs(db) < 1e-9:
            break
    return a, b


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def brier(probabilities: Sequence[float], right: Sequence[bool]) -> float:
    """Mean squared error of P(right)."""
    return sum((p - good) ** 2 for p, good in zip(probabilities, right, strict=True)) / len(probabilities)


def ece(probabilities: Sequence[float], right: Sequence[bool], bins: int = 10) -> float:
    """Expected calibration error over bins of equal mass; equal probabilities share their cases' mean outcome."""
    gaps: list[float] = []
    for p, tied in groupby(sorted(zip(probabilities, right, strict=True)), key=lambda case: case[0]):
        block = [good for _, good in tied]
        gaps += [p - sum(block) / len(block)] * len(block)
    edges = [round(len(gaps) * k / bins) for k in range(bins + 1)]
    return sum(abs(sum(gaps[start:end])) for start, end in pairwise(edges)) / len(gaps)


def ece_null(probabilities: Sequence[float], *, seed: int, rounds: int = 200) -> float:
    """The mean ECE if the probabilities were exactly right: what is left of an ECE is beyond chance."""
    rng = random.Random(seed)
    drawn = ([rng.random() < p for p in probabilities] for _ in range(rounds))
    return sum(ece(probabilities, right) for right in drawn) / rounds
