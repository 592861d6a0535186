"""The page of one review, put together; also the one that keeps what was typed when a decision was refused."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from guardrail.engine import Revealed
from guardrail.errors import GuardrailError
from guardrail.types import Review
from guardrail.visible import warnings
from guardrail.web.forms import Typed
from guardrail.web.pages import reviews_words
from guardrail.web.pages.reviews_forms import PRESETS
from guardrail.web.pages.reviews_scene import Scene, scene
from guardrail.web.show import (
    Opening,
    edit_form,
    show_conversation,
    show_differences,
    show_meanings,
    show_value,
    taken,
    unopened,
)
from guardrail.web.show.folds import ALL
from guardrail.web.templating import page

SAID: Final = {
    "claimed": "You hold this review now: nobody else decides on it meanwhile.",
    "renewed": "Your claim was prolonged.",
    "released": "You gave the review back.",
    "approved": "Approved. The call runs once, as it is shown here.",
    "edited": "Approved with your arguments. The call runs once, with them.",
    "rejected": "Rejected. The call does not run, and the agent is told.",
    "answered": "Answered. The call does not run, and the agent reads your answer in the tool's place.",
    "voted": "Your vote was counted. Others have to agree before the call runs.",
    "commented": "Your comment was kept.",
    "resolved": "What became of the call was written down.",
}
"""What a page says after something was done, by the word in its address."""
TITLES: Final = {
    "ReviewConflict": "Nothing was decided",
    "NotPermitted": "You may not do this",
    "InvalidDecision": "This cannot be sent as it is",
    "ConfigError": "Nothing was revealed",
    "NotFound": "Nothing was revealed",
}


def base_arguments(seen: Scene, take: str) -> dict[str, Any]:
    """The arguments that the edit form starts from: those of the alternative that is taken over, or the planned."""
    found = taken(seen.verdict, take) if seen.verdict is not None and take else None
    return seen.review.call.arguments if found is None else found


def shown(
    request: Request,
    review: Review,
    *,
    problem: GuardrailError | None = None,
    form: Typed | None = None,
    reading: Any = None,
    said: str = "",
    status: int = 200,
) -> Response:
    """The page; with a problem, why nothing came of what was sent, and all that was typed."""
    seen, typed = scene(request, review), form or Typed()
    take = typed.get("take") if form else request.query_params.get("take", "")
    opening = _opening(request, review, typed, take)
    call = show_value(review.call.arguments, opening)
    base = base_arguments(seen, take)
    editable = seen.decides and seen.allows("edit")
    return page(
        request,
        "review.html",
        status=status,
        scene=seen,
        review=review,
        call=call,
        call_warnings=warnings([review.call.name, review.call.arguments]),
        closed_folds=[fold for fold in call.folds if not fold.opened],
        meanings=_meanings(seen, opening, editable=editable),
        conversation=_conversation(seen, opening),
        form=(reading.form if reading is not None else edit_form(seen.tool, base)) if editable else None,
        changed=_changed(review, base, reading),
        edit_warnings=reading.warnings if reading is not None else (),
        decided_changes=_decided(review),
        take=take,
        take_known=base is not review.call.arguments,
        signals=reviews_words.measurements(seen.verdict.signals if seen.verdict else ()),
        typed=typed,
        presets=PRESETS,
        no_form=Typed(),
        problem=problem is not None,
        problem_kind=type(problem).__name__,
        problem_title=TITLES.get(type(problem).__name__, "This did not work"),
        problem_text=str(problem),
        said=SAID.get(said, ""),
        words=reviews_words,
        now=seen.now,
    )


def revealed(request: Request, review: Review, found: Revealed) -> Response:
    """What is hidden of a review, all of it open. Nothing of it stays in the browser: the answer is kept nowhere."""
    everything = Opening(keys=frozenset({ALL}))
    return page(
        request,
        "revealed.html",
        review=review,
        call=show_value(found.arguments, everything),
        edited=None if found.edited is None else show_value(found.edited, everything),
    )


def _opening(request: Request, review: Review, typed: Typed, take: str) -> Opening:
    """What is shown open: what the address says, and what the form that came back had opened."""
    secret = getattr(request.state, "csrf", "")
    keys = frozenset(request.query_params.getlist("open"))
    if typed.all("opened"):
        folds = show_value(review.call.arguments).folds
        left = unopened(review.call.arguments, typed.all("opened"), secret=secret, bound=review.digest)
        keys |= {fold.key for fold in folds} - {fold.key for fold in left}
    query = (("take", take),) if take else ()
    return Opening(here=f"/reviews/{review.id}", keys=keys, query=query, secret=secret, bound=review.digest)


def _meanings(seen: Scene, opening: Opening, *, editable: bool) -> Any:
    if seen.verdict is None or seen.record is None:
        return None
    return show_meanings(
        seen.verdict,
        seen.record.verdict,
        opening,
        planned=seen.review.call,
        editable=editable,
    )


def _conversation(seen: Scene, opening: Opening) -> Any:
    if seen.record is None or not seen.record.conversation:
        return None
    return show_conversation(seen.record.conversation, opening)


def _changed(review: Review, base: dict[str, Any], reading: Any) -> Any:
    """What the edit that is being made changes of the plan."""
    if reading is not None:
        return reading.differences
    return show_differences(review.call.arguments, base) if base is not review.call.arguments else None


def _decided(review: Review) -> Any:
    """What a decided edit changed of the plan."""
    if review.decision is None or review.decision.arguments is None:
        return None
    return show_differences(review.call.arguments, review.decision.arguments)
