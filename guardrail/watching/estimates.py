"""How often calls are wrong, as those tell that somebody judged. Nobody's silence is an answer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, ClassVar

from guardrail.calibration.binomial import interval
from guardrail.types.forms import type_config


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A call that came to be judged with a probability in (0, 1], known beforehand; ``wrong`` is None while nobody has
    judged it.
    """

    probability: float
    wrong: bool | None


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """The share of wrong calls among those that ``drawn`` stand for: ``wrong`` of ``answered`` were.

    ``rate`` weighs each call by the inverse of its probability (Hajek 1971), ``low`` to ``high`` is its 95 % interval:
    exact (Clopper-Pearson) where all probabilities are equal, and else that of as many calls as tell as much (Kish
    1965), rounded down. None where nobody has judged a call: it is not known.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    drawn: int = 0
    answered: int = 0
    wrong: int = 0
    rate: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def waiting(self) -> int:
        """Calls that were drawn and that nobody has judged."""
        return self.drawn - self.answered


def estimate(calls: Iterable[Judged]) -> Estimate:
    """What calls that were drawn tell of those that they stand for."""
    drawn = tuple(calls)
    answered = [one for one in drawn if one.wrong is not None]
    wrong = [one for one in answered if one.wrong]
    if not answered:
        return Estimate(drawn=len(drawn))
    weight = sum(1 / one.probability for one in answered)
    rate = sum(1 / one.probability for one in wrong) / weight
    low, high = bounds(rate, weight**2 / sum(1 / one.probability**2 for one in answered))
    return Estimate(drawn=len(drawn), answered=len(answered), wrong=len(wrong), rate=rate, low=low, high=high)


def bounds(rate: float, n: float) -> tuple[float, float]:
    """The 95 % interval of a rate that as much is known of as n equally likely calls tell."""
    count = max(1, int(n + 1e-9))
    return interval(min(count, round(rate * count)), count)
