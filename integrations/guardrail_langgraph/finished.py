"""Calls that have run, as the graph itself tells: a tool node that is not the guard's own closes no review.

What counts is the tool's own answer in the messages, right behind the plan whose call was approved. Wherever anything
about it is not certain, the review stays ``executing`` and is a person's matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import Any, Final

from langchain_core.messages import AIMessage, BaseMessage, ToolMessage

from guardrail.errors import ReviewConflict
from guardrail.review import RUNS, Queue, Who
from guardrail.types import Review, ReviewState
from guardrail_langgraph.history import MARK

EXECUTING: Final = frozenset({ReviewState.EXECUTING})
NOTE: Final = "the graph has the tool's answer"


def has_run(review: Review, messages: Sequence[BaseMessage]) -> bool:
    """Whether the messages hold what the tool itself answered to the review's call.

    They do if exactly one message of the plan's id plans the call, and behind it, before the next turn of the model,
    exactly one message answers it, under the tool's name, which the guard did not write.
    """
    if review.state is not ReviewState.EXECUTING or review.decision is None or review.decision.type not in RUNS:
        return False
    places = [place for place, message in enumerate(messages) if _plans(message, review)]
    if len(places) != 1:
        return False
    behind = takewhile(lambda message: not isinstance(message, AIMessage), messages[places[0] + 1 :])
    answers = [one for one in behind if isinstance(one, ToolMessage) and one.tool_call_id == review.call.id]
    return len(answers) == 1 and answers[0].name == review.call.name and MARK not in answers[0].additional_kwargs


def message_lists(values: Any) -> Iterator[list[BaseMessage]]:
    """The lists of messages in a graph's state."""
    for found in values.values() if isinstance(values, dict) else [values]:
        if isinstance(found, list) and found and all(isinstance(one, BaseMessage) for one in found):
            yield found


def finish_answered(
    queue: Queue, messages: Sequence[BaseMessage], *, thread_id: str, namespace: str, by: Who
) -> list[Review]:
    """Close the reviews of a graph's thread whose calls its messages answer, and return them as closed."""
    if not thread_id or not any(isinstance(one, ToolMessage) for one in messages):
        return []
    done = []
    for review in queue.in_states(EXECUTING, thread_id=thread_id):
        if review.namespace == namespace and has_run(review, messages):
            with suppress(ReviewConflict):  # somebody else has closed it
                done.append(queue.finish(review.id, by=by, note=NOTE))
    return done


def _plans(message: BaseMessage, review: Review) -> bool:
    if not isinstance(message, AIMessage) or not review.step_id or message.id != review.step_id:
        return False
    return [call["name"] for call in message.tool_calls if call["id"] == review.call.id] == [review.call.name]
