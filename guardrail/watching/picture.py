"""The values of a status: what is promised, what happened lately, and what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from guardrail.calibration.drift import Drift
from guardrail.types import Alarm, Threshold, Tier
from guardrail.types.forms import type_config


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """Audits of a tier, or of one tool of it, since its promise was made: the e-value beside its limit.

    ``rate`` estimates the share of wrong calls among those that ran, each weighed by the inverse of its probability;
    ``low`` to ``high`` is its 95 % interval (Clopper-Pearson, for this one look). None before the first answer.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tool: str = ""
    audits: int = 0
    wrong: int = 0
    e_value: float = 1.0
    limit: float
    alarm: bool = False
    rate: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, kw_only=True)
class TierStatus:
    """One tier. ``executed``, ``retried`` and ``reviewed`` count its calls lately, ``promised`` of the executed ran
    on the promise; ``uncalibrated`` says why others were not calibrated, with how many.

    ``drawn`` of the calls that ran lately were chosen for an audit, ``answered`` of them are judged;
    ``oldest_unanswered`` is when the first of the others ran. ``drift`` is None where too few scores can be compared.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tier: Tier
    alpha: float | None = None
    delta: float | None = None
    thresholds: tuple[Threshold, ...] = ()
    executed: int = 0
    retried: int = 0
    reviewed: int = 0
    promised: int = 0
    uncalibrated: dict[str, int] = field(default_factory=dict)
    drawn: int = 0
    answered: int = 0
    oldest_unanswered: str = ""
    evidence: Evidence | None = None
    tools: tuple[Evidence, ...] = ()
    drift: Drift | None = None


@dataclass(frozen=True, kw_only=True)
class ReviewLoad:
    """Reviews that wait, how long they have (seconds), and how many calls a day were sent to review lately."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    waiting: int = 0
    longest: float = 0.0
    median: float = 0.0
    per_day: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Status:
    """All of it. ``days`` is how far back "lately" reaches, in days; where ``cut``, fewer records were read than that.

    ``calibration`` is its digest, empty where there is none. ``advice`` is what to do next, the most urgent first.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    at: str
    days: float
    calibration: str = ""
    adopted_by: str = ""
    records: int = 0
    cut: bool = False
    tiers: tuple[TierStatus, ...] = ()
    reviews: ReviewLoad
    alarms: tuple[Alarm, ...] = ()
    advice: tuple[str, ...] = ()
