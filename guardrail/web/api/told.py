"""What callers get. Whatever a model, an agent or a person wrote is data here: untrusted text, bounded in size."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from guardrail.codec import canonical, digest
from guardrail.types import (
    Alarm,
    AuditDraw,
    AuditEntry,
    AuditHead,
    Claim,
    Comment,
    Decision,
    DecisionType,
    Label,
    MeaningKind,
    PrincipalKind,
    Reason,
    Record,
    Review,
    ReviewEvent,
    ReviewState,
    Route,
    SampleStatus,
    Signal,
    Tier,
    ToolCall,
    ToolSpec,
    Turn,
    Usage,
    Verdict,
)

LONGEST_TEXT: Final = 4_000
"""Characters of a text, of a call's arguments as JSON, or of a tool's schema, beyond which evidence is cut."""
MOST_SAMPLES: Final = 64
MOST_TURNS: Final = 50


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


class ReviewTold(Told):
    """A review, whole, with the record of how its call was assessed (null: nothing assessed it)."""

    review: Review
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


class HistoryTold(Told):
    """What happened to a review."""

    id: str
    state: ReviewState
    revision: int
    history: tuple[ReviewEvent, ...]
    votes: tuple[Decision, ...]
    decision: Decision | None
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


def text(said: str) -> Text:
    """A text, bounded."""
    return Text(text=said[:LONGEST_TEXT], length=len(said), cut=len(said) > LONGEST_TEXT)


def call(made: ToolCall) -> Call:
    """A call, bounded."""
    length = len(canonical(made.arguments))
    cut = length > LONGEST_TEXT
    return Call(
        name=made.name[:LONGEST_TEXT],
        arguments=None if cut else made.arguments,
        digest=digest(made.arguments),
        length=length,
        cut=cut,
    )


def line(review: Review) -> ReviewLine:
    """A review for a list."""
    return ReviewLine(
        id=review.id,
        state=review.state,
        tier=review.tier,
        tool=review.call.name,
        priority=review.priority,
        at=review.at,
        due=review.due,
        escalate_at=review.escalate_at,
        escalated=review.escalated,
        requester=review.requester,
        thread_id=review.thread_id,
        record_id=review.record_id,
        rule=review.rule,
        why=review.why[:LONGEST_TEXT],
        decisions=review.decisions,
        roles=review.roles,
        quorum=review.quorum,
        votes=len(review.votes),
        claim=review.claim,
        decided=None if review.decision is None else review.decision.type,
        decided_by="" if review.decision is None else review.decision.by,
        digest=review.digest,
        revision=review.revision,
    )


def history(review: Review) -> HistoryTold:
    """What happened to a review."""
    return HistoryTold(
        id=review.id,
        state=review.state,
        revision=review.revision,
        history=review.history,
        votes=review.votes,
        decision=review.decision,
        comments=review.comments,
    )


def record_line(record: Record) -> RecordLine:
    """A record for a list."""
    verdicts = record.verdict.verdicts
    return RecordLine(
        id=record.id,
        at=record.at,
        thread_id=record.thread_id,
        model=record.model,
        route=record.verdict.route,
        audited=record.verdict.audited,
        tools=tuple(one.call.name[:LONGEST_TEXT] for one in verdicts),
        tiers=tuple(one.tier for one in verdicts),
        labels=len(record.labels),
    )


def record(kept: Record) -> RecordTold:
    """A record with its evidence, bounded."""
    verdict = kept.verdict
    return RecordTold(
        id=kept.id,
        at=kept.at,
        thread_id=kept.thread_id,
        step_id=kept.step_id,
        attempt=kept.attempt,
        model=kept.model,
        route=verdict.route,
        audited=verdict.audited,
        audit_probability=verdict.audit_probability,
        usage=verdict.usage,
        seconds=verdict.seconds,
        verdicts=tuple(map(_verdict, verdict.verdicts)),
        samples=tuple(
            SampleTold(
                status=one.status, detail=text(one.detail), calls=tuple(map(call, one.calls)), text=text(one.text)
            )
            for one in kept.samples[:MOST_SAMPLES]
        ),
        samples_in_all=len(kept.samples),
        text=text(kept.planned.text),
        tools=tuple(map(_tool, kept.tools)),
        labels=kept.labels,
        conversation=_turns(kept.conversation),
        turns_in_all=len(kept.conversation),
    )


def _verdict(one: Verdict) -> VerdictTold:
    valid = sum(len(cluster.members) for cluster in one.clusters)
    return VerdictTold(
        call=call(one.call),
        call_id=one.call.id,
        tier=one.tier,
        route=one.route,
        reason=one.reason,
        why=one.why[:LONGEST_TEXT],
        rule=one.rule,
        asked=one.asked,
        needed=one.needed,
        agreeing=one.agreeing,
        disagreeing=one.disagreeing,
        threshold=one.threshold,
        calibrated=one.calibrated,
        uncalibrated=one.uncalibrated,
        risk=one.risk,
        review_id=one.review_id,
        signals=one.signals,
        meanings=tuple(
            Meaning(
                kind=cluster.kind,
                planned=cluster.planned,
                samples=len(cluster.members),
                share=len(cluster.members) / valid if valid else 0.0,
                call=None if cluster.call is None else call(cluster.call),
                text=text(cluster.text),
                differs=cluster.differs,
            )
            for cluster in one.clusters[:MOST_SAMPLES]
        ),
    )


def _tool(tool: ToolSpec) -> ToolTold:
    cut = len(canonical(tool.parameters)) > LONGEST_TEXT
    return ToolTold(
        name=tool.name,
        description=text(tool.description),
        parameters=None if cut else tool.parameters,
        cut=cut,
    )


def _turns(turns: Sequence[Turn]) -> tuple[TurnTold, ...]:
    return tuple(TurnTold(role=turn.role[:200], text=text(turn.text)) for turn in turns[-MOST_TURNS:])
