"""Thresholds with their evidence, and the alarms that withdraw them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar, Final

from guardrail.types.forms import type_config
from guardrail.types.stakes import Tier

CALIBRATION_VERSION = 1

SCORE_KEYS: Final = (
    "model",
    "temperature",
    "prompt",
    "tools",
    "samples",
    "stages",
    "stopping",
    "signals",
    "risk_model",
    "entailment",
    "meaning",
    "clustering",
)
"""What the score of a call depends on. Scores that differ in one of them are not comparable."""
PER_TIER: Final = ("samples", "stages", "stopping")
"""Keys whose value in a record goes by tier: ``high=8,low=3``."""


def score_fingerprint(fingerprint: Mapping[str, str], tier: Tier) -> dict[str, str]:
    """What the score of a call of that tier depends on, from a record's fingerprint; keys that it lacks are empty."""
    return {
        key: _of_tier(fingerprint.get(key, ""), tier) if key in PER_TIER else fingerprint.get(key, "")
        for key in SCORE_KEYS
    }


def _of_tier(text: str, tier: Tier) -> str:
    named = dict(part.partition("=")[::2] for part in text.split(",") if "=" in part)
    return named.get(tier.value, "" if named else text)


class RefusalCode(StrEnum):
    """Why there is no threshold. None of them falls back to a default one."""

    TOO_FEW_LABELS = "too_few_labels"
    TOP_CALLS_TOO_ERROR_PRONE = "top_calls_too_error_prone"
    UNKNOWN_LABEL_PROBABILITY = "unknown_label_probability"
    LABELS_ONLY_FROM_ESCALATIONS = "labels_only_from_escalations"
    MIXED_FINGERPRINTS = "mixed_fingerprints"
    COMBINER_SAW_CALIBRATION_DATA = "combiner_saw_calibration_data"
    UNPLANNED_RECALIBRATION = "unplanned_recalibration"
    NON_FINITE_SCORE = "non_finite_score"
    RETRY_NOT_IN_RECORDS = "retry_not_in_records"
    CONTRADICTING_LABELS = "contradicting_labels"
    ONE_CLASS = "one_class"


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why there is no threshold, and the way out, in words."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    code: RefusalCode
    message: str


class Attempts(StrEnum):
    """Which calls a threshold is for."""

    ALL = "all"
    FIRST = "first"
    """Calls of a step planned for the first time."""
    RETRIED = "retried"
    """Calls of a step that was planned again."""


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A call runs at a risk strictly less than ``execute_below`` (above 1: at any risk; None: it does not run).

    ``n`` labelled calls, ``errors`` of them wrong, were tested; the ``executed`` safest of them, with
    ``executed_errors``, lie below the threshold, a ``coverage`` of all. ``p_value`` is P(Bin(executed, alpha) <=
    executed_errors), ``upper`` the Clopper-Pearson bound at 1 - delta on the error of what runs. ``start`` is the first
    cut that was tested. ``floor``: labels reach only up to that risk, and so does the threshold.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    attempts: Attempts
    alpha: float
    delta: float
    execute_below: float | None = None
    n: int = 0
    errors: int = 0
    executed: int = 0
    executed_errors: int = 0
    coverage: float = 0.0
    p_value: float | None = None
    upper: float | None = None
    start: int = 0
    floor: float | None = None
    refusal: Refusal | None = None


@dataclass(frozen=True, kw_only=True)
class ToolEvidence:
    """One tool of a tier: what ran below the threshold, and bounds (at 1 - delta) on its error. ``veto`` says why its
    calls go to review whatever their risk; empty: they do not.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tool: str
    n: int
    errors: int
    executed: int
    executed_errors: int
    lower: float
    upper: float
    veto: str = ""


@dataclass(frozen=True, kw_only=True)
class CalibratedTier:
    """The promise of one tier: with probability at least 1 - ``delta`` over the labels drawn, at most ``alpha`` of the
    calls that it executes without a human are wrong. ``warnings`` are in words.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tier: Tier
    alpha: float
    delta: float
    thresholds: tuple[Threshold, ...]
    tools: tuple[ToolEvidence, ...] = ()
    fingerprint: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """By key of ``SCORE_KEYS``, the values that the labelled calls had; others are uncalibrated."""
    sources: dict[str, int] = field(default_factory=dict)
    first_at: str = ""
    last_at: str = ""
    tasks: int = 0
    unanswered: int = 0
    """Calls that were drawn and that nobody has judged; they count as wrong."""
    scores: tuple[float, ...] = ()
    """Quantiles of the labelled calls' risks, evenly spaced from least to greatest, for watching drift."""
    warnings: tuple[str, ...] = ()

    def threshold(self, attempt: int) -> Threshold | None:
        """The threshold for a call of that attempt (0: first); None where there is none."""
        wanted = (Attempts.ALL, Attempts.RETRIED if attempt else Attempts.FIRST)
        return next((one for one in self.thresholds if one.attempts in wanted), None)

    def vetoed(self, tool: str) -> str:
        """Why calls of a tool go to review whatever their risk; empty where they do not."""
        return next((one.veto for one in self.tools if one.tool == tool), "")

    def differs(self, fingerprint: Mapping[str, str]) -> tuple[str, ...]:
        """The keys of a call's fingerprint (``score_fingerprint``) whose values were not calibrated."""
        return tuple(key for key, values in sorted(self.fingerprint.items()) if fingerprint.get(key, "") not in values)


@dataclass(frozen=True, kw_only=True)
class CalibratedPolicy:
    """What ``guardrail calibrate`` proposes and a person adopts: the promise of each tier, with its evidence.

    ``records`` is the digest of the labelled calls it was made of; the same calls and settings give the same bytes.
    ``look`` counts how often these labels have been tested (1: the first time). ``settings`` are what was asked for
    (unit, cuts, simultaneous, combiner, seed, confidence). ``adopted_by`` is empty in a proposal.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tiers: tuple[CalibratedTier, ...]
    method: str
    settings: dict[str, str] = field(default_factory=dict)
    records: str = ""
    look: int = 1
    risk_model: str = ""
    """Digest of the risk model whose risk the thresholds are about."""
    assumptions: tuple[str, ...] = ()
    adopted_by: str = ""
    adopted_at: str = ""
    version: int = CALIBRATION_VERSION

    def tier(self, tier: Tier) -> CalibratedTier | None:
        """What is promised of a tier; None where nothing was asked for."""
        return next((one for one in self.tiers if one.tier is tier), None)


@dataclass(frozen=True, kw_only=True)
class Promise:
    """What a verdict may say of itself: the tier's promise, and the number of labels behind it."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    alpha: float
    delta: float
    n: int
    executed: int
    execute_below: float
    calibration: str
    """Digest of the calibrated policy."""


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """More of the audited calls were wrong than promised: until a person clears it, the tier (or the one tool of it)
    goes to review. ``e_value`` is the evidence against the promise (1 / delta raises the alarm).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    at: str
    tier: Tier
    tool: str = ""
    alpha: float
    delta: float
    audits: int
    wrong: int
    e_value: float
    calibration: str = ""
    cleared_by: str = ""
    cleared_at: str = ""
    note: str = ""
