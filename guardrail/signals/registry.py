"""The signals that can be measured: those of this package, of other packages, and of the caller."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from guardrail import catalogue
from guardrail.errors import ConfigError
from guardrail.signals.built_in import BUILT_IN
from guardrail.signals.evidence import Evidence
from guardrail.signals.protocol import Asking, Measure
from guardrail.types import Need, PlanningStep, Question, Signal, SignalInfo

_ROUNDING = 1e-9


class Registry:
    """Finds signals by name, says what they need, and measures them.

    ``own`` come before those of the package of the same name: so a prompt is replaced, or a signal added
    without an entry point.

    Raises:
        ConfigError: one of ``own`` has no ``info`` or no ``measure``, or two have one name.
    """

    def __init__(self, own: Iterable[Measure] = ()) -> None:
        self._own: dict[str, Measure] = {}
        for measure in own:
            info = getattr(measure, "info", None)
            if not isinstance(info, SignalInfo) or not callable(getattr(measure, "measure", None)):
                raise ConfigError(f"{measure!r} is no signal: it needs an 'info' (SignalInfo) and measure(evidence)")
            if info.name in self._own:
                raise ConfigError(f"two signals are named {info.name!r}")
            self._own[info.name] = measure

    def get(self, name: str) -> Measure:
        """The signal of that name.

        Raises:
            ConfigError: there is none, or it cannot be loaded.
        """
        found = self._own.get(name) or BUILT_IN.get(name)
        if found is not None:
            return found
        if catalogue.info(name) is None or name == catalogue.RISK.name:
            raise ConfigError(f"unknown signal {name!r}; there are: {', '.join(self.names)}")
        plugin: Measure = catalogue.plugin(name)
        return plugin

    @property
    def names(self) -> tuple[str, ...]:
        """Every signal that can be measured."""
        known = catalogue.names()
        return (*known, *(name for name in self._own if name not in known))

    def needs(self, names: Iterable[str]) -> frozenset[Need]:
        """Everything that these signals need."""
        return frozenset().union(*(self.get(name).info.needs for name in names))

    def questions(self, name: str, step: PlanningStep, index: int) -> tuple[Question, ...]:
        """What a signal asks about a call; nothing where it asks nothing."""
        found = self.get(name)
        return found.questions(step, index) if isinstance(found, Asking) else ()

    def measure(self, names: Sequence[str], evidence: Evidence) -> tuple[Signal, ...]:
        """The signals, in the order of ``names``. One that fails is missing: no failure passes for a number."""
        return tuple(self._measure(self.get(name), evidence) for name in names)

    def _measure(self, measure: Measure, evidence: Evidence) -> Signal:
        info = measure.info
        try:
            signal = measure.measure(evidence)
        except Exception as error:  # noqa: BLE001 - a signal of somebody else may raise anything
            return Signal(name=info.name, unit=info.unit, missing=f"it could not be measured: {type(error).__name__}")
        if not isinstance(signal, Signal):
            return Signal(name=info.name, unit=info.unit, missing="it could not be measured: no signal came back")
        value = signal.value
        if value is not None and not info.low - _ROUNDING <= value <= info.high + _ROUNDING:
            return Signal(name=info.name, unit=info.unit, missing=f"it was measured as {value}, out of range")
        kept = None if value is None else min(max(value, info.low), info.high)
        return signal if (signal.name, value) == (info.name, kept) else replace(signal, name=info.name, value=kept)
