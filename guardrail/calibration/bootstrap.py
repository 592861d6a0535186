"""Intervals by resampling groups of cases: of a measure, and of the difference of two on the same cases.

Cases of one group (a function, a task, a thread) are not independent, so whole groups are drawn (Field and Welsh
2007). Two scores are compared on the same draws, so that what makes a draw hard is hard for both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from guardrail.calibration import metrics
from guardrail.calibration.libraries import needed

ROUNDS: Final = 1000
ECE: Final = "ece"
_LOOPED: Final = 200
"""Draws of the measure that has to be taken one by one."""


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A value and its 95 % percentile interval over the draws."""

    value: float
    low: float
    high: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the whole interval lies on one side of 0."""
        return self.low > 0 or self.high < 0


@dataclass(frozen=True, kw_only=True)
class Scores:
    """One score a case (higher: more likely right) and, where there is one, its P(right)."""

    scores: Sequence[float]
    probabilities: Sequence[float] | None = None


class Resamples:
    """``rounds`` draws of whole groups with replacement, the same for everything measured on these cases.

    Raises:
        ValueError: there are no cases, or not one group a case.
    """

    def __init__(self, groups: Sequence[str], right: Sequence[bool], *, seed: int, rounds: int = ROUNDS) -> None:
        np = needed("numpy")
        if not len(groups) or len(groups) != len(right):
            raise ValueError(f"{len(groups)} groups and {len(right)} truths: give one of each a case, at least one")
        self.right = np.asarray(right, dtype=bool)
        names, group = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
        rng = np.random.default_rng(seed)
        drawn = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=rounds)
        # the first row is the cases themselves, so that value and draws come from one formula
        self.counts = np.vstack([np.ones(len(group)), drawn[:, group]]).astype(float)

    def draws(self, measure: str, given: Scores) -> Any:
        """The measure on the cases themselves, and then on each draw; NaN where it is not defined.

        It is not where there is one kind of case only, and for a measure of probabilities where none are given.

        Raises:
            ValueError: there is no such measure, or a score is not finite.
        """
        np = needed("numpy")
        if measure not in MEASURES:
            raise ValueError(f"there is no measure {measure!r}; there are: {', '.join(MEASURES)}")
        if measure in _OF_SCORES:
            values, truth = metrics.checked(given.scores, self.right)
            return _OF_SCORES[measure](metrics.Blocks.of(values, truth), self.counts)
        if given.probabilities is None:
            return np.full(len(self.counts), np.nan)
        values, truth = metrics.checked(given.probabilities, self.right, probability=True)
        if measure == ECE:
            return np.array([_ece(values, truth, row) for row in self.counts[: _LOOPED + 1]])
        losses = _OF_PROBABILITIES[measure](values, truth)
        return self.counts @ losses / self.counts.sum(axis=1)

    def of(self, draws: Any) -> Interval | None:
        """The interval of what ``draws`` gave, or of a difference of two; None where it is not defined."""
        np = needed("numpy")
        value, rest = draws[0], draws[1:][np.isfinite(draws[1:])]
        if not np.isfinite(value) or not len(rest):
            return None
        low, high = np.quantile(rest, [0.025, 0.975])
        return Interval(value=float(value), low=float(low), high=float(high))

    def interval(self, measure: str, given: Scores) -> Interval | None:
        """The measure and its interval; None where it is not defined on these cases."""
        return self.of(self.draws(measure, given))

    def difference(self, measure: str, one: Scores, other: Scores) -> Interval | None:
        """The measure of ``one`` less that of ``other``, and its paired interval."""
        return self.of(self.draws(measure, one) - self.draws(measure, other))


def _ece(values: Any, truth: Any, counts: Any) -> float:
    np = needed("numpy")
    taken = np.repeat(np.arange(len(values)), counts.astype(int))
    return metrics.ece(values[taken], truth[taken])


def _excess(blocks: metrics.Blocks, counts: Any) -> Any:
    return metrics.aurc_of_counts(blocks, counts) - metrics.least_aurc_of_counts(blocks, counts)


def _squared(values: Any, truth: Any) -> Any:
    return (values - truth) ** 2


def _log(values: Any, truth: Any) -> Any:
    np = needed("numpy")
    least = np.finfo(float).eps
    return -np.log(np.clip(np.where(truth, values, 1 - values), least, 1.0))


_OF_SCORES: Final[Mapping[str, Callable[[metrics.Blocks, Any], Any]]] = MappingProxyType(
    {"auroc": metrics.auroc_of_counts, "aurc": metrics.aurc_of_counts, "excess_aurc": _excess}
)
_OF_PROBABILITIES: Final[Mapping[str, Callable[[Any, Any], Any]]] = MappingProxyType(
    {"brier": _squared, "log_loss": _log}
)
MEASURES: Final = (*_OF_SCORES, *_OF_PROBABILITIES, ECE)
BETTER_HIGH: Final = frozenset({"auroc"})
"""Measures of which more is better; of the others less is."""
