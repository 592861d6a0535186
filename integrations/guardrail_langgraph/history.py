"""What the message history says: earlier tries of a step, and calls that were never answered.

The guard marks its own tool messages under ``additional_kwargs["guardrail"]``, so that the retry budget lives
in the graph's state and needs no channel of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import takewhile
from typing import Any, Literal

from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, ToolMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall

from guardrail.types import Route

MARK = "guardrail"
Outcome = Literal["retry", "rejected", "responded", "refused", "superseded"]


def last_plan(messages: Sequence[BaseMessage]) -> AIMessage | None:
    """The newest model turn."""
    return next((message for message in reversed(messages) if isinstance(message, AIMessage)), None)


def unanswered(plan: AIMessage, messages: Sequence[BaseMessage]) -> list[MessageToolCall]:
    """The plan's calls, readable or not, that no tool message answers."""
    answered = answered_behind(messages, _position(plan, messages))
    return [call for call in [*plan.tool_calls, *unreadable(plan)] if call["id"] not in answered]


def answered_behind(messages: Sequence[BaseMessage], place: int) -> set[str]:
    """Ids of the calls that are answered before the model's next turn: ids may come again in another one."""
    behind = takewhile(lambda message: not isinstance(message, AIMessage), messages[place + 1 :])
    return {message.tool_call_id for message in behind if isinstance(message, ToolMessage)}


def unusable(plan: AIMessage) -> str | None:
    """Why a plan's calls cannot be told apart or read, so that none of them may run; None if they can."""
    ids = [call["id"] for call in plan.tool_calls]
    if not all(ids) or len(set(ids)) < len(ids):
        return "the calls of the step have no ids of their own"
    if plan.invalid_tool_calls and not plan.tool_calls:
        return "the arguments are not readable JSON"
    return None


def refused(plan: AIMessage, why: str, attempt: int) -> tuple[AIMessage, list[ToolMessage]]:
    """An unusable plan with an answer to every call, readable or not; ids that were shared are told apart."""
    given = [call["id"] for call in plan.tool_calls]
    calls = [
        {**call, "id": call["id"] if call["id"] and given.count(call["id"]) == 1 else f"{call['id'] or 'call'}-{i}"}
        for i, call in enumerate(plan.tool_calls)
    ]
    apart = plan.model_copy(update={"tool_calls": calls})
    return apart, [
        answer_message(call, f"Not executed: {why}. Plan the step again.", "retry", attempt=attempt)
        for call in [*apart.tool_calls, *unreadable(apart)]
    ]


def unreadable(plan: AIMessage) -> list[MessageToolCall]:
    """The plan's calls whose arguments could not be parsed; providers want them answered too."""
    return [
        MessageToolCall(name=call["name"] or "", args={}, id=call["id"], type="tool_call")
        for call in plan.invalid_tool_calls
        if call["id"]
    ]


def attempts(plan: AIMessage, messages: Sequence[BaseMessage]) -> int:
    """How often the step that ends in this plan has been sent back to be planned again."""
    before = list(messages[: _position(plan, messages)])
    if not before or not isinstance(before[-1], ToolMessage):
        return 0
    count = 0
    while before and isinstance(before[-1], ToolMessage):
        mark = before.pop().additional_kwargs.get(MARK)
        if isinstance(mark, dict) and mark.get("outcome") == "retry":
            count = max(count, int(mark.get("attempt", 0)) + 1)
    return count


def _position(plan: AIMessage, messages: Sequence[BaseMessage]) -> int:
    return next((i for i in range(len(messages) - 1, -1, -1) if messages[i].id == plan.id), len(messages))


def answer_message(
    call: MessageToolCall, text: str, outcome: Outcome, *, status: Literal["success", "error"] = "error", **extra: Any
) -> ToolMessage:
    """A tool message that stands for a call that did not run."""
    return ToolMessage(
        text,
        tool_call_id=call["id"],
        name=call["name"],
        status=status,
        additional_kwargs={MARK: {"outcome": outcome, **extra}},
    )


def heal(
    messages: Sequence[AnyMessage], told: Callable[[AIMessage, MessageToolCall], str | None] = lambda _plan, _call: None
) -> tuple[list[AnyMessage], list[MessageToolCall]]:
    """Answer every call that was left open before a later message; providers refuse such a history.

    Returns the whole history, and the calls that were answered. The newest plan is left alone while
    nothing follows it: its calls may still be waiting for a human. ``told`` says what there is to say of a call that
    has been started all the same.
    """
    healed: list[AnyMessage] = []
    dropped: list[MessageToolCall] = []
    for index, message in enumerate(messages):
        healed.append(message)
        if not isinstance(message, AIMessage) or all(isinstance(m, ToolMessage) for m in messages[index + 1 :]):
            continue
        answered = answered_behind(messages, index)
        for call in message.tool_calls:
            if call["id"] not in answered:
                dropped.append(call)
                text = told(message, call) or "Not executed: a new message came before this call was decided."
                healed.append(answer_message(call, text, "superseded"))
    return healed, dropped


def with_calls(plan: AIMessage, calls: Sequence[MessageToolCall], *, record_id: str, route: Route) -> AIMessage:
    """The plan with (edited) calls in place; same message id, so that it replaces the original in state."""
    edited = {call["id"]: call["args"] for call in calls}
    content = plan.content
    if isinstance(content, list):
        content = [
            {**block, "input": edited[block["id"]]}
            if isinstance(block, dict) and block.get("type") == "tool_use" and block.get("id") in edited
            else block
            for block in content
        ]
    kwargs = {key: value for key, value in plan.additional_kwargs.items() if key != "tool_calls"}
    return plan.model_copy(
        update={
            "tool_calls": list(calls),
            "content": content,
            "additional_kwargs": {**kwargs, MARK: {"record_id": record_id, "route": route.value}},
        }
    )
