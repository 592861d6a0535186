"""Which calls of a store wait for somebody's judgement, and how they came to: those that a promise rests on first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from guardrail.calibration.judgements import moment
from guardrail.calibration.labelled import Draws, chance_of, judged_calls
from guardrail.review import WAITING
from guardrail.store import Store, stored_draws, stored_records
from guardrail.types import Record, Route, Tier, Verdict

_ALL: Final = 10**9


class Why(IntEnum):
    """Why a call is asked about; the least comes first."""

    DRAWN = 0
    """A draw chose it: until somebody judges it, it counts as wrong."""
    REVIEWED = 1
    """A reviewer saw it, and did not say whether it was right."""
    UNDRAWN = 2
    """Nothing chose it: a judgement of it tells something, and no promise can rest on it."""


@dataclass(frozen=True, kw_only=True)
class Open:
    """A call that nobody has judged."""

    record_id: str
    call_id: str
    at: str
    why: Why


def open_calls(
    store: Store,
    *,
    tier: Tier | None = None,
    tool: str | None = None,
    drawn_only: bool = False,
    records: Iterable[Record] | None = None,
) -> list[Open]:
    """The calls that nobody has judged, those that were drawn first and the oldest of these first; of the undrawn the
    newest. Calls that wait for a reviewer are left to the review, and calls that share their id with another of their
    step to nobody: a label could not say which it is about. ``records`` are those to look at, newest first; by default
    all of the store.
    """
    draws = Draws.of(stored_draws(store))
    found: list[Open] = []
    for record in stored_records(store) if records is None else records:
        found += open_calls_of(store, record, draws, tier=tier, tool=tool, drawn_only=drawn_only)
    drawn = [one for one in found if one.why is not Why.UNDRAWN]
    drawn.sort(key=lambda one: (one.why, moment(one.at), one.record_id))
    return [*drawn, *(one for one in found if one.why is Why.UNDRAWN)]


def open_calls_of(
    store: Store,
    record: Record,
    draws: Draws,
    *,
    tier: Tier | None = None,
    tool: str | None = None,
    drawn_only: bool = False,
) -> list[Open]:
    """As ``open_calls``, of one record. ``draws`` are all that were made."""
    found = []
    waiting: set[str] | None = None
    for verdict, said in judged_calls(record):
        if said or tier not in (None, verdict.tier) or tool not in (None, verdict.call.name):
            continue
        why = _why(record, verdict, draws)
        if drawn_only and why is not Why.DRAWN:
            continue
        if waiting is None:
            waiting = _waiting(store, record)
        if verdict.call.id not in waiting:
            found.append(Open(record_id=record.id, call_id=verdict.call.id, at=record.at, why=why))
    return found


def _waiting(store: Store, record: Record) -> set[str]:
    """The calls of a record that a reviewer is still to decide on."""
    if all(verdict.route is not Route.REVIEW for verdict in record.verdict.verdicts):
        return set()
    return {one.call.id for one in store.reviews(states=WAITING, record_id=record.id, limit=_ALL)}


def _why(record: Record, verdict: Verdict, draws: Draws) -> Why:
    if chance_of(record, verdict, draws).probability is None:
        return Why.UNDRAWN
    return Why.REVIEWED if verdict.route is Route.REVIEW and not record.verdict.audited else Why.DRAWN
