"""One review: everything about it, and what people may do with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.engine import reveal
from guardrail.errors import ConfigError, GuardrailError, InvalidDecision, NotFound, ReviewConflict, ReviewError
from guardrail.review import RUNS, WAITING
from guardrail.review.people import check_reviewer
from guardrail.types import DecisionType, Review, ReviewState
from guardrail.web.errors import status_of
from guardrail.web.forms import Form, Typed
from guardrail.web.house import house, principal, whole_review
from guardrail.web.pages.reviews_forms import decision_kind, plain_decision, revision
from guardrail.web.pages.reviews_page import base_arguments, revealed, shown
from guardrail.web.pages.reviews_scene import scene
from guardrail.web.show import read_form, unopened

router = APIRouter()
_SAID: Final = {
    DecisionType.APPROVE: "approved",
    DecisionType.EDIT: "edited",
    DecisionType.REJECT: "rejected",
    DecisionType.RESPOND: "answered",
}


@router.get("/reviews/{review_id}")
def one(request: Request, review_id: str) -> Response:
    """Everything about a review."""
    return shown(request, whole_review(request, review_id), said=request.query_params.get("said", ""))


@router.get("/reviews/{review_id}/claim")
@router.get("/reviews/{review_id}/release")
@router.get("/reviews/{review_id}/comment")
@router.get("/reviews/{review_id}/resolve")
@router.get("/reviews/{review_id}/decide")
@router.get("/reviews/{review_id}/reveal")
def back(request: Request, review_id: str) -> Response:
    """Where a form was sent to, opened again: nothing is there but the review."""
    return RedirectResponse(f"/reviews/{whole_review(request, review_id).id}", status_code=303)


@router.post("/reviews/{review_id}/claim")
def claim(request: Request, review_id: str, form: Form) -> Response:
    """Hold it for a while: nobody else decides meanwhile. Again prolongs it."""
    queue, who = house(request).queue, principal(request)
    if form.get("renew"):
        return _done(request, review_id, form, lambda one: queue.renew(one.id, by=who), "renewed")
    override = bool(form.get("override"))
    return _done(request, review_id, form, lambda one: queue.claim(one.id, by=who, override=override), "claimed")


@router.post("/reviews/{review_id}/release")
def release(request: Request, review_id: str, form: Form) -> Response:
    """Give it back."""
    queue, who = house(request).queue, principal(request)
    override = bool(form.get("override"))
    return _done(request, review_id, form, lambda one: queue.release(one.id, by=who, override=override), "released")


@router.post("/reviews/{review_id}/comment")
def comment(request: Request, review_id: str, form: Form) -> Response:
    """Write something beside it."""
    queue, who = house(request).queue, principal(request)
    return _done(
        request,
        review_id,
        form,
        lambda one: queue.comment(one.id, by=who, text=form.text("text")),
        "commented",
    )


@router.post("/reviews/{review_id}/resolve")
def resolve(request: Request, review_id: str, form: Form) -> Response:
    """Say what became of a call that a crash left executing, after looking."""
    queue, who = house(request).queue, principal(request)

    def change(review: Review) -> Review:
        check_reviewer(who, review, "say what became of it")
        if review.state is not ReviewState.EXECUTING:
            raise ReviewConflict(f"review {review.id[:12]} is {review.state.value}: nothing is open about its outcome")
        if form.get("outcome") not in ("ran", "unknown"):
            raise InvalidDecision("say whether it took effect, or nobody can tell")
        note = form.text("note")
        if not note:
            raise InvalidDecision("say how you know: it stays in the history")
        return (queue.finish if form.get("outcome") == "ran" else queue.unknown)(review.id, by=who, note=note[:2000])

    return _done(request, review_id, form, change, "resolved")


@router.post("/reviews/{review_id}/reveal")
def look(request: Request, review_id: str, form: Form) -> Response:
    """What is hidden of it, for those who may; the audit log says that they looked."""
    place, review = house(request), whole_review(request, review_id)
    try:
        found = reveal(place.store, review.id, by=principal(request), now=place.clock)
    except (ReviewError, ConfigError, NotFound) as error:
        return _refused(request, review_id, form, error)
    return revealed(request, review, found)


@router.post("/reviews/{review_id}/decide")
def decide(request: Request, review_id: str, form: Form) -> Response:
    """Approve, edit, reject or respond: on what was shown, and on nothing that came after."""
    review, who = whole_review(request, review_id), principal(request)
    if form.looks:
        return shown(request, review, form=form)
    more: dict[str, Any] = {}
    base: dict[str, Any] | None = None
    try:
        kind = decision_kind(form)
        decision = plain_decision(form, kind)
        if kind is DecisionType.EDIT:
            seen = scene(request, review)
            base = base_arguments(seen, form.get("take"))
            reading = more["reading"] = read_form(seen.tool, base, form.pairs, planned=review.call.arguments)
            if not reading.send or reading.arguments is None:
                return shown(request, review, form=form, status=422 if reading.errors else 200, **more)
            decision = replace(decision, arguments=reading.arguments)
        _check_unchanged(review, form)
        if kind in RUNS:
            _check_opened(request, review, form, edited=decision.arguments, base=base)
        decided = house(request).queue.decide(
            review.id, decision, by=who, seen_digest=form.get("digest"), override=bool(form.get("override"))
        )
    except ReviewError as error:
        return _refused(request, review_id, form, error, **more)
    voted = decided.state in WAITING
    return _to(review, "voted" if voted else _SAID[kind])


def _check_unchanged(review: Review, form: Typed) -> None:
    """Whether nothing happened to it since the page was made, as far as that can matter to who decides."""
    if review.state in WAITING and revision(form) != review.revision:
        last = review.history[-1] if review.history else None
        what = f": {last.note or last.state.value} by {last.by}" if last is not None else ""
        raise ReviewConflict(f"this review changed since you looked at it{what}. Nothing was decided: look again")


def _check_opened(
    request: Request, review: Review, form: Typed, *, edited: dict[str, Any] | None, base: dict[str, Any] | None
) -> None:
    """Whether all that would run was shown: of an edit, what stands in it as it stood in what it was made from."""
    left = unopened(
        review.call.arguments if edited is None else edited,
        form.all("opened"),
        secret=getattr(request.state, "csrf", ""),
        bound=review.digest,
        base=base,
    )
    if left:
        names = ", ".join(fold.path_text for fold in left[:5])
        raise InvalidDecision(f"nothing was decided: open first what is folded ({names}), since it would run too")


def _done(request: Request, review_id: str, form: Typed, change: Callable[[Review], Review], said: str) -> Response:
    review = whole_review(request, review_id)
    if form.looks:
        return shown(request, review, form=form)
    try:
        change(review)
    except ReviewError as error:
        return _refused(request, review_id, form, error)
    return _to(review, said)


def _refused(request: Request, review_id: str, form: Typed, error: GuardrailError, **more: Any) -> Response:
    """The page again, as the review stands now, with what was typed and why nothing came of it."""
    review = whole_review(request, review_id)
    return shown(request, review, problem=error, form=form, status=status_of(error), **more)


def _to(review: Review, said: str) -> Response:
    return RedirectResponse(f"/reviews/{review.id}?said={said}", status_code=303)
