"""What is asked of a calibration, in one value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from guardrail.types import Attempts


class Unit(StrEnum):
    """What the labels count by."""

    CALL = "call"
    TASK = "task"
    """One call a task, drawn at random: calls of one task depend on each other."""


class Cuts(StrEnum):
    """Where thresholds are tried."""

    LABELS = "labels"
    """At the labelled calls' own risks: it takes that more risk never means fewer errors."""
    TRAFFIC = "traffic"
    """At risks that were fixed beforehand, of calls without labels: it takes nothing of the risk."""


class Retries(StrEnum):
    """How a policy's retries are calibrated."""

    STRATA = "strata"
    """One threshold for first attempts and one for retried ones."""
    LOOP = "loop"
    """One for the calls that finally ran."""
    ALL = "all"
    """One for all calls: the policy retries none."""


STRATA: Final[Mapping[Retries, tuple[Attempts, ...]]] = MappingProxyType(
    {
        Retries.STRATA: (Attempts.FIRST, Attempts.RETRIED),
        Retries.LOOP: (Attempts.ALL,),
        Retries.ALL: (Attempts.ALL,),
    }
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What is promised of a tier, and how it is tested.

    ``spend`` is what this look may spend of ``delta``. ``traffic`` are risks of unlabelled calls, from which cuts are
    taken; None: the labelled calls' own are tried. Labels were drawn only below ``floor``; None: at any risk.
    """

    alpha: float
    delta: float
    spend: float
    unit: Unit = Unit.CALL
    retries: Retries = Retries.STRATA
    seed: int = 0
    vetoes: bool = True
    floor: float | None = None
    traffic: Any = None
