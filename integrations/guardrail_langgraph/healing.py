"""What becomes of calls that wait, or have run, when the conversation goes on without them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Final

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall

from guardrail.codec import digest
from guardrail.engine import started_before
from guardrail.errors import ReviewConflict
from guardrail.types import Review, ReviewState, Route
from guardrail_langgraph.history import MARK, answered_behind, heal
from guardrail_langgraph.once import Once
from guardrail_langgraph.wiring import Wiring

_UNUSED: Final = frozenset({ReviewState.PENDING, ReviewState.CLAIMED, ReviewState.DECIDED})
_NOTE: Final = "a new message came before the decision"


def healed(
    messages: Sequence[AnyMessage], wiring: Wiring, *, thread_id: str, namespace: str, begins: bool
) -> list[AnyMessage] | None:
    """The history with an answer to every call that a newer message left open; None where there is none.

    Reviews that nothing waits for any more are closed, also those of calls that somebody else has answered, and, where
    a run ``begins`` or gave something up, those of graphs within this one.
    """

    def told(plan: AIMessage, call: MessageToolCall) -> str | None:
        mark = plan.additional_kwargs.get(MARK)
        if not isinstance(mark, dict) or mark.get("route") != Route.REVIEW.value:
            return None
        record_id, call_id = str(mark.get("record_id") or ""), call["id"] or ""
        reviews = [one for one in wiring.store.reviews(record_id=record_id, limit=1000) if one.call.id == call_id]
        started = started_before(reviews[-1]) if reviews else None
        return started or Once(wiring.store).told(digest("run", record_id, call_id))

    whole, dropped = heal(messages, told)
    left = {call["id"] or "" for call in dropped}
    waiting = wiring.queue.in_states(_UNUSED, thread_id=thread_id)
    own = [one for one in waiting if one.namespace == namespace and (one.call.id in left or _answered(one, messages))]
    given_up = bool(own) or (begins and any(isinstance(one, AIMessage) for one in messages))
    within = [one for one in waiting if given_up and _is_within(one.namespace, namespace)]
    for review_id in dict.fromkeys(one.id for one in [*own, *within]):
        with suppress(ReviewConflict):  # somebody has just closed it
            wiring.queue.supersede(review_id, by="guard", note=_NOTE)
    return whole if dropped else None


def _is_within(inner: str, outer: str) -> bool:
    return inner != outer and inner.startswith(f"{outer}|" if outer else "")


def _answered(review: Review, messages: Sequence[AnyMessage]) -> bool:
    """Whether another one than its tool has answered the call: nothing waits for the decision."""
    return any(
        isinstance(one, AIMessage) and one.id == review.step_id and review.call.id in answered_behind(messages, place)
        for place, one in enumerate(messages)
    )
