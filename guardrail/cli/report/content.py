"""What a report says, as values: the page and the JSON are both made of them, so that neither says more."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from guardrail.calibration.costs import CostView
from guardrail.calibration.next_labels import Step
from guardrail.calibration.review_load import ReviewLoad
from guardrail.types import Alarm, Threshold, Tier, ToolEvidence
from guardrail.types.forms import type_config

REPORT_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class RiskPoint:
    """One threshold: the share of the calls below it, and the error among them with its exact 95 % interval."""

    execute_below: float
    coverage: float
    executed: int
    errors: int
    error: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Bin:
    """Calls of about equal risk: the mean risk, the share that was wrong, and how many there are."""

    risk: float
    wrong: float
    n: float


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How well a number tells wrong calls from right ones, and how near it is to what comes true."""

    name: str
    n: int
    auroc: float | None
    aurc: float
    excess_aurc: float
    brier: float | None = None
    log_loss: float | None = None
    ece: float | None = None
    ece_debiased: float | None = None
    ece_null: float | None = None
    bins: tuple[Bin, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Part:
    """One threshold of a tier with what was seen around it. ``says`` are plain sentences, the first the main one."""

    calls: str
    """Which calls it is for, in words."""
    threshold: Threshold
    promised: bool
    share: float | None = None
    """Of the tier's calls; the others are of another part, or of tools that always go to a human."""
    says: tuple[str, ...] = ()
    curve: tuple[RiskPoint, ...] = ()
    before: Quality | None = None
    after: Quality | None = None
    costs: CostView | None = None
    cost_says: tuple[str, ...] = ()
    next: tuple[Step, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TierPart:
    """One tier: what is promised of it in one sentence (``says``), and all that this rests on."""

    tier: Tier
    state: str
    """``runs``: some of its calls run without a human; ``review``: none do."""
    says: str
    alpha: float | None = None
    delta: float | None = None
    parts: tuple[Part, ...] = ()
    tools: tuple[ToolEvidence, ...] = ()
    fingerprint: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sources: dict[str, int] = field(default_factory=dict)
    labels: int = 0
    tasks: int = 0
    first_at: str = ""
    last_at: str = ""
    unanswered: int = 0
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Advice:
    """Something to label next. ``gain`` is the share of all calls that would run in addition; None: not known."""

    what: str
    tier: Tier
    tool: str = ""
    more: int
    gain: float | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """The whole report. ``same_labels`` tells whether the calls it shows are those of the calibration."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    calibration: str
    """Digest of the calibrated policy."""
    adopted_by: str
    adopted_at: str
    method: str
    look: int
    records: str
    same_labels: bool | None
    settings: dict[str, str]
    summary: tuple[str, ...]
    tiers: tuple[TierPart, ...]
    advice: tuple[Advice, ...]
    load: ReviewLoad | None
    load_says: tuple[str, ...]
    alarms: tuple[Alarm, ...]
    warnings: tuple[str, ...]
    assumptions: tuple[str, ...]
    reading: tuple[str, ...]
    limits: tuple[str, ...]
    version: int = REPORT_VERSION
