"""Every signal on one scale: doubt, from 0 (as safe as it gets) to 1.

The natural scale of each is a share: log-probabilities become probabilities, an entropy of h nats 1 - exp(-h),
shares stay. Nothing is learned for those, so that a coefficient means the same in every fit, no outlier pulls, and
parts of the data that are fitted apart give numbers that can be compared.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

from guardrail.types import Safer, SignalInfo


class Scale(StrEnum):
    """How a value becomes a share, never less for a greater value."""

    LINEAR = "linear"
    """Its place between two bounds: (value - origin) / unit."""
    BELOW = "below"
    """exp((value - origin) / unit) for values below their bound: log-probabilities."""
    ABOVE = "above"
    """1 - exp(-(value - origin) / unit) for values above their bound: entropies."""
    LOGISTIC = "logistic"
    """1 / (1 + exp(-(value - origin) / unit)) for values without bounds."""


@dataclass(frozen=True, kw_only=True)
class Doubt:
    """Turns values of one signal into doubt; never less doubt for a less safe value.

    Raises:
        ValueError: ``origin`` is not finite, or ``unit`` is not above 0.
    """

    safer: Safer
    scale: Scale
    origin: float
    unit: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.origin) and math.isfinite(self.unit) and self.unit > 0):
            raise ValueError(f"a scale from {self.origin} in steps of {self.unit} is none")

    def of(self, value: float) -> float:
        """Doubt at that value, in [0, 1].

        Raises:
            ValueError: the value is not finite.
        """
        if not math.isfinite(value):
            raise ValueError(f"a signal is {value}: a number that is not finite is no evidence")
        place = (value - self.origin) / self.unit
        match self.scale:
            case Scale.LINEAR:
                share = min(max(place, 0.0), 1.0)
            case Scale.BELOW:
                share = math.exp(min(place, 0.0))
            case Scale.ABOVE:
                share = -math.expm1(-max(place, 0.0))
            case Scale.LOGISTIC:
                share = (
                    1 / (1 + math.exp(-place)) if place >= 0 else math.exp(max(place, -700.0)) / (1 + math.exp(place))
                )
        return 1.0 - share if self.safer is Safer.HIGH else share


def doubt_for(info: SignalInfo, middle: float = 0.0, width: float = 1.0) -> Doubt:
    """The scale of a signal by its bounds; ``middle`` and ``width`` of values seen where bounds do not give it."""
    low, high = math.isfinite(info.low), math.isfinite(info.high)
    unit = 1.0 if info.unit == "nats" else width
    if low and high and info.high > info.low:
        return Doubt(safer=info.safer, scale=Scale.LINEAR, origin=info.low, unit=info.high - info.low)
    if high:
        return Doubt(safer=info.safer, scale=Scale.BELOW, origin=info.high, unit=unit)
    if low:
        return Doubt(safer=info.safer, scale=Scale.ABOVE, origin=info.low, unit=unit)
    return Doubt(safer=info.safer, scale=Scale.LOGISTIC, origin=middle, unit=width)


def logistic(log_odds: float) -> float:
    """The probability at these log-odds; never less for more of them."""
    return 1 / (1 + math.exp(-max(log_odds, -700.0)))
