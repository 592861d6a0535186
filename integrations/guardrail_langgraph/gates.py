"""Which calls of a step are asked about next: all at once, or one after the other."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, NotRequired, TypedDict

from guardrail import codec
from guardrail.types import Route, StepVerdict


class Asked(TypedDict):
    """What one gate is sent: plain JSON, since it is kept with the graph's state."""

    verdict: dict[str, Any]
    record_id: str
    planned: NotRequired[dict[str, Any]]
    coming: NotRequired[list[str]]
    beside: NotRequired[int]


def questions(
    step: StepVerdict, planned: Mapping[str | None, dict[str, Any]], answered: Collection[str], *, in_turn: bool
) -> list[Asked]:
    """The calls under review that nobody has answered yet, in the order of the plan; in turn, the first of them.

    ``planned`` are the calls' arguments as the graph has them, by call id. ``beside`` is how many others are asked
    about at the same time.
    """
    waiting = [one for one in step.verdicts if one.route is Route.REVIEW and one.call.id not in answered]
    asked = [
        Asked(verdict=codec.to_json(one), record_id=step.record_id, planned=planned[one.call.id]) for one in waiting
    ]
    if not in_turn:
        return [{**one, "beside": len(asked) - 1} for one in asked]
    coming = [one.review_id for one in waiting[1:]]
    return [{**first, "coming": coming} for first in asked[:1]]
