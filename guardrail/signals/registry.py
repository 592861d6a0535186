"""The signals that can be measured: those of this package, of other packages, and of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from guardrail import catalogue
from guardrail.errors import ConfigError
from guardrail.signals.built_in import BUILT_IN
from guardrail.signals.evidence import Evidence
from guardrail.signals.protocol import Asking, Measure
from guardrail.types import Need, PlanningStep, Question, Signal, SignalInfo

_ROUNDING: Final = 1e-9
_KIND: Final = ("unit", "safer", "low", "high", "self_reported")
"""What a policy, and a threshold in it, is written for."""


class Registry:
    """Finds signals by name, says what they need, and measures them.

    ``own`` come before those of the package of the same name: so a prompt is replaced, or something measured in
    another way. Those take the same numbers and need no more.

    Raises:
        ConfigError: one of ``own`` is no signal, is of another kind than the one it replaces, or two have one name.
    """

    def __init__(self, own: Iterable[Measure] = ()) -> None:
        self._own: dict[str, Measure] = {}
        for measure in own:
            why = catalogue.problem(measure)
            if why is not None:
                raise ConfigError(f"{measure!r} is no signal: {why}")
            name = measure.info.name
            if name in self._own:
                raise ConfigError(f"two signals are named {name!r}: give one of them another name")
            known = catalogue.info(name)
            if known is not None:
                _check_kind(measure.info, known)
            self._own[name] = measure

    def get(self, name: str) -> Measure:
        """The signal of that name.

        Raises:
            ConfigError: there is none, or it cannot be loaded.
        """
        for known in (self._own, BUILT_IN):
            if name in known:
                return known[name]
        if name == catalogue.RISK.name:
            raise ConfigError(f"{name!r} is computed by a risk model from other signals, and not measured")
        if name not in self.names:
            raise ConfigError(f"unknown signal {name!r}; there are: {', '.join(self.names)}")
        plugin: Measure = catalogue.plugin(name)
        return plugin

    @property
    def names(self) -> tuple[str, ...]:
        """Every signal that can be measured: this package's, those of others by name, and then the caller's."""
        known = catalogue.names()
        return (*known, *(name for name in self._own if name not in known))

    def needs(self, names: Iterable[str]) -> frozenset[Need]:
        """Everything that these signals need."""
        return frozenset().union(*(self.get(name).info.needs for name in names))

    def questions(self, name: str, step: PlanningStep, index: int) -> tuple[Question, ...]:
        """What a signal asks about a call; nothing where it needs no answer.

        Raises:
            TypeError: what it asks are no questions. Whatever else a signal of somebody else raises.
        """
        found = self.get(name)
        if Need.QUESTION not in found.info.needs or not isinstance(found, Asking):
            return ()
        asked = tuple(found.questions(step, index))
        if not all(isinstance(question, Question) for question in asked):
            raise TypeError(f"the signal {name!r} asks something that is no Question")
        return tuple(replace(question, signal=name, about=index) for question in asked)

    def measure(self, names: Sequence[str], evidence: Evidence) -> tuple[Signal, ...]:
        """The signals, in the order of ``names``. One that fails is missing: no failure passes for a number.

        A number out of the range that the signal declares, or out of its own bounds, is a failure.
        """
        return tuple(_measured(self.get(name), evidence) for name in names)


def _check_kind(own: SignalInfo, known: SignalInfo) -> None:
    differ = [field for field in _KIND if getattr(own, field) != getattr(known, field)]
    if not own.needs <= known.needs:
        differ.append("needs")
    if differ:
        raise ConfigError(
            f"the signal {own.name!r} replaces a known one and differs in {', '.join(differ)}, for which policies are "
            "written: give it another name"
        )


def _measured(measure: Measure, evidence: Evidence) -> Signal:
    info = measure.info
    try:
        signal = measure.measure(evidence)
        if not isinstance(signal, Signal):
            return _missing(info, "it could not be measured: no signal came back")
        return _checked(info, signal)
    except Exception as error:  # noqa: BLE001 - a signal of somebody else may raise anything, and be anything
        return _missing(info, f"it could not be measured: {type(error).__name__}")


def _checked(info: SignalInfo, signal: Signal) -> Signal:
    """The signal as plain numbers within its range."""
    value = None if signal.value is None else float(signal.value)
    bounds = None if signal.bounds is None else (float(signal.bounds[0]), float(signal.bounds[1]))
    for number in (value, *(bounds or ())):
        if number is not None and not info.low - _ROUNDING <= number <= info.high + _ROUNDING:
            return _missing(info, f"it was measured as {number:g}, and is from {info.low:g} to {info.high:g}")
    if value is not None and bounds is not None and not bounds[0] - _ROUNDING <= value <= bounds[1] + _ROUNDING:
        return _missing(info, f"it was measured as {value:g}, out of its own bounds {bounds[0]:g} to {bounds[1]:g}")
    return replace(
        signal,
        name=info.name,
        unit=info.unit,
        value=None if value is None else _within(info, value),
        bounds=None if bounds is None else (_within(info, bounds[0]), _within(info, bounds[1])),
    )


def _within(info: SignalInfo, number: float) -> float:
    return min(max(number, info.low), info.high)


def _missing(info: SignalInfo, why: str) -> Signal:
    return Signal(name=info.name, unit=info.unit, missing=why)
