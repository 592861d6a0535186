"""What is decided about a planning step, and the evidence."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from guardrail.types.calibrated import Promise
from guardrail.types.forms import type_config
from guardrail.types.signals import Signal
from guardrail.types.stakes import DecisionType, Route, Tier
from guardrail.types.steps import ToolCall, Usage


class MeaningKind(StrEnum):
    """What the members of a cluster do with respect to one planned call."""

    CALL = "call"
    OTHER_TOOL = "other_tool"
    NO_CALL = "no_call"


class Reason(StrEnum):
    """Why a verdict is what it is."""

    AGREED = "agreed"
    LIKELY = "likely"
    CLEARED = "cleared"
    DISAGREED = "disagreed"
    DOUBTFUL = "doubtful"
    CRITICAL = "critical"
    RETRIES_SPENT = "retries_spent"
    SAMPLING_FAILED = "sampling_failed"
    INVALID_SAMPLES = "invalid_samples"
    ENTAILMENT_FAILED = "entailment_failed"
    REQUEST_UNKNOWN = "request_unknown"
    UNKNOWN_TOOL = "unknown_tool"
    UNPARSABLE_CALL = "unparsable_call"
    FAIL_OPEN_BY_POLICY = "fail_open_by_policy"
    SIBLING_RETRIED = "sibling_retried"
    BUDGET_SPENT = "budget_spent"
    NOT_MEASURED = "not_measured"
    UNCALIBRATED = "uncalibrated"
    """The policy wants a calibrated threshold, and there is none for this call."""
    ALARM = "alarm"
    """Audits found more wrong calls in this tier, or of this tool, than promised."""
    REFUSED_BEFORE = "refused_before"
    """A person has refused the same call in this thread."""
    MAY_HAVE_RUN = "may_have_run"
    """The same call was started in this thread, and nobody knows whether it took effect."""
    HOLDS_MARK = "holds_mark"
    """It has the mark of a hidden value where the value itself should be."""


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Samples that mean the same with respect to one planned call.

    ``members`` are indices into the step's samples. ``call`` is the member in canonical order first;
    None for ``no_call``. ``planned`` marks the meaning of the planned call (it may have no members).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    kind: MeaningKind
    members: tuple[int, ...]
    call: ToolCall | None = None
    text: str = ""
    planned: bool = False
    differs: tuple[str, ...] = ()
    """Argument names in which this meaning differs from the planned call."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What happens to one planned call, and the evidence.

    ``needed`` of ``asked`` samples had to contain the call's meaning; ``agreeing`` did, ``disagreeing``
    validly did not, the rest was not drawn or not valid. ``stage`` of the tier's cascade decided (1 is the
    first; 0: none had to). ``why`` is a sentence for people. ``calibrated`` says that the route rests on a threshold
    that is calibrated for this call, with what ``promise``; where it does not, ``uncalibrated`` says why.

    ``signals`` are over all N samples of the step. ``scored`` are the same ones as they stood when the call was
    decided, over the samples that its stage looks at (the last: its tier's own N); empty where these are all.
    ``doubted``: an early stage's doubt keeps the call from running, whatever its risk is.

    ``raw`` is the digest of the call as it was planned, and what may run. ``hidden`` are the JSON pointers of the
    places in the arguments of ``call`` where marks stand for what is not written down.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    call: ToolCall
    tier: Tier
    route: Route
    reason: Reason
    why: str
    rule: str = ""
    decisions: tuple[DecisionType, ...] = tuple(DecisionType)
    asked: int = 0
    needed: int = 0
    agreeing: int = 0
    disagreeing: int = 0
    stage: int = 0
    threshold: float | None = None
    calibrated: bool = False
    promise: Promise | None = None
    uncalibrated: str = ""
    clusters: tuple[Cluster, ...] = ()
    signals: tuple[Signal, ...] = ()
    scored: tuple[Signal, ...] = ()
    doubted: bool = False
    review_id: str = ""
    raw: str = ""
    hidden: tuple[str, ...] = ()

    def signal(self, name: str) -> Signal | None:
        """The signal of that name, if it was asked for."""
        return next((signal for signal in self.signals if signal.name == name), None)

    @property
    def risk(self) -> float | None:
        """P(the call is wrong) by the risk model, as it stood when the call was decided; None where there is none."""
        found = self.signal("risk")
        return None if found is None else found.value


@dataclass(frozen=True, kw_only=True)
class StepVerdict:
    """What happens to a planning step: one verdict a call, and what finding out cost.

    ``route`` is retry if any call is retried (then none runs), else review if any call waits for a
    human, else execute. ``extra`` tells of calls that samples made beyond the planned ones:
    tool name to number of samples. ``pairs`` of texts were put to the backend that ``entailment`` names;
    ``known_pairs`` of them it had judged before. ``questions`` were asked about the calls.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    record_id: str
    step_id: str
    route: Route
    verdicts: tuple[Verdict, ...]
    asked: int = 0
    drawn: int = 0
    invalid: int = 0
    curtailed: bool = False
    audited: bool = False
    audit_probability: float = 0.0
    extra: dict[str, int] = field(default_factory=dict)
    entailment: str = "exact"
    pairs: int = 0
    known_pairs: int = 0
    questions: int = 0
    usage: Usage = field(default_factory=Usage)
    seconds: float = 0.0

    def verdict(self, call_id: str) -> Verdict | None:
        """The verdict on the call of that id."""
        return next((verdict for verdict in self.verdicts if verdict.call.id == call_id), None)
