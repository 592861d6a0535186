"""What waits: the list of reviews."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from guardrail.errors import ConfigError, InvalidDecision
from guardrail.review import READ, live
from guardrail.types import ReviewPage, Tier
from guardrail.visible import warnings
from guardrail.web.house import find_page, house, need
from guardrail.web.pages import reviews_one, reviews_together, reviews_words, theme
from guardrail.web.pages.reviews_filter import STATE_NAMES, Asked, asked, equal_ones
from guardrail.web.templating import page

router = APIRouter()
router.include_router(reviews_together.router)
router.include_router(reviews_one.router)
router.include_router(theme.router)
SAID = {"together": "The equal calls were decided together."}


@router.get("/")
def start() -> Response:
    """The reviews are what people come for."""
    return RedirectResponse("/reviews", status_code=303)


@router.get("/reviews")
def listed(request: Request) -> Response:
    """A page of the reviews that the filters ask for, the highest priority first."""
    who = need(request, READ, "read reviews")
    place = house(request)
    wanted, found, problem = Asked(), ReviewPage(reviews=()), ""
    try:
        wanted = asked(request.query_params)
        found = find_page(request, wanted.wanted(who), limit=place.settings.page_size, after=wanted.after)
    except (InvalidDecision, ConfigError) as error:
        problem = str(error)
    now = place.clock()
    return page(
        request,
        "reviews.html",
        status=400 if problem else 200,
        problem=problem,
        asked=wanted,
        found=found,
        claims={review.id: live(review, now) for review in found.reviews},
        warned={review.id: "; ".join(warnings(reviews_words.beginning(review.call))) for review in found.reviews},
        equal=equal_ones(found.reviews),
        states=STATE_NAMES,
        tiers=[tier.value for tier in Tier],
        words=reviews_words,
        now=now,
        said=SAID.get(request.query_params.get("said", ""), ""),
    )
