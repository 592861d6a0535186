"""Equal calls of the low tier, decided together: the call is shown once, and each decision is one of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.errors import InvalidDecision, NotPermitted
from guardrail.review import MAX_BATCH, Outcome
from guardrail.types import DecisionType, Review
from guardrail.web.errors import status_of
from guardrail.web.forms import Form, Typed
from guardrail.web.house import house, principal, whole_review
from guardrail.web.pages import reviews_words
from guardrail.web.pages.reviews_filter import equal_ones
from guardrail.web.pages.reviews_forms import PRESETS, decision_kind, plain_decision
from guardrail.web.pages.reviews_scene import may_act
from guardrail.web.show import Opening, show_value, unopened
from guardrail.web.templating import page

router = APIRouter()


@router.get("/reviews/together")
def look(request: Request) -> Response:
    """The equal calls that the address names, before they are decided."""
    return _shown(request, _reviews(request, request.query_params.getlist("id")), Typed())


@router.post("/reviews/together")
def decide_together(request: Request, form: Form) -> Response:
    """Decide alike on those that are chosen."""
    chosen = dict(part.partition(":")[::2] for part in form.all("chosen"))  # id -> digest as it was shown
    offered = _reviews(request, form.all("id"))
    if form.looks:
        return _shown(request, offered, form)
    try:
        kind = decision_kind(form)
        _check_chosen(chosen, offered)
        if kind is DecisionType.APPROVE:
            _check_opened(request, offered[0], form)
        outcomes = house(request).queue.decide_all(
            list(chosen), plain_decision(form, kind), by=principal(request), seen_digests=chosen
        )
    except (InvalidDecision, NotPermitted) as error:
        return _shown(request, offered, form, problem=str(error), status=status_of(error))
    if any(outcome.error for outcome in outcomes):
        return _shown(request, offered, form, outcomes=outcomes, status=409)
    return RedirectResponse("/reviews?said=together", status_code=303)


def _reviews(request: Request, ids: Sequence[str]) -> list[Review]:
    if not 1 <= len(ids) <= MAX_BATCH:
        raise InvalidDecision(f"1 to {MAX_BATCH} reviews are decided together, not {len(ids)}")
    return [whole_review(request, one) for one in dict.fromkeys(ids)]


def _check_chosen(chosen: Mapping[str, str], offered: Sequence[Review]) -> None:
    if not chosen:
        raise InvalidDecision("nothing was chosen: tick the calls that this is about")
    if not chosen.keys() <= {review.id for review in offered}:
        raise InvalidDecision("the form chooses calls that it did not show: open the list again")


def _check_opened(request: Request, review: Review, form: Typed) -> None:
    left = unopened(
        review.call.arguments, form.all("opened"), secret=getattr(request.state, "csrf", ""), bound=review.digest
    )
    if left:
        names = ", ".join(fold.path_text for fold in left)
        raise InvalidDecision(f"nothing was approved: open first what is folded ({names})")


def _shown(
    request: Request,
    reviews: list[Review],
    form: Typed,
    *,
    problem: str = "",
    outcomes: Sequence[Outcome] = (),
    status: int = 200,
) -> Response:
    first = reviews[0]
    equal = {review.id for review in reviews} <= {first.id, *equal_ones(reviews).get(first.id, ())}
    opening = Opening(
        here="/reviews/together",
        keys=frozenset(request.query_params.getlist("open")),
        query=tuple(("id", review.id) for review in reviews),
        secret=getattr(request.state, "csrf", ""),
        bound=first.digest,
    )
    return page(
        request,
        "together.html",
        status=status,
        reviews=reviews,
        first=first,
        equal=equal,
        person=may_act(principal(request)),
        call=show_value(first.call.arguments, opening),
        problem=problem,
        outcomes={outcome.review_id: outcome for outcome in outcomes},
        typed=form,
        presets=PRESETS,
        words=reviews_words,
        now=house(request).clock(),
    )
