"""A signal: one number about one planned call, and what it takes. One file each."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from guardrail.signals.evidence import Evidence
from guardrail.types import PlanningStep, Question, Signal, SignalInfo


class Measure(Protocol):
    """Measures one signal.

    ``measure`` does no I/O and raises nothing on purpose: what cannot be measured is a ``Signal`` with ``missing`` and
    the reason. It may read only what ``info.needs`` names.
    """

    @property
    def info(self) -> SignalInfo: ...

    def measure(self, evidence: Evidence) -> Signal: ...


@runtime_checkable
class Asking(Measure, Protocol):
    """A signal that asks the model something; its needs include ``Need.QUESTION``."""

    def questions(self, step: PlanningStep, index: int) -> tuple[Question, ...]:
        """What to ask about ``step.planned.calls[index]``; the replies come back in this order."""
