"""Judgements from elsewhere attached to the records they are about: all that is given is checked before any is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from guardrail.calibration.judgements import contradict
from guardrail.calibration.labelled import judged_calls
from guardrail.errors import ConfigError, NotFound
from guardrail.redaction import masked_text
from guardrail.store import Store
from guardrail.types import Fault, Label, LabelSource, Record

MUST_SAY: Final = "it must be true or false; leave out what nobody judged"
FIELDS: Final = ("record", "call", "id", "correct", "by", "at", "note", "fault", "probability")


@dataclass(frozen=True, kw_only=True)
class Given:
    """One judgement as it comes from a file or a service. ``where`` is its place; ``data`` has ``record`` and ``call``
    (not needed where the record has one call), or ``id`` (record/call), and ``correct``; and may have ``by``, ``at``
    (ISO 8601), ``note``, ``fault`` and ``probability``.
    """

    where: str
    data: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Attached:
    """What became of judgements: how many are ``new``, were there ``before``, are about records that are not here, or
    state no probability; and the calls that are now judged both right and wrong.
    """

    new: int = 0
    before: int = 0
    unknown: int = 0
    unstated: int = 0
    contradictions: tuple[tuple[str, str], ...] = ()


def attach(
    store: Store,
    given: Iterable[Given],
    *,
    by: str,
    source: LabelSource = LabelSource.IMPORT,
    probability: float | None = None,
    skip_unknown: bool = False,
    tell: Callable[[int, int], None] = lambda _done, _all: None,
) -> Attached:
    """Attach judgements to the records of a store; giving the same ones again changes nothing.

    ``by`` and ``probability`` are those of judgements that state none. ``tell`` hears how many of how many are kept.

    Raises:
        ConfigError: one of them cannot be read, is about a call that is not there, or comes twice; the message has its
            place, and nothing was kept.
    """
    labels: dict[tuple[str, str], tuple[str, Label]] = {}
    unknown = 0
    for one in given:
        try:
            record = _record(store, one.data)
            label = _label(record, one.data, by=by, source=source, probability=probability)
        except NotFound as error:
            if not skip_unknown:
                raise ConfigError(f"{one.where}: {error}; --skip-unknown leaves such rows out") from error
            unknown += 1
            continue
        except ConfigError as error:
            raise ConfigError(f"{one.where}: {error}") from error
        key = (record.id, label.call_id)
        if key in labels:
            raise ConfigError(
                f"{one.where}: the same call as {labels[key][0]}; a call judged twice is no second evidence"
            )
        labels[key] = (one.where, label)
    found = _kept(store, [(record, label) for (record, _), (_, label) in labels.items()], tell)
    unstated = sum(label.probability is None for _, label in labels.values())
    return replace(found, unknown=unknown, unstated=unstated)


def _kept(store: Store, labels: list[tuple[str, Label]], tell: Callable[[int, int], None]) -> Attached:
    new = before = 0
    against = []
    now = datetime.now(UTC).isoformat()
    for done, (record_id, label) in enumerate(labels, 1):
        known = store.record(record_id)
        if any(_same(label, one) for one in known.labels):
            before += 1
        else:
            known = store.add_label(record_id, label if label.at else replace(label, at=now))
            new += 1
        against += contradicted(known, label)
        tell(done, len(labels))
    return Attached(new=new, before=before, contradictions=tuple(against))


def contradicted(record: Record, label: Label) -> list[tuple[str, str]]:
    """The call that a label is about, if it is judged both right and wrong now: record and call id."""
    return [
        (record.id, label.call_id)
        for verdict, said in judged_calls(record)
        if verdict.call.id == label.call_id and contradict(said)
    ]


def _same(new: Label, known: Label) -> bool:
    """A judgement that does not say when it was made is the one that is there, if it says the same."""
    return new == (known if new.at else replace(known, at=""))


def _record(store: Store, data: Mapping[str, Any]) -> Record:
    identity = _text(data, "record") or _text(data, "id").partition("/")[0]
    if not identity:
        raise ConfigError("it names no record: give record, and call where the record has several calls")
    found = store.record(identity)
    if found.id != identity:
        raise NotFound(f"there is no record {identity!r}: give the whole id")
    return found


def _label(
    record: Record, data: Mapping[str, Any], *, by: str, source: LabelSource, probability: float | None
) -> Label:
    calls = [verdict.call.id for verdict, _ in judged_calls(record)]
    call = _text(data, "call") or _text(data, "id").partition("/")[2]
    if not call and len(record.verdict.verdicts) == 1 and calls:
        call = calls[0]
    elif call not in calls:
        raise ConfigError(
            f"record {record.id[:12]} has no call {call!r} to judge; it has: {', '.join(calls) or 'none'}"
        )
    correct = data.get("correct")
    if not isinstance(correct, bool):
        raise ConfigError(f"correct is {correct!r}: {MUST_SAY}")
    return Label(
        call_id=call,
        correct=correct,
        source=source,
        by=_text(data, "by") or by,
        at=_at(_text(data, "at")),
        note=masked_text(_text(data, "note")),
        fault=_fault(_text(data, "fault"), correct=correct),
        probability=_probability(data.get("probability"), probability),
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise ConfigError(f"{name} is {value!r}: it must be text")
    return value


def _at(text: str) -> str:
    if not text:
        return ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigError(f"at is {text!r}: it must be a time like 2026-03-02T12:00:00Z") from error
    return moment.isoformat() if moment.tzinfo is not None else moment.replace(tzinfo=UTC).isoformat()


def _fault(text: str, *, correct: bool) -> Fault | None:
    if not text:
        return None
    if correct:
        raise ConfigError(f"fault is {text!r}, and the call is right: a right call has none")
    try:
        return Fault(text)
    except ValueError as error:
        raise ConfigError(f"fault is {text!r}; there are: {', '.join(Fault)}") from error


def _probability(value: Any, default: float | None) -> float | None:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1:
        raise ConfigError(f"probability is {value!r}: it must be a number above 0 and at most 1, or be left out")
    return float(value)
