"""One risk from several signals: P(the call is wrong), by a logistic model that is monotone in each of them.

    log-odds of wrong = intercept + sum over signals of coefficient x doubt + what missing signals add

``Doubt`` puts each signal on a scale from 0 to 1, and no coefficient is below 0: risk never falls when a signal gets
worse. So the bounds of what is not known yet give bounds of the risk. Using a model takes the standard library alone;
``guardrail.calibration.fit_risk`` makes one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from guardrail import catalogue
from guardrail.calibration.model_file import read_model, write_model
from guardrail.calibration.scales import Doubt, logistic
from guardrail.codec import digest
from guardrail.types import Signal

RISK: Final = catalogue.RISK


@dataclass(frozen=True, kw_only=True)
class Input:
    """One signal of the model: ``coefficient`` is the log-odds from its safest to its most doubtful value.

    ``missing`` is the doubt it counts with where it is missing: the mean of the calls that had it.
    """

    name: str
    doubt: Doubt
    coefficient: float
    missing: float

    @property
    def sampled(self) -> bool:
        """Whether it takes samples; so does whatever is not known here."""
        info = catalogue.info(self.name)
        return info is None or info.sampled


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """Calls that lack exactly these signals: ``raises`` (log-odds, at least 0) is what that alone adds.

    ``n`` calls of that kind were learned from, ``errors`` of them wrong.
    """

    missing: frozenset[str]
    raises: float
    n: int
    errors: int


@dataclass(frozen=True, kw_only=True)
class RiskModel:
    """P(wrong) from the signals that are present.

    ``facts`` say what it was fitted on: n, errors, groups, folds, seed, penalty, fingerprint. A call that lacks other
    signals than any that was learned from has no risk: it is missing, never guessed.

    Raises:
        ValueError: a number is not finite or out of range, or a signal or pattern stands twice.
    """

    inputs: tuple[Input, ...]
    intercept: float
    patterns: tuple[Pattern, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        names = [one.name for one in self.inputs]
        if not names or len(set(names)) < len(names) or RISK.name in names:
            raise ValueError(f"a risk model needs signals, each once, and cannot use the risk itself: {names}")
        if not math.isfinite(self.intercept):
            raise ValueError(f"the intercept is {self.intercept}, which is not finite")
        for name, value, most in self._numbers():
            if not 0 <= value <= most or math.isinf(value):
                raise ValueError(f"{name} is {value}: it must be finite, at least 0 and at most {most}")
        known = [pattern.missing for pattern in self.patterns]
        if not known or len(set(known)) < len(known) or not all(one < set(names) for one in known):
            raise ValueError("every pattern of missing signals stands once, and leaves at least one signal")

    def _numbers(self) -> Iterator[tuple[str, float, float]]:
        for one in self.inputs:
            yield f"the coefficient of {one.name}", one.coefficient, math.inf
            yield f"the doubt of a missing {one.name}", one.missing, 1.0
        for pattern in self.patterns:
            yield "what missing signals add", pattern.raises, math.inf

    @property
    def signals(self) -> tuple[str, ...]:
        """The names of the signals it uses."""
        return tuple(one.name for one in self.inputs)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the model's file: two models of one digest give every call the same risk."""
        return digest(write_model(self))

    @classmethod
    def load(cls, path: Path | str) -> RiskModel:
        """The model of a file that ``save`` wrote.

        Raises:
            ConfigError: the file cannot be read, is no such model, or a signal of it is not installed here.
        """
        return read_model(Path(path))

    def save(self, path: Path | str) -> None:
        """Write it as JSON; the same model always gives the same bytes."""
        Path(path).write_text(write_model(self), encoding="utf-8", newline="\n")

    def of(self, values: Mapping[str, float]) -> float | None:
        """P(wrong) at these values by name; None where calls that lack the others were never learned from.

        Raises:
            ValueError: a value is not finite.
        """
        odds = self._log_odds([one.doubt.of(values[one.name]) if one.name in values else None for one in self.inputs])
        return None if odds is None else logistic(odds)

    def index(self, values: Mapping[str, float]) -> float | None:
        """The mean doubt, weighted by the coefficients, in the order of the risk but without intercept and slope.

        It is for comparing calls that were scored by models of different folds.
        """
        odds = self._log_odds([one.doubt.of(values[one.name]) if one.name in values else None for one in self.inputs])
        weight = math.fsum(one.coefficient for one in self.inputs)
        return None if odds is None or weight <= 0 else (odds - self.intercept) / weight

    def risk(self, signals: Sequence[Signal]) -> Signal:
        """P(wrong) of a call with these signals; those that the model does not use are passed over.

        ``bounds`` are over every completion of what is open: a signal with bounds lies anywhere between them. Where one
        has bounds, samples are open, and then a sampled signal without them may still come out as anything, or not at
        all.
        """
        given: dict[str, Signal] = {}
        for signal in signals:
            if given.setdefault(signal.name, signal) != signal:
                return _missing(f"the signal {signal.name} was given twice")
        known = [_Known.of(one, given.get(one.name)) for one in self.inputs]
        bounds = None
        if any(one.spanned for one in known):
            known = [one.opened() if one.input.sampled and not one.spanned else one for one in known]
            bounds = self._bounds(known)
        undecided = [one.input.name for one in known if one.undecided]
        if undecided:
            return _missing(f"{', '.join(undecided)} {'is' if len(undecided) == 1 else 'are'} not known yet", bounds)
        odds = self._log_odds([one.doubt for one in known])
        if odds is None:
            lacking = ", ".join(one.input.name for one in known if one.doubt is None)
            return _missing(f"calls that lack {lacking} were never learned from", bounds)
        value = logistic(odds)
        if bounds is not None:
            bounds = min(bounds[0], value), max(bounds[1], value)
        return Signal(name=RISK.name, unit=RISK.unit, value=value, bounds=bounds)

    def _log_odds(self, doubts: Sequence[float | None]) -> float | None:
        """At these doubts, input by input; None marks a missing one."""
        lacking = frozenset(one.name for one, doubt in zip(self.inputs, doubts, strict=True) if doubt is None)
        raises = next((pattern.raises for pattern in self.patterns if pattern.missing == lacking), None)
        if raises is None:
            return None
        terms = (
            one.coefficient * (one.missing if doubt is None else doubt)
            for one, doubt in zip(self.inputs, doubts, strict=True)
        )
        return math.fsum((self.intercept, raises, *terms))

    def _bounds(self, known: Sequence[_Known]) -> tuple[float, float] | None:
        """The least and the greatest risk over all completions; None where one of them may have none.

        What is decided by bounds has to be decided for good, and a completion of a kind that was not learned is open.
        """
        gone = frozenset(one.input.name for one in known if one.gone)
        maybe = frozenset(one.input.name for one in known if one.open)
        raises = [pattern.raises for pattern in self.patterns if gone <= pattern.missing <= gone | maybe]
        if len(raises) < 2 ** len(maybe):
            return None
        least = math.fsum((self.intercept, min(raises), *(one.input.coefficient * one.low for one in known)))
        most = math.fsum((self.intercept, max(raises), *(one.input.coefficient * one.high for one in known)))
        return logistic(least), logistic(most)


@dataclass(frozen=True, kw_only=True)
class _Known:
    """What is known of one input: its doubt, and between what it may still come out."""

    input: Input
    doubt: float | None
    low: float
    high: float
    spanned: bool = False
    open: bool = False

    @classmethod
    def of(cls, one: Input, signal: Signal | None) -> _Known:
        value = None if signal is None else signal.value
        doubt = None if value is None else one.doubt.of(value)
        if signal is None or signal.bounds is None:
            at = one.missing if doubt is None else doubt
            return cls(input=one, doubt=doubt, low=at, high=at)
        ends = [one.doubt.of(end) for end in signal.bounds] + ([] if doubt is None else [doubt])
        return cls(input=one, doubt=doubt, low=min(ends), high=max(ends), spanned=True)

    def opened(self) -> _Known:
        """The same where samples are open that it depends on: it may come out as anything."""
        return replace(self, low=0.0, high=1.0, open=True)

    @property
    def undecided(self) -> bool:
        """Whether it has no value, but may get one."""
        return self.doubt is None and (self.spanned or self.open)

    @property
    def gone(self) -> bool:
        """Whether it is missing for good."""
        return self.doubt is None and not self.spanned and not self.open


def _missing(reason: str, bounds: tuple[float, float] | None = None) -> Signal:
    return Signal(name=RISK.name, unit=RISK.unit, missing=reason, bounds=bounds)
