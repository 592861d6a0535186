"""Calls that a person has refused in this thread, or that may have run before: planned again, they wait for a human.

Agreement is no argument against a refusal: a model that wants something asks for it again, and all its samples agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from guardrail.clustering import compare_calls
from guardrail.comparing import Named
from guardrail.policy import Policy
from guardrail.redaction import filled, holds_mark
from guardrail.review import DEADLINE, planned_as, runs_as
from guardrail.store import Store
from guardrail.types import DecisionType, PlanningStep, Reason, Review, ReviewState, ToolCall, ToolSpec

_PAST: Final = frozenset(ReviewState) - {ReviewState.PENDING, ReviewState.CLAIMED}
_UNFINISHED: Final = frozenset({ReviewState.EXECUTING, ReviewState.OUTCOME_UNKNOWN})
_MOST: Final = 10_000
_SAID: Final = {
    DecisionType.REJECT: "rejected",
    DecisionType.EDIT: "changed",
    DecisionType.RESPOND: "answered in the tool's place",
}


@dataclass(frozen=True, kw_only=True)
class Objection:
    """Why a call may not run without a human, whatever is measured."""

    reason: Reason
    detail: str


_CLEARED: Final = Objection(reason=Reason.AGREED, detail="")
"""A later decision let the same call run."""
_MARKED: Final = Objection(
    reason=Reason.HOLDS_MARK,
    detail="it has the mark of a hidden value, which somebody was shown, where the value itself should be",
)
"""A model that is told of its plans in marks may plan with them; all its samples then agree."""


def objections(store: Store, step: PlanningStep, policy: Policy, *, tenant: str) -> Mapping[int, Objection]:
    """By the index of a planned call, what the thread's past says against it; the last decision on a call counts.

    Calls are compared by structure, as samples are. Those that differ only in texts which might mean the same are
    taken for the same: nobody gets around a refusal by other words. So are those that may differ only in what is hidden
    of the past one; what was approved is told by its digest there. A call with a mark in it would not do what it says.
    """
    marked = {index: _MARKED for index, call in enumerate(step.planned.calls) if holds_mark(call.arguments)}
    if not step.thread_id or not step.planned.calls:
        return marked
    names = {call.name for call in step.planned.calls}
    past = [
        review
        for review in store.reviews(states=_PAST, thread_id=step.thread_id, limit=_MOST)
        if review.tenant == tenant and review.call.name in names and review.step_id != step.id
    ]
    past.sort(key=lambda review: review.decision.at if review.decision is not None else review.at)
    found: dict[int, Objection] = {}
    for index, call in enumerate(step.planned.calls) if past else ():
        tool = step.tool(call.name)
        comparators = policy.resolve(call, tool).comparators
        alike = _Alike(call, tool, comparators, stated_defaults=policy.stated_defaults)
        for review in past:
            if (said := _said(review, call, alike)) is not None:
                found[index] = said
    return {**{index: said for index, said in found.items() if said is not _CLEARED}, **marked}


class _Alike:
    """Whether a past call may be the planned one."""

    def __init__(
        self, call: ToolCall, tool: ToolSpec | None, comparators: Mapping[str, Named], *, stated_defaults: bool
    ) -> None:
        self._call = call
        self._tool = tool
        self._options: dict[str, Any] = {"comparators": dict(comparators), "stated_defaults": stated_defaults}

    def __call__(self, past: ToolCall, hidden: Sequence[str] = ()) -> bool:
        if past.name != self._call.name:
            return False
        if hidden:
            past = replace(past, arguments=filled(past.arguments, self._call.arguments, hidden))
        compared = compare_calls(past, self._call, self._tool, **self._options)
        return all(difference.pair is not None for difference in compared.differences)


def _said(review: Review, call: ToolCall, alike: _Alike) -> Objection | None:
    """What a past review says of the call; None: nothing."""
    decision = review.decision
    edited = None if decision is None else decision.arguments
    ran, hidden = review.call, review.hidden
    if decision is not None and edited is not None:
        ran, hidden = ToolCall(name=review.call.name, arguments=edited), decision.hidden
    if review.state in _UNFINISHED and alike(ran, hidden):
        return Objection(
            reason=Reason.MAY_HAVE_RUN,
            detail="the same call was started before in this thread, and nobody knows whether it took effect",
        )
    if decision is None:
        return None
    if decision.type is DecisionType.APPROVE:
        used = review.state is not ReviewState.SUPERSEDED
        return _CLEARED if used and _approved(review, call, alike) else None
    if edited is not None and runs_as(review, decision, call.name, call.arguments):
        return _CLEARED
    if not alike(review.call, review.hidden):
        return None
    who = "nobody decided on it in time" if decision.by == DEADLINE else f"a person {_SAID[decision.type]} it"
    return Objection(reason=Reason.REFUSED_BEFORE, detail=f"the same call was refused before in this thread: {who}")


def _approved(review: Review, call: ToolCall, alike: _Alike) -> bool:
    """Whether a past approval is of the planned call; where something is hidden, of exactly that one."""
    return planned_as(review, review.thread_id, call.name, call.arguments) if review.hidden else alike(review.call)
