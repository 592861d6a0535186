"""How well a number tells right calls from wrong ones, and how well a probability is calibrated.

A score is higher where the call is more likely right; a probability is P(right). ``right`` has one truth a case.
Nothing that is not finite is measured. The extra ``calibration`` is needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from guardrail.calibration.libraries import needed

BINS: Final = 10


@dataclass(frozen=True, kw_only=True)
class Point:
    """One threshold: the share of cases at or above it, the error among them with an exact 95 % interval (Clopper
    and Pearson 1934, over independent cases), and the threshold itself.
    """

    least: float
    coverage: float
    error: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Cases of about equal P(right): the mean of what was said, the share that was right, and how many there are."""

    predicted: float
    observed: float
    n: float


def auroc(scores: Sequence[float], right: Sequence[bool]) -> float | None:
    """P(a right case scores above a wrong one), ties counted half; None where one kind is absent.

    Raises:
        ValueError: a score is not finite, there are no cases, or the lengths differ.
    """
    values, truth = checked(scores, right)
    if truth.all() or not truth.any():
        return None
    return float(needed("sklearn.metrics").roc_auc_score(truth, values))


def roc(scores: Sequence[float], right: Sequence[bool]) -> list[tuple[float, float]]:
    """Points of the ROC curve: the share of wrong cases kept and that of right ones, strictest threshold first.

    Empty where one kind is absent.
    """
    values, truth = checked(scores, right)
    if truth.all() or not truth.any():
        return []
    wrong, kept, _ = needed("sklearn.metrics").roc_curve(truth, values)
    return list(zip(map(float, wrong), map(float, kept), strict=True))


def aurc(scores: Sequence[float], right: Sequence[bool]) -> float:
    """Area under the risk-coverage curve: the mean error of the k best cases over k, ties in expectation.

    Geifman and El-Yaniv 2017; cases of one score stand in every order alike.
    """
    np = needed("numpy")
    values, truth = checked(scores, right)
    return float(aurc_of_counts(Blocks.of(values, truth), np.ones((1, len(truth))))[0])


def excess_aurc(scores: Sequence[float], right: Sequence[bool]) -> float:
    """AURC less that of a score that puts every right case first (Geifman, Uziel and El-Yaniv 2019)."""
    return aurc(scores, right) - aurc([float(good) for good in right], right)


def brier(probabilities: Sequence[float], right: Sequence[bool]) -> float:
    """Mean squared error of P(right)."""
    values, truth = checked(probabilities, right, probability=True)
    return float(needed("sklearn.metrics").brier_score_loss(truth, values, pos_label=True))


def log_loss(probabilities: Sequence[float], right: Sequence[bool]) -> float:
    """Mean negative log-likelihood, in nats; a probability of exactly 0 or 1 counts as the nearest float to it."""
    values, truth = checked(probabilities, right, probability=True)
    return float(needed("sklearn.metrics").log_loss(truth, values, labels=[False, True]))


def accepted(scores: Sequence[float], right: Sequence[bool], least: float) -> tuple[float, float | None]:
    """Coverage and error of executing what scores at least ``least``; no error where nothing does."""
    values, truth = checked(scores, right)
    kept = truth[values >= least - 1e-9]
    return len(kept) / len(truth), float(1 - kept.mean()) if len(kept) else None


def risk_coverage(scores: Sequence[float], right: Sequence[bool]) -> list[Point]:
    """The risk-coverage curve, a point at every distinct score, most certain first."""
    np = needed("numpy")
    beta = needed("scipy.stats").beta
    values, truth = checked(scores, right)
    blocks = Blocks.of(values, truth)
    wrong, n = np.cumsum(blocks.wrong), np.cumsum(blocks.wrong + blocks.right)
    low = np.where(wrong > 0, beta.ppf(0.025, np.maximum(wrong, 1), n - wrong + 1), 0.0)
    high = np.where(wrong < n, beta.ppf(0.975, wrong + 1, np.maximum(n - wrong, 1)), 1.0)
    columns = (blocks.scores, n / len(truth), wrong / n, low, high)
    rows = zip(*(map(float, column) for column in columns), strict=True)
    return [Point(least=row[0], coverage=row[1], error=row[2], low=row[3], high=row[4]) for row in rows]


def reliability(probabilities: Sequence[float], right: Sequence[bool], bins: int = BINS) -> list[Bin]:
    """Bins of equal mass, least P(right) first; cases of equal probability share their mean outcome."""
    said, came, sizes = _binned(probabilities, right, bins)
    rows = zip(map(float, said), map(float, came), map(float, sizes), strict=True)
    return [Bin(predicted=p, observed=good, n=n) for p, good, n in rows]


def ece(probabilities: Sequence[float], right: Sequence[bool], bins: int = BINS) -> float:
    """Expected calibration error, plug-in, over bins of equal mass (Nixon et al. 2019).

    It is not 0 for exact probabilities: read it beside ``ece_null``, or take ``ece_debiased``.
    """
    said, came, sizes = _binned(probabilities, right, bins)
    return float((abs(said - came) * sizes).sum() / sizes.sum())


def ece_debiased(probabilities: Sequence[float], right: Sequence[bool], bins: int = BINS) -> float:
    """The plug-in ECE less its bias, at least 0 (Kumar, Liang and Ma 2019, section 4 and appendix: debiased for l1).

    The bias of a bin is how far |gap| lies above it in expectation where the observed share is normal around the
    truth with variance share (1 - share) / n. One such correction leaves about 0.6 of what chance gives exact
    probabilities, and little where they are off.
    """
    np = needed("numpy")
    erf = needed("scipy.special").erf
    said, came, sizes = _binned(probabilities, right, bins)
    gap, spread = abs(said - came), np.sqrt(came * (1 - came) / sizes)
    safe = np.where(spread > 0, spread, 1.0)
    folded = safe * math.sqrt(2 / math.pi) * np.exp(-(gap**2) / (2 * safe**2)) + gap * erf(gap / safe / math.sqrt(2))
    expected = np.where(spread > 0, folded, gap)
    return max(0.0, float(((2 * gap - expected) * sizes).sum() / sizes.sum()))


def ece_null(probabilities: Sequence[float], *, seed: int, rounds: int = 200, bins: int = BINS) -> float:
    """The mean plug-in ECE if the probabilities were exactly right: what chance alone gives at this n."""
    np = needed("numpy")
    values, _ = checked(probabilities, [True] * len(probabilities), probability=True)
    rng = np.random.default_rng(seed)
    cut = _Cut.of(values, bins)
    outcomes = rng.random((rounds, len(values))) < cut.ordered
    gaps = abs(cut.mean(cut.ordered[None, :]) - cut.mean(cut.shared(outcomes)))
    return float((gaps * cut.sizes).sum(axis=1).mean() / len(values))


def checked(scores: Sequence[float], right: Sequence[bool], *, probability: bool = False) -> tuple[Any, Any]:
    """The scores and the truth as arrays.

    Raises:
        ValueError: a score is not finite (or no probability), there are no cases, or the lengths differ.
    """
    np = needed("numpy")
    values, truth = np.asarray(scores, dtype=float), np.asarray(right)
    if values.ndim != 1 or values.shape != truth.shape or not len(values):
        raise ValueError(f"{values.shape} scores and {truth.shape} truths: give one of each a case, at least one")
    if truth.dtype != bool:
        raise ValueError("a truth is neither True nor False: leave cases out that nobody has judged")
    if not np.isfinite(values).all():
        raise ValueError("a score is not finite: leave out what was not measured, it is no evidence")
    if probability and not ((values >= 0) & (values <= 1)).all():
        raise ValueError("a probability lies outside of 0 to 1")
    return values, truth


@dataclass(frozen=True, kw_only=True)
class Blocks:
    """Cases by distinct score, highest first: each case's block, and how many of a block are wrong and right."""

    scores: Any
    block: Any
    truth: Any
    wrong: Any
    right: Any

    @classmethod
    def of(cls, values: Any, truth: Any) -> Blocks:
        """The blocks of these scores."""
        np = needed("numpy")
        scores, block = np.unique(-values, return_inverse=True)
        size = len(scores)
        return cls(
            scores=-scores,
            block=block,
            truth=truth,
            wrong=np.bincount(block[~truth], minlength=size),
            right=np.bincount(block[truth], minlength=size),
        )

    def counted(self, counts: Any) -> tuple[Any, Any]:
        """Wrong and right cases by block, where row r takes case i ``counts[r, i]`` times."""
        np = needed("numpy")
        order = np.argsort(self.block, kind="stable")
        starts = np.searchsorted(self.block[order], np.arange(len(self.scores)))
        wrong, right = counts * ~self.truth, counts * self.truth
        return np.add.reduceat(wrong[:, order], starts, axis=1), np.add.reduceat(right[:, order], starts, axis=1)


def auroc_of_counts(blocks: Blocks, counts: Any) -> Any:
    """AUROC of each row of counts; NaN where it has one kind only."""
    np = needed("numpy")
    wrong, right = blocks.counted(counts)
    above = np.cumsum(right, axis=1) - right / 2
    pairs = wrong.sum(axis=1) * right.sum(axis=1)
    return np.where(pairs > 0, (wrong * above).sum(axis=1), np.nan) / np.where(pairs > 0, pairs, 1)


def aurc_of_counts(blocks: Blocks, counts: Any) -> Any:
    """AURC of each row of counts (whole numbers).

    Within a block of t cases, w of each wrong in expectation, after n cases with e errors, the errors of the k best
    add up to t w + (e - n w) (H(n + t) - H(n)), with the harmonic numbers H.
    """
    np = needed("numpy")
    wrong, right = blocks.counted(counts)
    n = wrong + right
    before, errors = np.cumsum(n, axis=1) - n, np.cumsum(wrong, axis=1) - wrong
    share = wrong / np.where(n > 0, n, 1)
    harmonic = _harmonic(before + n) - _harmonic(before)
    return (wrong + (errors - before * share) * harmonic).sum(axis=1) / n.sum(axis=1)


def least_aurc_of_counts(blocks: Blocks, counts: Any) -> Any:
    """The AURC of a score that puts every right case first, for each row of counts."""
    wrong, right = (part.sum(axis=1) for part in blocks.counted(counts))
    return (wrong - right * (_harmonic(wrong + right) - _harmonic(right))) / (wrong + right)


def _harmonic(n: Any) -> Any:
    np = needed("numpy")
    whole = np.rint(n).astype(int)
    table = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, whole.max() + 2))])
    return table[whole]


@dataclass(frozen=True, kw_only=True)
class _Cut:
    """Probabilities in order, where ties of them start, and where the bins of equal mass do."""

    order: Any
    ordered: Any
    ties: Any
    starts: Any
    sizes: Any

    @classmethod
    def of(cls, values: Any, bins: int) -> _Cut:
        np = needed("numpy")
        order = np.argsort(values, kind="stable")
        ordered = values[order]
        edges = np.unique(np.rint(np.arange(bins + 1) * len(values) / bins).astype(int))
        return cls(
            order=order,
            ordered=ordered,
            ties=np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]])),
            starts=edges[:-1],
            sizes=np.diff(edges).astype(float),
        )

    def shared(self, outcomes: Any) -> Any:
        """Each row of outcomes (in this order), every one as the mean of those of its probability."""
        np = needed("numpy")
        sizes = np.diff([*self.ties, outcomes.shape[1]])
        return np.repeat(np.add.reduceat(outcomes.astype(float), self.ties, axis=1) / sizes, sizes, axis=1)

    def mean(self, rows: Any) -> Any:
        """The mean of each row in each bin."""
        np = needed("numpy")
        return np.add.reduceat(rows, self.starts, axis=1) / self.sizes


def _binned(probabilities: Sequence[float], right: Sequence[bool], bins: int) -> tuple[Any, Any, Any]:
    """By bin: the mean probability, the mean outcome, and the number of cases."""
    values, truth = checked(probabilities, right, probability=True)
    cut = _Cut.of(values, bins)
    outcomes = cut.shared(truth[cut.order][None, :])
    return cut.mean(cut.ordered[None, :])[0], cut.mean(outcomes)[0], cut.sizes
