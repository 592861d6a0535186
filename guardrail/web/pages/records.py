"""Assessed steps: the list of them, and one with its samples, signals, cost and labels."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from guardrail.calibration.labelled import Draws, judged_calls
from guardrail.engine.questions import open_calls_of
from guardrail.store import stored_draws
from guardrail.types import Label, Record, Review, Verdict
from guardrail.web.house import house, visible_record, visible_records
from guardrail.web.pages import figures, reviews_words
from guardrail.web.show import Opening, show_conversation, show_meanings, show_value
from guardrail.web.templating import page

_REVIEWS: Final = 200
_LONGEST: Final = 300
router = APIRouter()


@router.get("/records")
def listed(request: Request, thread: str = "", before: str = "") -> Response:
    """Steps, the newest first."""
    found, place = visible_records(
        request, thread_id=thread[:_LONGEST] or None, limit=house(request).settings.page_size, before=before
    )
    return page(
        request, "records.html", records=found, before=place, later=bool(before), thread=thread[:_LONGEST], say=figures
    )


@router.get("/records/{record_id}")
def show(request: Request, record_id: str, evidence: str = "") -> Response:
    """One step. What was measured of a call that still is to be judged is hidden until somebody asks for it: whoever
    judges it is to go by what was asked for.
    """
    record = visible_record(request, record_id)
    store = house(request).store
    waiting = open_calls_of(store, record, Draws.of(stored_draws(store)), drawn_only=True)
    hidden = set() if evidence else {one.call_id for one in waiting}
    reviews = [one for one in store.reviews(record_id=record.id, limit=_REVIEWS) if one.tenant == record.tenant]
    opening = Opening(
        here=f"/records/{record.id}",
        keys=frozenset(request.query_params.getlist("open")),
        query=(("evidence", "1"),) if evidence else (),
    )
    return page(
        request,
        "record.html",
        record=record,
        step=record.verdict,
        calls=[_call(one, record, reviews, opening, hidden=one.call.id in hidden) for one in record.verdict.verdicts],
        conversation=show_conversation(record.conversation, opening),
        samples=[_sample(record, index) for index in range(len(record.samples))] if not hidden else [],
        hidden=bool(hidden),
        says=says,
        draws=[draw for _, draw in store.draws(record_id=record.id)],
        say=figures,
    )


def _call(
    verdict: Verdict, record: Record, reviews: list[Review], opening: Opening, *, hidden: bool
) -> dict[str, object]:
    call_id = verdict.call.id
    return {
        "verdict": verdict,
        "arguments": show_value(verdict.call.arguments, opening),
        "hidden": hidden,
        "meanings": None if hidden else show_meanings(verdict, record.verdict, opening, editable=False),
        "signals": [] if hidden else [reviews_words.measured(signal) for signal in verdict.signals],
        "reviews": [one for one in reviews if one.call.id == call_id],
        "labels": [one for one in record.labels if one.call_id == call_id],
        "standing": next((said for one, said in judged_calls(record) if one.call.id == call_id), ()),
    }


def says(label: Label) -> str:
    """What a label says of its call, in words."""
    if label.correct:
        return "right"
    return "wrong" if label.fault is None else reviews_words.FAULTS[label.fault]


def _sample(record: Record, index: int) -> dict[str, object]:
    sample = record.samples[index]
    return {"number": index + 1, "sample": sample, "tools": [call.name for call in sample.calls]}
