"""The stages of a tier: what is measured in which order, and when that is enough."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Op(StrEnum):
    """How a signal is compared with a number."""

    GE = "ge"
    GT = "gt"
    LE = "le"
    LT = "lt"


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A signal beside a number. A missing signal fulfils no condition."""

    signal: str
    op: Op
    value: float

    def __str__(self) -> str:
        return f"{self.signal} {self.op} {self.value:.9g}"

    def holds(self, value: float) -> bool:
        """Whether it holds for that value."""
        match self.op:
            case Op.GE:
                return value >= self.value
            case Op.GT:
                return value > self.value
            case Op.LE:
                return value <= self.value
            case Op.LT:
                return value < self.value


@dataclass(frozen=True, kw_only=True)
class Stage:
    """One stage: up to ``samples`` samples in all, the ``signals`` paid for here, and what they decide.

    The call is in doubt (planned again or reviewed) where a condition of ``doubt`` holds. Where none can hold, it is
    executed if every condition of ``execute`` holds (never, where there is none). Otherwise the next stage follows.
    After the last stage a call that is not executed is in doubt.
    """

    samples: int = 0
    signals: tuple[str, ...] = ()
    execute: tuple[Condition, ...] = ()
    doubt: tuple[Condition, ...] = ()

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """All conditions."""
        return (*self.execute, *self.doubt)

    @property
    def named(self) -> tuple[str, ...]:
        """Every signal that has to be measured here, each once."""
        return tuple(dict.fromkeys((*self.signals, *(condition.signal for condition in self.conditions))))


class StoppingRule(StrEnum):
    """When drawing stops before all N samples are there."""

    NONE = "none"
    """Never: all N are drawn."""
    LOSSLESS = "lossless"
    """When the rest cannot change the route."""
    BAYESIAN = "bayesian"
    """When the rest would change the route with at most a stated probability."""


@dataclass(frozen=True, kw_only=True)
class Stopping:
    """``error`` is the probability, for the Bayesian rule, with which a stopped call may go another route than all
    N samples would have sent it; ``prior`` are the pseudo-counts of a sample that agrees and of one that does not.
    """

    rule: StoppingRule = StoppingRule.LOSSLESS
    error: float = 0.0
    prior: tuple[float, float] = (1.0, 1.0)


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Most that may be spent; None: no limit. ``money`` is in the currency of the price table."""

    tokens: int | None = None
    seconds: float | None = None
    money: float | None = None

    @property
    def any(self) -> bool:
        """Whether there is a limit at all."""
        return not (self.tokens is None and self.seconds is None and self.money is None)


@dataclass(frozen=True, kw_only=True)
class Price:
    """Money for a million prompt and a million completion tokens."""

    prompt: float
    completion: float


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the guard may spend on a step, on a thread, and on all threads since midnight UTC.

    ``prices`` go from model name to price; ``*`` is every other model's.
    """

    step: Limits = field(default_factory=Limits)
    thread: Limits = field(default_factory=Limits)
    day: Limits = field(default_factory=Limits)
    prices: dict[str, Price] = field(default_factory=dict)

    def price(self, model: str) -> Price | None:
        """What that model costs; None where no price is known."""
        return self.prices.get(model, self.prices.get("*"))

    @property
    def any(self) -> bool:
        """Whether anything is limited."""
        return self.step.any or self.thread.any or self.day.any
