"""Look at the queue."""

from __future__ import annotations

from typing import Annotated

from fastapi import Path
from starlette.requests import Request

from guardrail.audit import shard_of
from guardrail.engine import revealing
from guardrail.errors import ConfigError, NotFound
from guardrail.web.api import telling, told
from guardrail.web.api.asked import NoQuery, Once, ReviewsQuery, TrailQuery
from guardrail.web.api.routing import READING, WRITING, may_read, problems, room
from guardrail.web.errors import Refused, kind_with
from guardrail.web.house import find_page, house, principal, visible_record, whole_review

router = room("reviews", may_read)
ReviewId = Annotated[str, Path(max_length=200, description="The whole id of a review.")]


@router.get("/reviews", summary="List reviews", responses=READING | problems(400), dependencies=[Once])
def list_reviews(request: Request, wanted: ReviewsQuery) -> told.ReviewsTold:
    """The highest priority first, the oldest of one priority first. Needs the scope `reviews:read`."""
    page = find_page(request, wanted.filter(), limit=wanted.limit, after=wanted.after)
    return told.ReviewsTold(reviews=tuple(map(telling.line, page.reviews)), after=page.after)


@router.get("/reviews/{review_id}", summary="One review", responses=READING | problems(404), dependencies=[NoQuery])
def get_review(request: Request, review_id: ReviewId) -> told.ReviewTold:
    """The call as it would run, whole, and the evidence on it, cut where it is very long. All of it is untrusted text.
    A decision names the `digest` given here. Needs the scope `reviews:read`.
    """
    review = whole_review(request, review_id)
    try:
        record = telling.record(visible_record(request, review.record_id))
    except NotFound:
        record = None
    return told.ReviewTold(review=telling.whole(review), record=record)


@router.post("/reviews/{review_id}/reveal", summary="Reveal what is hidden", responses=WRITING, dependencies=[NoQuery])
def reveal(request: Request, review_id: ReviewId) -> told.RevealedTold:
    """The arguments with what the policy hides. The audit log says who looked, before anybody sees it. For people with
    the role `reviews:reveal` and the scope `reviews:read`.
    """
    review, now = whole_review(request, review_id), house(request).clock
    try:
        found = revealing.reveal(house(request).store, review.id, by=principal(request), now=now)
    except ConfigError as error:
        raise Refused(kind_with(503), str(error)) from error
    return told.RevealedTold(arguments=found.arguments, edited=found.edited)


@router.get(
    "/reviews/{review_id}/history", summary="What happened", responses=READING | problems(404), dependencies=[NoQuery]
)
def get_history(request: Request, review_id: ReviewId) -> told.HistoryTold:
    """Every change of state, every vote and comment. Needs the scope `reviews:read`."""
    return telling.history(whole_review(request, review_id))


@router.get(
    "/reviews/{review_id}/audit", summary="Its audit trail", responses=READING | problems(404), dependencies=[Once]
)
def get_trail(request: Request, review_id: ReviewId, wanted: TrailQuery) -> told.EntriesTold:
    """What the append-only log says of it, in order. Needs the scope `reviews:read`."""
    review = whole_review(request, review_id)
    asked = {"shard": shard_of(review.id), "after": wanted.after, "limit": wanted.limit}
    page = house(request).store.audit_entries(tenant=review.tenant, subject=review.id, **asked)
    after = page[-1].number if page else wanted.after
    return told.EntriesTold(entries=tuple(page), after=after, more=len(page) == wanted.limit)
