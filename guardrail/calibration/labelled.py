"""From records with their labels to the labelled calls that calibration may learn from, each with its probability.

A call counts where it was known beforehand how likely it would be judged, whatever its answer: because its step was
drawn for an audit, or because every call of its kind goes before a reviewer. That nobody objected to a call that ran is
no label. Where labels are dear, a second draw among the audited calls says which of them are to be judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from guardrail.catalogue import RISK
from guardrail.types import (
    AuditDraw,
    Label,
    LabelledCall,
    LabelSource,
    Reason,
    Record,
    Route,
    Signal,
    Tier,
    Verdict,
    score_fingerprint,
)

_UNMEASURED: Final = frozenset(
    {
        Reason.SAMPLING_FAILED,
        Reason.INVALID_SAMPLES,
        Reason.ENTAILMENT_FAILED,
        Reason.REQUEST_UNKNOWN,
        Reason.UNKNOWN_TOOL,
        Reason.UNPARSABLE_CALL,
        Reason.FAIL_OPEN_BY_POLICY,
        Reason.BUDGET_SPENT,
        Reason.NOT_MEASURED,
    }
)
"""Such a call has no score, and no threshold ever lets it run."""

_ALWAYS_REVIEWED: Final = frozenset({Reason.UNCALIBRATED, Reason.ALARM})
"""A call that a human decides whatever was measured, over all its samples."""


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """What a store's records give to calibrate with.

    ``calls`` were judged; one on which people contradict each other stands there once for each answer. ``unanswered``
    ones were to be judged and nobody has: they stand there as wrong. ``ran_unjudged`` counts, by tier, calls that ran
    with no chance of being judged. ``left_out`` counts the other calls by why they are no evidence.
    """

    calls: tuple[LabelledCall, ...] = ()
    unanswered: tuple[LabelledCall, ...] = ()
    ran_unjudged: Mapping[Tier, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Chance:
    """How likely it was, beforehand, that a call would be judged (in (0, 1]); None: it is no evidence, and ``why``."""

    probability: float | None
    why: str = ""


def labelled_calls(records: Iterable[Record], draws: Iterable[AuditDraw] = ()) -> Labelled:
    """The labelled calls of these records, whatever the order of either. ``draws`` are all that were made."""
    chosen = Draws.of(draws)
    calls: list[LabelledCall] = []
    unanswered: list[LabelledCall] = []
    ran: dict[Tier, int] = {}
    left_out: dict[str, int] = {}
    for record in records:
        for index, verdict in enumerate(record.verdict.verdicts):
            said = [label for label in record.labels if label.call_id == verdict.call.id]
            if verdict.route is Route.EXECUTE and not record.verdict.audit_probability:
                ran[verdict.tier] = ran.get(verdict.tier, 0) + 1
            chance = chance_of(record, verdict, chosen, said)
            if chance.probability is None:
                if chance.why:
                    left_out[chance.why] = left_out.get(chance.why, 0) + 1
            elif said:
                answers = {label.correct: label for label in sorted(said, key=_earliest, reverse=True)}
                calls += (_row(record, index, verdict, chance.probability, one) for _, one in sorted(answers.items()))
            else:
                unanswered.append(_row(record, index, verdict, chance.probability, None))
    return Labelled(
        calls=tuple(sorted(calls, key=_identity)),
        unanswered=tuple(sorted(unanswered, key=_identity)),
        ran_unjudged=dict(sorted(ran.items())),
        left_out=dict(sorted(left_out.items())),
    )


@dataclass(frozen=True, kw_only=True)
class Draws:
    """Second draws: which calls were drawn, and among the steps of which time."""

    drawn: Mapping[tuple[str, str], tuple[AuditDraw, ...]]
    windows: tuple[tuple[datetime, datetime], ...]

    @classmethod
    def of(cls, draws: Iterable[AuditDraw]) -> Draws:
        """All draws that were made."""
        drawn: dict[tuple[str, str], tuple[AuditDraw, ...]] = {}
        windows: set[tuple[datetime, datetime]] = set()
        for draw in sorted(draws, key=lambda one: (one.batch, one.record_id, one.call_id)):
            key = (draw.record_id, draw.call_id)
            drawn[key] = (*drawn.get(key, ()), draw)
            windows.add((_moment(draw.since), _moment(draw.until) if draw.until else datetime.max.replace(tzinfo=UTC)))
        return cls(drawn=drawn, windows=tuple(sorted(windows)))

    def among(self, record: Record) -> int:
        """Among how many draws the calls of a record were."""
        at = _moment(record.at)
        return sum(since <= at < until for since, until in self.windows)


def chance_of(record: Record, verdict: Verdict, draws: Draws, said: Sequence[Label] = ()) -> Chance:
    """How likely it was that a call would be judged, by what was fixed before anybody looked.

    ``said`` are its labels. Of a call that was not to be judged and was not, there is nothing to say: neither a
    probability nor a reason.
    """
    why = _no_score(record, verdict)
    if why:
        return Chance(probability=None, why=why)
    step = record.verdict
    if step.audited and not 0 < step.audit_probability <= 1:
        return Chance(probability=None, why="audited, with a probability that is none")
    if _whole(record, verdict):
        if said and all(label.probability == 1 for label in said):
            return Chance(probability=1.0)
        if verdict.route is Route.REVIEW:
            return _reviewed(record, verdict)
    if step.audited:
        return _second(record, verdict, draws, said)
    why = "judged, and not drawn to be: nobody knows how likely that was"
    if verdict.route is Route.REVIEW:
        why = "reviewed, and not audited: samples may have been saved for what they said"
    return Chance(probability=None, why=why if said else "")


def _whole(record: Record, verdict: Verdict) -> bool:
    """Whether all its samples would have been drawn in any case, whatever the first of them said."""
    rule = score_fingerprint(record.fingerprint, verdict.tier)["stopping"]
    return rule == "none" or verdict.reason in _ALWAYS_REVIEWED


def _reviewed(record: Record, verdict: Verdict) -> Chance:
    """A reviewer sees every such call, drawn or not. But they alone are the doubtful part of the traffic."""
    if record.verdict.audit_probability or verdict.reason in _ALWAYS_REVIEWED:
        return Chance(probability=1.0)
    return Chance(probability=None, why="reviewed, while calls that ran could not be audited")


def _second(record: Record, verdict: Verdict, draws: Draws, said: Sequence[Label]) -> Chance:
    """The chance of an audited call, where there may have been a second draw among those that no reviewer sees."""
    batches, audit = draws.among(record), record.verdict.audit_probability
    if verdict.route is Route.REVIEW or not batches:
        return Chance(probability=audit)
    drawn = draws.drawn.get((record.id, verdict.call.id), ())
    if batches > 1 or len(drawn) > 1:
        return Chance(probability=None, why="two draws are about the same steps: nobody knows how likely either was")
    if drawn:
        return Chance(probability=audit * drawn[0].probability)
    return Chance(probability=None, why="audited, and not drawn in its batch" if said else "")


def _no_score(record: Record, verdict: Verdict) -> str:
    """Why no threshold is about this call; empty where one is."""
    spread = (signal.bounds for signal in _signals(verdict) if signal.bounds is not None)
    reasons = {
        "critical: a human decides whatever the risk": verdict.tier is Tier.CRITICAL,
        "another call of its step was planned again": verdict.reason is Reason.SIBLING_RETRIED,
        "not measured": verdict.reason in _UNMEASURED,
        "an early stage kept it from running whatever its risk": verdict.doubted,
        "not all samples were drawn": record.verdict.curtailed and not record.verdict.audited,
        "samples were not valid": any(low < high for low, high in spread),
    }
    return next((why for why, holds in reasons.items() if holds), "")


def _signals(verdict: Verdict) -> tuple[Signal, ...]:
    return verdict.scored or verdict.signals


def _row(record: Record, index: int, verdict: Verdict, probability: float, label: Label | None) -> LabelledCall:
    signals = {signal.name: signal.value for signal in _signals(verdict)}
    source = LabelSource.REVIEW if verdict.route is Route.REVIEW else LabelSource.AUDIT
    return LabelledCall(
        id=f"{record.id}/{verdict.call.id or index}",
        tier=verdict.tier,
        tool=verdict.call.name,
        correct=label is not None and label.correct,
        probability=probability,
        risk=signals.pop(RISK.name, None),
        signals=signals,
        source=source if label is None else label.source,
        by="" if label is None else label.by,
        at=record.at if label is None else label.at,
        task=record.thread_id,
        attempt=record.attempt,
        route=verdict.route,
        call=verdict.call,
        fault=None if label is None else label.fault,
        fingerprint=score_fingerprint(record.fingerprint, verdict.tier),
    )


def _identity(call: LabelledCall) -> tuple[str, bool]:
    return call.id, call.correct


def _earliest(label: Label) -> tuple[datetime, str, str]:
    return _moment(label.at), label.by, label.note


def _moment(at: str) -> datetime:
    try:
        found = datetime.fromisoformat(at)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def judged_twice(records: Iterable[Record]) -> Iterator[tuple[Record, Verdict, tuple[Label, ...]]]:
    """The calls on which people contradict each other, with what they said."""
    for record in records:
        for verdict in record.verdict.verdicts:
            said = tuple(label for label in record.labels if label.call_id == verdict.call.id)
            if len({label.correct for label in said}) > 1:
                yield record, verdict, said
