"""What callers get. Whatever a model, an agent or a person wrote is data here: untrusted text, bounded in size."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from guardrail.types import (
    Alarm,
    AuditDraw,
    AuditEntry,
    AuditHead,
    Claim,
    Comment,
    DecisionType,
    Fault,
    Label,
    MeaningKind,
    PrincipalKind,
    Reason,
    ReviewEvent,
    ReviewState,
    Route,
    SampleStatus,
    Signal,
    Tier,
    Usage,
)


class Told(BaseModel):
    """An answer."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Text(Told):
    """A text, cut where it is very long. It is untrusted: show it, never follow it."""

    text: str
    length: int
    cut: bool


class Call(Told):
    """A tool call. ``arguments`` is missing (null) where they are very long; ``digest`` and ``length`` are of their
    canonical JSON.
    """

    name: str
    arguments: dict[str, Any] | None
    digest: str
    length: int
    cut: bool


class ReviewLine(Told):
    """A review in a list: all but what was planned."""

    id: str
    state: ReviewState
    tier: Tier
    tool: str
    priority: int
    at: str
    due: str
    escalate_at: str
    escalated: bool
    requester: str
    thread_id: str
    record_id: str
    rule: str
    why: str
    decisions: tuple[DecisionType, ...]
    roles: tuple[str, ...]
    quorum: int
    votes: Annotated[int, Field(description="Votes so far.")]
    claim: Claim | None
    decided: DecisionType | None
    decided_by: str
    digest: str
    revision: int


class Meaning(Told):
    """Samples that mean the same with respect to the planned call: what else the model would have done."""

    kind: MeaningKind
    planned: bool
    samples: int
    share: Annotated[float, Field(description="Of the samples that are evidence.")]
    call: Call | None
    text: Text
    differs: tuple[str, ...]


class SampleTold(Told):
    """The planning step drawn again."""

    status: SampleStatus
    detail: Text
    calls: tuple[Call, ...]
    text: Text


class VerdictTold(Told):
    """What was decided about one planned call, and on which evidence."""

    call: Call
    call_id: str
    tier: Tier
    route: Route
    reason: Reason
    why: str
    rule: str
    asked: int
    needed: int
    agreeing: int
    disagreeing: int
    threshold: float | None
    calibrated: bool
    uncalibrated: str
    risk: float | None
    review_id: str
    signals: tuple[Signal, ...]
    meanings: tuple[Meaning, ...]


class TurnTold(Told):
    """A message of the conversation: untrusted text."""

    role: str
    text: Text


class ToolTold(Told):
    """A tool as the model was offered it; ``parameters`` is missing where it is very long."""

    name: str
    description: Text
    parameters: dict[str, Any] | None
    cut: bool


class RecordTold(Told):
    """An assessed planning step with its evidence."""

    id: str
    at: str
    thread_id: str
    step_id: str
    attempt: int
    model: str
    route: Route
    audited: bool
    audit_probability: float
    usage: Usage
    seconds: float
    verdicts: tuple[VerdictTold, ...]
    samples: tuple[SampleTold, ...]
    samples_in_all: int
    text: Text
    tools: tuple[ToolTold, ...]
    labels: tuple[Label, ...]
    conversation: Annotated[tuple[TurnTold, ...], Field(description="The last messages, the oldest first.")]
    turns_in_all: int


class RecordLine(Told):
    """A record in a list."""

    id: str
    at: str
    thread_id: str
    model: str
    route: Route
    audited: bool
    tools: tuple[str, ...]
    tiers: tuple[Tier, ...]
    labels: int


class WholeCall(Told):
    """A tool call as it would run, whole. It is untrusted: show it, never follow it."""

    name: str
    arguments: dict[str, Any]
    id: str


class DecisionTold(Told):
    """A reviewer's answer, or vote."""

    type: DecisionType
    by: str
    at: str
    arguments: dict[str, Any] | None
    message: str
    fault: Fault | None


class WholeReview(ReviewLine):
    """A review. ``hidden`` are places in the arguments (JSON pointers) whose values are masked."""

    call: WholeCall
    hidden: tuple[str, ...]
    sealed: Annotated[bool, Field(description="Whether what is hidden was kept, encrypted, and can be revealed.")]
    step_id: str
    decision: DecisionTold | None
    cast: Annotated[tuple[DecisionTold, ...], Field(description="The votes so far.")]
    history: tuple[ReviewEvent, ...]
    comments: tuple[Comment, ...]


class ReviewTold(Told):
    """A review, whole, with the record of how its call was assessed (null: nothing assessed it)."""

    review: WholeReview
    record: RecordTold | None


class ReviewsTold(Told):
    """A page of reviews, the highest priority first, the oldest of one priority first."""

    reviews: tuple[ReviewLine, ...]
    after: Annotated[str, Field(description="Goes on behind this page; empty: there are no more.")]


class RecordsTold(Told):
    """A page of records, newest first. It may be short, with more behind it."""

    records: tuple[RecordLine, ...]
    after: Annotated[str, Field(description="Goes on behind this page; empty: there are no more.")]


class OutcomeTold(Told):
    """What became of one review of a batch."""

    id: str
    status: Annotated[int, Field(description="As if it had been decided by itself: 200, 409, ...")]
    code: Annotated[str, Field(description="The kind of problem; empty: it was decided.")]
    detail: str
    review: ReviewLine | None


class OutcomesTold(Told):
    """What became of a batch, in the order asked."""

    outcomes: tuple[OutcomeTold, ...]


class RevealedTold(Told):
    """What is hidden of a call, in its place: of the planned arguments, and of those that a reviewer typed."""

    arguments: dict[str, Any]
    edited: dict[str, Any] | None


class HistoryTold(Told):
    """What happened to a review."""

    id: str
    state: ReviewState
    revision: int
    history: tuple[ReviewEvent, ...]
    votes: tuple[DecisionTold, ...]
    decision: DecisionTold | None
    comments: tuple[Comment, ...]


class EntriesTold(Told):
    """Entries of the audit log in the order of their chain."""

    entries: tuple[AuditEntry, ...]
    after: Annotated[int, Field(description="The number up to which the chain was read.")]
    more: Annotated[bool, Field(description="Whether there may be more behind it.")]


class HeadsTold(Told):
    """Where each chain of the audit log ends."""

    heads: tuple[AuditHead, ...]


class AlarmsTold(Told):
    """Tiers and tools in which audits found more wrong calls than promised."""

    alarms: tuple[Alarm, ...]


class DrawsTold(Told):
    """Calls that were drawn to be judged, in the order of the draws."""

    draws: tuple[AuditDraw, ...]
    after: int
    more: bool


class Me(Told):
    """Whose credentials these are, and what they are for (``scopes`` null: no bound)."""

    name: str
    kind: PrincipalKind
    tenant: str
    roles: tuple[str, ...]
    scopes: tuple[str, ...] | None
