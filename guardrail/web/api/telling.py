"""From what is kept to what callers get: bounded in size, and nothing else of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from guardrail.codec import canonical, digest
from guardrail.types import Decision, Record, Review, ToolCall, ToolSpec, Turn, Verdict
from guardrail.web.api import told

LONGEST_TEXT: Final = 4_000
"""Characters of a text, of a call's arguments as JSON, or of a tool's schema, beyond which evidence is cut."""
MOST_SAMPLES: Final = 64
MOST_TURNS: Final = 50


def text(said: str) -> told.Text:
    """A text, bounded."""
    return told.Text(text=said[:LONGEST_TEXT], length=len(said), cut=len(said) > LONGEST_TEXT)


def call(made: ToolCall) -> told.Call:
    """A call, bounded."""
    length = len(canonical(made.arguments))
    cut = length > LONGEST_TEXT
    return told.Call(
        name=made.name[:LONGEST_TEXT],
        arguments=None if cut else made.arguments,
        digest=digest(made.arguments),
        length=length,
        cut=cut,
    )


def line(review: Review) -> told.ReviewLine:
    """A review for a list."""
    return told.ReviewLine(
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


def history(review: Review) -> told.HistoryTold:
    """What happened to a review."""
    return told.HistoryTold(
        id=review.id,
        state=review.state,
        revision=review.revision,
        history=review.history,
        votes=tuple(map(_decision, review.votes)),
        decision=None if review.decision is None else _decision(review.decision),
        comments=review.comments,
    )


def whole(review: Review) -> told.WholeReview:
    """A review with everything that is said about it."""
    return told.WholeReview(
        **line(review).model_dump(),
        call=told.WholeCall(name=review.call.name, arguments=review.call.arguments, id=review.call.id),
        hidden=review.hidden,
        sealed=review.sealed,
        step_id=review.step_id,
        decision=None if review.decision is None else _decision(review.decision),
        cast=tuple(map(_decision, review.votes)),
        history=review.history,
        comments=review.comments,
    )


def _decision(taken: Decision) -> told.DecisionTold:
    return told.DecisionTold(
        type=taken.type,
        by=taken.by,
        at=taken.at,
        arguments=taken.arguments,
        message=taken.message,
        fault=taken.fault,
    )


def record_line(record: Record) -> told.RecordLine:
    """A record for a list."""
    verdicts = record.verdict.verdicts
    return told.RecordLine(
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


def record(kept: Record) -> told.RecordTold:
    """A record with its evidence, bounded."""
    verdict = kept.verdict
    return told.RecordTold(
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
            told.SampleTold(
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


def _verdict(one: Verdict) -> told.VerdictTold:
    valid = sum(len(cluster.members) for cluster in one.clusters)
    return told.VerdictTold(
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
            told.Meaning(
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


def _tool(tool: ToolSpec) -> told.ToolTold:
    cut = len(canonical(tool.parameters)) > LONGEST_TEXT
    return told.ToolTold(
        name=tool.name,
        description=text(tool.description),
        parameters=None if cut else tool.parameters,
        cut=cut,
    )


def _turns(turns: Sequence[Turn]) -> tuple[told.TurnTold, ...]:
    return tuple(told.TurnTold(role=turn.role[:200], text=text(turn.text)) for turn in turns[-MOST_TURNS:])
