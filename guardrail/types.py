"""The values that pass through the guard, in the order in which they arise.

A planning step is drawn again (samples), the samples are grouped by meaning (clusters), the groups are
measured (signals), and these decide about each planned call (verdicts). What happened is kept (record), and
people's judgements are attached to it (labels). ``guardrail.codec`` turns all into JSON and back unchanged.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

type_config: dict[str, Any] = {"extra": "forbid"}
RECORD_VERSION = 1


class Tier(StrEnum):
    """Stakes of a call, least to most."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for low to 3 for critical."""
        return list(Tier).index(self)


class Route(StrEnum):
    """What happens to a planned call, least to most cautious."""

    EXECUTE = "execute"
    RETRY = "retry"
    REVIEW = "review"


class DecisionType(StrEnum):
    """What a reviewer may answer."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    RESPOND = "respond"


class SampleStatus(StrEnum):
    """Whether a sample is evidence, and if not, why not."""

    OK = "ok"
    TRUNCATED = "truncated"
    EMPTY = "empty"
    UNPARSABLE = "unparsable"
    NOT_INDEPENDENT = "not_independent"
    FAILED = "failed"


class MeaningKind(StrEnum):
    """What the members of a cluster do with respect to one planned call."""

    CALL = "call"
    OTHER_TOOL = "other_tool"
    NO_CALL = "no_call"


class Reason(StrEnum):
    """Why a verdict is what it is."""

    AGREED = "agreed"
    LIKELY = "likely"
    DISAGREED = "disagreed"
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


@dataclass(frozen=True, kw_only=True)
class ToolSpec:
    """A tool as the model saw it: JSON Schema of its arguments, and MCP annotations if any."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    name: str
    description: str = ""
    parameters: dict[str, Any] = field(default_factory=dict)
    annotations: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ToolCall:
    """One call of one tool. ``id`` is the provider's call id, empty where there is none."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    name: str
    arguments: dict[str, Any]
    id: str = ""


@dataclass(frozen=True, kw_only=True)
class Token:
    """One generated token and its natural-log probability."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    text: str
    logprob: float


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One drawing of a planning step: the calls it proposes (none: it answered in words).

    ``calls`` keeps what could be parsed. ``tokens`` is None where the provider gave no log-probabilities.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    calls: tuple[ToolCall, ...] = ()
    text: str = ""
    status: SampleStatus = SampleStatus.OK
    detail: str = ""
    finish_reason: str | None = None
    response_id: str | None = None
    choice: int | None = None
    tokens: tuple[Token, ...] | None = None

    @property
    def valid(self) -> bool:
        """Whether this sample is evidence."""
        return self.status is SampleStatus.OK


@dataclass(frozen=True, kw_only=True)
class Usage:
    """What samples cost. Token counts are None where the provider reported none; seconds are wall time."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    requests: int = 0
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            requests=self.requests + other.requests,
            prompt_tokens=_add(self.prompt_tokens, other.prompt_tokens),
            completion_tokens=_add(self.completion_tokens, other.completion_tokens),
            seconds=self.seconds + other.seconds,
        )


def _add(a: int | None, b: int | None) -> int | None:
    return b if a is None else a if b is None else a + b


@dataclass(frozen=True, kw_only=True)
class SampleBatch:
    """The samples that one round of drawing gave, and their cost."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    samples: tuple[Sample, ...]
    usage: Usage = Usage()


@dataclass(frozen=True, kw_only=True)
class PlanningStep:
    """One model turn that proposes tool calls, as an adapter hands it to the guard.

    ``planned`` is the turn itself; its calls are the ones to decide on. ``request`` is whatever the
    adapter's sampler needs to send the same request again; None means it is not known, and such a
    step is never executed without a human. ``request_digest`` identifies it in records.
    ``attempt`` counts earlier tries of this step (0: first).
    """

    id: str
    planned: Sample
    tools: tuple[ToolSpec, ...]
    model: str = ""
    thread_id: str = ""
    namespace: str = ""
    attempt: int = 0
    request: Any = None
    request_digest: str = ""

    def tool(self, name: str) -> ToolSpec | None:
        """The tool of that name, if the model was offered one."""
        return next((tool for tool in self.tools if tool.name == name), None)


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
class Signal:
    """A named number about one planned call; a missing one says why.

    Raises:
        ValueError: the value is not finite, or it is absent without a reason (or present with one).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    name: str
    value: float | None = None
    unit: str = ""
    missing: str | None = None

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"signal {self.name!r} is {self.value}: a number that is not finite is missing")
        if (self.value is None) == (self.missing is None):
            raise ValueError(f"signal {self.name!r} needs either a value or the reason why it is missing")


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What happens to one planned call, and the evidence.

    ``needed`` of ``asked`` samples had to contain the call's meaning; ``agreeing`` did, ``disagreeing``
    validly did not, the rest was not drawn or not valid. ``why`` is a sentence for people.
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
    threshold: float | None = None
    calibrated: bool = False
    clusters: tuple[Cluster, ...] = ()
    signals: tuple[Signal, ...] = ()
    review_id: str = ""

    def signal(self, name: str) -> Signal | None:
        """The signal of that name, if it was asked for."""
        return next((signal for signal in self.signals if signal.name == name), None)


@dataclass(frozen=True, kw_only=True)
class StepVerdict:
    """What happens to a planning step: one verdict a call, and what finding out cost.

    ``route`` is retry if any call is retried (then none runs), else review if any call waits for a
    human, else execute. ``extra`` tells of calls that samples made beyond the planned ones:
    tool name to number of samples. ``pairs`` of texts were put to the backend that ``entailment`` names;
    ``known_pairs`` of them it had judged before.
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
    usage: Usage = Usage()
    seconds: float = 0.0

    def verdict(self, call_id: str) -> Verdict | None:
        """The verdict on the call of that id."""
        return next((verdict for verdict in self.verdicts if verdict.call.id == call_id), None)


class LabelSource(StrEnum):
    """Where a judgement comes from. Silence is never one."""

    REVIEW = "review"
    AUDIT = "audit"
    IMPORT = "import"


@dataclass(frozen=True, kw_only=True)
class Label:
    """A judgement on one call of a record: was it right? ``at`` is ISO 8601 in UTC."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    call_id: str
    correct: bool
    source: LabelSource
    by: str
    at: str
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Record:
    """Everything kept about one assessed planning step, versioned.

    ``fingerprint`` names what the scores depend on (model, N, temperature, prompt digest, entailment
    backend, versions): scores of different fingerprints are not comparable.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    at: str
    thread_id: str
    namespace: str
    step_id: str
    attempt: int
    model: str
    request_digest: str
    planned: Sample
    samples: tuple[Sample, ...]
    verdict: StepVerdict
    fingerprint: dict[str, str]
    tools: tuple[ToolSpec, ...] = ()
    labels: tuple[Label, ...] = ()
    version: int = RECORD_VERSION


class ReviewState(StrEnum):
    """Where a review stands. The last four are final."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DECIDED = "decided"
    EXECUTING = "executing"
    DONE = "done"
    OUTCOME_UNKNOWN = "outcome_unknown"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A reviewer's answer. ``arguments`` only with edit; ``message`` goes to the agent on reject and respond."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    type: DecisionType
    by: str
    at: str
    arguments: dict[str, Any] | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class ReviewEvent:
    """One change of a review's state."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    at: str
    by: str
    state: ReviewState
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Review:
    """One call before a human. ``digest`` binds the decision to exactly this call (tool, arguments,
    thread, call id, versions of policy and tool schema). ``revision`` grows by one with every change.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    record_id: str
    thread_id: str
    namespace: str
    step_id: str
    call: ToolCall
    digest: str
    tier: Tier
    why: str
    at: str
    decisions: tuple[DecisionType, ...] = tuple(DecisionType)
    state: ReviewState = ReviewState.PENDING
    decision: Decision | None = None
    history: tuple[ReviewEvent, ...] = ()
    revision: int = 0
