"""Whether the risk that was predicted came true: calls of about equal risk, and the share of them that was wrong."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from guardrail.calibration.labelled import Draws, chance_of, judged_calls
from guardrail.types import LabelSource, Record, Route, Verdict
from guardrail.types.forms import type_config
from guardrail.watching.estimates import Judged, estimate

BINS: Final = 10


@dataclass(frozen=True, kw_only=True)
class ReliabilityBin:
    """``n`` judged calls of about equal predicted risk (their mean), the share of them that was wrong, each weighed by
    the inverse of its probability, and its 95 % interval (see ``Estimate``).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    predicted: float
    wrong: float
    low: float
    high: float
    n: int


@dataclass(frozen=True, kw_only=True)
class Reliability:
    """``predicted`` names the number: ``risk``, of the risk model, or ``disagreement``, the share of samples that plan
    something else, where no call has a risk. ``left_out`` judged calls are not among the bins: they have no such
    number, or nobody knows how likely it was that they would be judged.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    predicted: str
    bins: tuple[ReliabilityBin, ...] = ()
    left_out: int = 0

    @property
    def n(self) -> int:
        """How many calls the bins are made of."""
        return sum(one.n for one in self.bins)


@dataclass(frozen=True, kw_only=True)
class _Point:
    predicted: float
    judged: Judged


def reliability(records: Iterable[Record], draws: Draws, *, bins: int = BINS) -> Reliability:
    """The judged calls of these records, in bins of equally many; calls of the same risk stay in one.

    A call that a reviewer decided on counts with probability 1: all that are like it go to a reviewer.
    """
    risks: list[_Point] = []
    disagreements: list[_Point] = []
    judged = 0
    for record in records:
        for verdict, said in judged_calls(record):
            if not said:
                continue
            judged += 1
            chance = chance_of(record, verdict, draws, said).probability
            if verdict.route is Route.REVIEW and any(label.source is LabelSource.REVIEW for label in said):
                chance = chance or 1.0
            if chance is None:
                continue
            answer = Judged(probability=chance, wrong=any(not label.correct for label in said))
            risk, agreement = _measured(verdict, "risk"), _measured(verdict, "agreement")
            if risk is not None:
                risks.append(_Point(predicted=risk, judged=answer))
            if agreement is not None:
                disagreements.append(_Point(predicted=1 - agreement, judged=answer))
    points = risks or disagreements
    return Reliability(
        predicted="risk" if risks else "disagreement", bins=_binned(points, bins), left_out=judged - len(points)
    )


def _binned(points: Sequence[_Point], bins: int) -> tuple[ReliabilityBin, ...]:
    ordered = sorted(points, key=lambda one: one.predicted)
    ends = {_same_until(ordered, round(number * len(ordered) / bins)) for number in range(1, bins + 1)}
    found, start = [], 0
    for end in sorted(ends - {0}):
        found.append(_bin(ordered[start:end]))
        start = end
    return tuple(found)


def _same_until(ordered: Sequence[_Point], end: int) -> int:
    while 0 < end < len(ordered) and ordered[end].predicted == ordered[end - 1].predicted:
        end += 1
    return end


def _bin(points: Sequence[_Point]) -> ReliabilityBin:
    found = estimate(one.judged for one in points)
    assert found.rate is not None
    assert found.low is not None
    assert found.high is not None
    weights = [1 / one.judged.probability for one in points]
    mean = sum(weight * one.predicted for weight, one in zip(weights, points, strict=True)) / sum(weights)
    return ReliabilityBin(predicted=mean, wrong=found.rate, low=found.low, high=found.high, n=len(points))


def _measured(verdict: Verdict, name: str) -> float | None:
    """A signal as it stood when the call was decided; None where samples were open."""
    found = next((one for one in verdict.scored or verdict.signals if one.name == name), None)
    return found.value if found is not None and found.bounds is None else None
