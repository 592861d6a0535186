"""A test of a promise that may be looked at after every audit: an e-process against "at most alpha are wrong".

A gambler starts with 1 and bets on wrong calls at odds that are fair where exactly alpha of them are wrong. As long as
the promise holds, what she has is a supermartingale, so that it ever reaches 1 / delta has a probability of at most
delta (Ville 1939), however often anybody looks. Bets are those of Waudby-Smith and Ramdas, Estimating means of bounded
random variables by betting (JRSS B 2024, section 4): a wealth of ``1 + lambda * (wrong - alpha)`` a call, here a fixed
mixture of lambdas. With fixed ones the wealth does not depend on the order of the answers, so that an answer which is
taken back can be exchanged exactly; the mixture is quick at twice to ten times alpha.

Two things keep the bets fair for calls that are not alike:

- **Unequal probabilities.** A call that was judged with probability p is bet on with a stake proportional to 1 / p, the
  same on average for every call that ran. Thinning to the least p does the same, and throws answers away.
- **Calls of one step** depend on each other. They share one bet: their terms are added, not multiplied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final

from guardrail.types.forms import type_config

RATES: Final = (1.3, 1.6, 2.0, 2.5, 3.2, 5.0, 10.0)
"""Each bet grows fastest where so many times alpha are wrong."""
SHARES: Final = (0.05, 0.15, 0.30, 0.20, 0.20, 0.07, 0.03)
"""What of the first 1 each bet gets."""
MOST: Final = 3.0
"""The greatest stake that the calls of one step may have together, where a single call usually has 1."""
_LOSS: Final = 0.25
"""At most this share of a bet's wealth is lost by one right call at stake 1, so that ``MOST`` leaves some of it."""
_LARGEST: Final = 700.0
"""e to this power is still a number."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """Whether a call was wrong, and what was staked on it (the same for every call that ran, on average)."""

    wrong: bool
    stake: float = 1.0


@dataclass(frozen=True, kw_only=True)
class EProcess:
    """The evidence so far that more than ``alpha`` of the calls are wrong; ``EProcess.start`` makes a new one.

    ``logs`` are the natural logarithms of what each bet has made of 1. ``n`` calls were judged, ``wrong`` of them were.
    ``peak`` is the greatest logarithm of the wealth that was ever reached: an alarm does not go away by itself.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    alpha: float
    delta: float
    logs: tuple[float, ...]
    n: int = 0
    wrong: int = 0
    peak: float = 0.0

    def __post_init__(self) -> None:
        for name, value in (("alpha", self.alpha), ("delta", self.delta)):
            if not 0 < value < 1:
                raise ValueError(f"{name} is {value}: it must lie between 0 and 1")
        if len(self.logs) != len(RATES) or not all(map(math.isfinite, (*self.logs, self.peak))):
            raise ValueError(f"the wealth must be {len(RATES)} finite numbers")
        if not 0 <= self.wrong <= self.n:
            raise ValueError(f"{self.wrong} of {self.n} calls cannot be wrong")

    @classmethod
    def start(cls, *, alpha: float, delta: float) -> EProcess:
        """No evidence yet.

        Raises:
            ValueError: alpha or delta lies outside (0, 1).
        """
        return cls(alpha=alpha, delta=delta, logs=(0.0,) * len(RATES))

    @property
    def log_wealth(self) -> float:
        """The natural logarithm of the e-value."""
        top = max(self.logs)
        return top + math.log(
            sum(share * math.exp(one - top) for share, one in zip(SHARES, self.logs, strict=True)) / sum(SHARES)
        )

    @property
    def e_value(self) -> float:
        """The wealth: how many times the first 1. Cut off where it would no longer be a number."""
        return math.exp(min(self.log_wealth, _LARGEST))

    @property
    def highest(self) -> float:
        """The greatest e-value that was ever reached."""
        return math.exp(min(self.peak, _LARGEST))

    @property
    def limit(self) -> float:
        """The wealth that raises the alarm, 1 / delta."""
        return 1 / self.delta

    @property
    def alarm(self) -> bool:
        """Whether the wealth has ever reached the limit."""
        return self.peak >= -math.log(self.delta)

    def update(self, wrong: bool, *, stake: float = 1.0) -> EProcess:
        """The evidence after one more call of its own step.

        Raises:
            ValueError: the stake does not lie in (0, ``MOST``].
        """
        return self.exchange((), (Answer(wrong=wrong, stake=stake),))

    def exchange(self, before: Sequence[Answer], after: Sequence[Answer]) -> EProcess:
        """The evidence where the answers on the calls of one step were ``before`` and are ``after`` now.

        Raises:
            ValueError: a stake does not lie in (0, ``MOST``], or those of one step are more than that together.
        """
        changed = tuple(
            one + self._gain(rate, after) - self._gain(rate, before) for one, rate in zip(self.logs, RATES, strict=True)
        )
        now = replace(
            self,
            logs=changed,
            n=self.n + len(after) - len(before),
            wrong=self.wrong + sum(one.wrong for one in after) - sum(one.wrong for one in before),
        )
        return replace(now, peak=max(self.peak, now.log_wealth))

    def _gain(self, rate: float, step: Sequence[Answer]) -> float:
        """The logarithm of what one bet makes of 1 with the calls of a step."""
        if not all(one.stake > 0 for one in step) or sum(one.stake for one in step) > MOST * (1 + 1e-9):
            raise ValueError(f"the stakes on the calls of a step must be above 0 and come to {MOST:g} at most")
        loss = min((rate - 1) * self.alpha / (1 - self.alpha), _LOSS)
        bet = loss / self.alpha
        return math.log1p(sum(one.stake * bet * (one.wrong - self.alpha) for one in step))
