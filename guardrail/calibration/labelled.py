"""From records with their labels to the labelled calls that calibration may learn from, each with its probability.

A call counts where it was known beforehand how likely it would be judged, whatever its answer: because its step was
drawn for an audit, or because every call of its kind goes before a reviewer. That nobody objected to a call that ran is
no label. Where labels are dear, a second draw among the audited calls says which of them are to be judged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from guardrail.calibration.judgements import contradict, judgements, moment
from guardrail.catalogue import RISK, info
from guardrail.types import (
    AuditDraw,
    Label,
    LabelledCall,
    LabelSource,
    Reason,
    Record,
    Route,
    Safer,
    Signal,
    Tier,
    Verdict,
    score_fingerprint,
)

_UNMEASURED: Final = frozenset(
    {
        Reason.ENTAILMENT_FAILED,
        Reason.REQUEST_UNKNOWN,
        Reason.UNKNOWN_TOOL,
        Reason.UNPARSABLE_CALL,
        Reason.FAIL_OPEN_BY_POLICY,
        Reason.NOT_MEASURED,
    }
)
"""Such a call has no score, and no threshold ever lets it run."""

_ALWAYS_REVIEWED: Final = frozenset({Reason.UNCALIBRATED, Reason.ALARM})
"""A call that a human decides whatever was measured, over all its samples."""
_ESCALATED: Final = "reviewed, while calls that ran could not be audited"
_UNDRAWN: Final = "judged, and not drawn to be: nobody knows how likely that was"


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
    """The labelled calls of these records, whatever the order of either. ``draws`` are all that were made.

    Where a tier has nothing else, its labels without a known probability, or those of reviewed calls alone, are among
    ``calls`` (the former without a probability), so that ``calibrate`` says what is wrong with them.
    """
    chosen = Draws.of(draws)
    sorting = _Sorting()
    for record in records:
        sorting.see(record)
        for index, verdict, said in _told_apart(record):
            sorting.add(record, index, verdict, said, chance_of(record, verdict, chosen, said))
    return sorting.done()


class _Sorting:
    """Sorts calls by what they are good for."""

    def __init__(self) -> None:
        self._found: dict[Tier, list[LabelledCall]] = {}
        self._spare: dict[tuple[Tier, str], list[LabelledCall]] = {}
        self._unanswered: set[str] = set()
        self._ran: Counter[Tier] = Counter()
        self._retried: set[Tier] = set()
        self._left_out: Counter[str] = Counter()

    def see(self, record: Record) -> None:
        ids = Counter(verdict.call.id for verdict in record.verdict.verdicts)
        self._left_out["another call of its step has its id"] += sum(count for count in ids.values() if count > 1)
        if not record.verdict.audit_probability:
            routes = [(verdict.route, verdict.tier) for verdict in record.verdict.verdicts]
            self._ran.update(tier for route, tier in routes if route is Route.EXECUTE)
            self._retried.update(tier for route, tier in routes if route is Route.RETRY)

    def add(self, record: Record, index: int, verdict: Verdict, said: Sequence[Label], chance: Chance) -> None:
        tier = verdict.tier
        likely = 1.0 if chance.why == _ESCALATED else chance.probability
        if not said:
            rows = [_row(record, index, verdict, likely, None)]
        else:
            answers = {label.correct: label for label in reversed(said)}
            rows = [_row(record, index, verdict, likely, label) for _, label in sorted(answers.items())]
        if chance.probability is not None:
            self._found.setdefault(tier, []).extend(rows)
        elif chance.why in (_ESCALATED, _UNDRAWN):
            self._spare.setdefault((tier, chance.why), []).extend(rows)
        elif chance.why:
            self._left_out[chance.why] += 1
        if not said:
            self._unanswered.update(row.id for row in rows)

    def done(self) -> Labelled:
        # the escalated first: they say more about what is wrong than labels that nobody drew
        for (tier, why), rows in sorted(self._spare.items(), key=lambda item: (item[0][1] != _ESCALATED, item[0])):
            # where no call ran or was planned again, the reviewed ones are all that there were
            every = why == _ESCALATED and tier not in self._ran and tier not in self._retried
            if every or (tier not in self._found and (why == _UNDRAWN or tier in self._ran)):
                self._found.setdefault(tier, []).extend(rows)
            if not every:
                self._left_out[why] += len({row.id for row in rows})
        rows = sorted((row for rows in self._found.values() for row in rows), key=_identity)
        return Labelled(
            calls=tuple(row for row in rows if row.id not in self._unanswered),
            unanswered=tuple(row for row in rows if row.id in self._unanswered),
            ran_unjudged=dict(sorted(self._ran.items())),
            left_out={why: count for why, count in sorted(self._left_out.items()) if count},
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
            windows.add((moment(draw.since), moment(draw.until) if draw.until else datetime.max.replace(tzinfo=UTC)))
        return cls(drawn=drawn, windows=tuple(sorted(windows)))

    def among(self, record: Record) -> int:
        """Among how many draws the calls of a record were."""
        at = moment(record.at)
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
    stated = [label.probability for label in said if label.probability is not None]
    if _whole(record, verdict):
        if stated:
            return Chance(probability=max(stated))
        if verdict.route is Route.REVIEW:
            return _reviewed(record, verdict)
    if step.audited:
        return _second(record, verdict, draws, said)
    why = _UNDRAWN
    if stated or verdict.route is Route.REVIEW:
        why = "judged, and not audited: samples may have been saved for what they said"
    return Chance(probability=None, why=why if said else "")


def _whole(record: Record, verdict: Verdict) -> bool:
    """Whether all its samples would have been drawn in any case, whatever the first of them said."""
    rule = score_fingerprint(record.fingerprint, verdict.tier)["stopping"]
    return rule == "none" or verdict.reason in _ALWAYS_REVIEWED


def _reviewed(record: Record, verdict: Verdict) -> Chance:
    """A reviewer sees every such call, drawn or not. But they alone are the doubtful part of the traffic."""
    if record.verdict.audit_probability or verdict.reason in _ALWAYS_REVIEWED:
        return Chance(probability=1.0)
    return Chance(probability=None, why=_ESCALATED)


def _second(record: Record, verdict: Verdict, draws: Draws, said: Sequence[Label]) -> Chance:
    """The chance of an audited call, where there may have been a second draw among those that no reviewer sees."""
    batches, audit = draws.among(record), record.verdict.audit_probability
    # whoever judges every call judges every audited one, drawn again or not
    every = any(label.probability == 1 for label in said)
    if verdict.route is Route.REVIEW or not batches or every:
        return Chance(probability=audit)
    drawn = draws.drawn.get((record.id, verdict.call.id), ())
    if batches > 1 or len(drawn) > 1:
        return Chance(probability=None, why="two draws are about the same steps: nobody knows how likely either was")
    if drawn:
        return Chance(probability=audit * drawn[0].probability)
    return Chance(probability=None, why="audited, and not drawn in its batch" if said else "")


def _no_score(record: Record, verdict: Verdict) -> str:
    """Why no threshold is about this call; empty where one is."""
    measured = any(signal.value is not None or signal.bounds is not None for signal in _signals(verdict))
    reasons = {
        "critical: a human decides whatever the risk": verdict.tier is Tier.CRITICAL,
        "another call of its step was planned again": verdict.reason is Reason.SIBLING_RETRIED,
        "not measured": verdict.reason in _UNMEASURED or not measured,
        "an early stage kept it from running whatever its risk": verdict.doubted,
        "not all samples were drawn": record.verdict.curtailed and not record.verdict.audited,
    }
    return next((why for why, holds in reasons.items() if holds), "")


def _signals(verdict: Verdict) -> tuple[Signal, ...]:
    return verdict.scored or verdict.signals


def _worst(signal: Signal) -> float | None:
    """Its value; where samples were not valid, the one that they leave possible and that speaks least for the call.

    So it is at run time, where a call runs only if the greatest risk that they allow lies below the threshold.
    """
    if signal.bounds is None:
        return signal.value
    described = info(signal.name)
    if signal.name != RISK.name and described is None:
        return None
    low_is_safe = described is None or described.safer is Safer.LOW
    return signal.bounds[1] if low_is_safe else signal.bounds[0]


def _row(record: Record, index: int, verdict: Verdict, probability: float | None, label: Label | None) -> LabelledCall:
    signals = {signal.name: _worst(signal) for signal in _signals(verdict)}
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


def _told_apart(record: Record) -> Iterator[tuple[int, Verdict, tuple[Label, ...]]]:
    """The calls of a record whose labels cannot be about another one, with those that stand (``judgements``)."""
    ids = Counter(verdict.call.id for verdict in record.verdict.verdicts)
    for index, verdict in enumerate(record.verdict.verdicts):
        if ids[verdict.call.id] == 1:
            said = judgements(label for label in record.labels if label.call_id == verdict.call.id)
            yield index, verdict, said


def judged_calls(record: Record) -> Iterator[tuple[Verdict, tuple[Label, ...]]]:
    """The calls of a record that labels can tell apart, with the labels of each that stand."""
    return ((verdict, said) for _, verdict, said in _told_apart(record))


def judged_twice(records: Iterable[Record]) -> Iterator[tuple[Record, Verdict, tuple[Label, ...]]]:
    """The calls on which people contradict each other, with what they said."""
    for record in records:
        for verdict, said in judged_calls(record):
            if contradict(said):
                yield record, verdict, said
