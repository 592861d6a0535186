"""Which calls a tenant's people are asked to judge, and what becomes of an answer."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from starlette.requests import Request

from guardrail.calibration.judgements import contradict
from guardrail.calibration.labelled import judged_calls
from guardrail.engine.questions import Open, open_calls
from guardrail.errors import ConfigError, InvalidDecision, NotFound, NotPermitted, StoreError
from guardrail.redaction import masked_text
from guardrail.review import WAITING, same_person
from guardrail.store import Store, stored_records
from guardrail.types import Alarm, Fault, Label, LabelSource, Principal, Record, Tier, Verdict
from guardrail.watching import look
from guardrail.web.house import house
from guardrail.web.pages.board import boards, operates, promise_of
from guardrail.web.pages.fresh import Fresh

MOST_RECORDS: Final = 5000
"""The latest so many records are looked at for calls to judge; older ones are for the command line."""
SECONDS: Final = 30.0
LONGEST_NOTE: Final = 5000
ANSWERS: Final = {"right": None, "wrong": Fault.WRONG, "unwanted": Fault.UNWANTED}
_REVIEWS: Final = 1000
_DIGITS: Final = 6
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A call that waits for a judgement. Where it went is not told: that would say what the guard made of it."""

    open: Open
    tier: Tier
    tool: str
    place: int
    """Which call of its step it is. Addresses and forms go by it: an id is the model's, and may be any text."""


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """What waits in a tenant: calls to judge, those that a promise rests on first, and calls that were judged both
    right and wrong (record, and place of the call). ``cut``: only the latest records were looked at.
    """

    calls: tuple[Asked, ...]
    contradictions: tuple[tuple[str, int], ...]
    cut: bool

    def judged(self, record_id: str, place: int, standing: tuple[Label, ...]) -> Waiting:
        """What waits after somebody judged a call, of which that stands now."""
        call = (record_id, place)
        others = tuple(one for one in self.contradictions if one != call)
        return Waiting(
            calls=tuple(one for one in self.calls if (one.open.record_id, one.place) != call),
            contradictions=(call, *others) if contradict(standing) else others,
            cut=self.cut,
        )


def waiting(request: Request, who: Principal) -> Waiting:
    """What waits for the people of somebody's tenant: as it stood half a minute ago, or longer where there is much to
    read. Whoever puts a question looks whether it was answered since.
    """
    store = house(request).store
    return _rooms(request).get(who.tenant, "", lambda: _read(store, who.tenant))


def call_at(record: Record, place: str) -> str:
    """The id of the call that stands there in its step.

    Raises:
        NotFound: none does.
    """
    calls = record.verdict.verdicts
    if not place.isascii() or not place.isdecimal() or len(place) > _DIGITS or int(place) >= len(calls):
        raise NotFound("there is no such call in this record")
    return calls[int(place)].call.id


def place_of(record: Record, call_id: str) -> int:
    """Where the call of that id stands in its step."""
    return [verdict.call.id for verdict in record.verdict.verdicts].index(call_id)


def told_apart(record: Record, call_id: str) -> tuple[Verdict, tuple[Label, ...]]:
    """A call of a record, and what stands of the judgements on it.

    Raises:
        NotFound: there is none that a label could be about.
    """
    for verdict, said in judged_calls(record):
        if verdict.call.id == call_id:
            return verdict, said
    raise NotFound("there is no call of this id to judge in this record")


def check_judge(store: Store, who: Principal, record: Record, call_id: str) -> None:
    """Whether somebody may judge a call. Who decided on it as a reviewer may; who asked for it may not.

    Raises:
        NotPermitted: it was asked for in this one's name.
        InvalidDecision: a reviewer is still to decide on it.
    """
    reviews = [one for one in store.reviews(record_id=record.id, limit=_REVIEWS) if one.tenant == record.tenant]
    for review in reviews:
        if review.requester and same_person(review.requester, who.name):
            raise NotPermitted(f"{who.name} asked for this call: somebody else has to judge it")
    if any(one.call.id == call_id and one.state in WAITING for one in reviews):
        raise InvalidDecision("a reviewer is still to decide on this call: judge it there, by deciding")


def keep(request: Request, record: Record, call_id: str, *, who: Principal, answer: str, note: str) -> Label | None:
    """Keep an answer as a label, as `guardrail label` does; None where the same person has said the same before.

    Raises:
        InvalidDecision: it is no answer, or the note is too long.
        NotFound: there is no such call.
    """
    if answer not in ANSWERS:
        raise InvalidDecision(f"an answer is one of {', '.join(ANSWERS)}: what nobody can tell stays open")
    if len(note) > LONGEST_NOTE:
        raise InvalidDecision(f"the note has {len(note)} characters, the limit is {LONGEST_NOTE}")
    _, said = told_apart(record, call_id)
    label = Label(
        call_id=call_id,
        correct=answer == "right",
        source=LabelSource.AUDIT,
        by=who.name,
        at=house(request).clock().isoformat(),
        note=masked_text(note.strip()),
        fault=ANSWERS[answer],
    )
    words = (label.correct, label.fault, label.note, label.source)
    if any(one.by == who.name and (one.correct, one.fault, one.note, one.source) == words for one in said):
        return None
    known = house(request).store.add_label(record.id, label)
    place, standing = place_of(known, call_id), told_apart(known, call_id)[1]
    _rooms(request).change(who.tenant, "", lambda kept: kept.judged(record.id, place, standing))
    return label


def after_label(request: Request, who: Principal) -> tuple[tuple[Alarm, ...], str]:
    """Tell the watch of a label: the alarms that it raises at once, and why it could not be told. The label stands in
    any case, and the next look takes it in.
    """
    served = house(request)
    boards(request).forget(who.tenant)
    try:
        promised = promise_of(served)
        raised = look(served.store, promised, now=served.clock).raised if promised is not None else ()
    except (ConfigError, StoreError) as error:
        _log.warning("the watch was not told of a label (%s)", type(error).__name__)
        return (), "the watch could not be told now: its next look takes this answer in"
    return (raised if operates(request, who) else ()), ""


def _read(store: Store, tenant: str) -> Waiting:
    reading = _Reading(store, tenant)
    found = open_calls(store, records=reading.records())
    calls = ((one, *reading.calls[one.record_id, one.call_id]) for one in found)
    asked = (Asked(open=one, tier=tier, tool=tool, place=place) for one, tier, tool, place in calls)
    return Waiting(calls=tuple(asked), contradictions=tuple(reading.contradictions), cut=reading.cut)


class _Reading:
    """The latest records of a tenant, and what is remembered of them as they pass."""

    def __init__(self, store: Store, tenant: str) -> None:
        self._store = store
        self._tenant = tenant
        self.calls: dict[tuple[str, str], tuple[Tier, str, int]] = {}
        self.contradictions: list[tuple[str, int]] = []
        self.cut = False

    def records(self) -> Iterator[Record]:
        for seen, record in enumerate(stored_records(self._store)):
            if seen == MOST_RECORDS:
                self.cut = True
                return
            if record.tenant != self._tenant:
                continue
            for verdict, said in judged_calls(record):
                place = place_of(record, verdict.call.id)
                self.calls[record.id, verdict.call.id] = (verdict.tier, verdict.call.name, place)
                if contradict(said):
                    self.contradictions.append((record.id, place))
            yield record


def _rooms(request: Request) -> Fresh[Waiting]:
    state = request.app.state
    if not hasattr(state, "to_judge"):
        state.to_judge = Fresh(SECONDS)
    found: Fresh[Waiting] = state.to_judge
    return found
