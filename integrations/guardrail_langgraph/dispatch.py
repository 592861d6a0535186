"""The last check, where the tool is dispatched: only what the store permits runs, and an approval runs once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from guardrail.engine import Permit, Refusal, finished, permit
from guardrail.review import Queue
from guardrail.store import Store
from guardrail.types import ToolCall
from guardrail_langgraph.ahead import RunAhead
from guardrail_langgraph.history import MARK, answer_message
from guardrail_langgraph.idempotency import give

Result = ToolMessage | Command[Any]


Execute = Callable[[ToolCallRequest], Result]
AsyncExecute = Callable[[ToolCallRequest], Awaitable[Result]]
Run = Callable[[ToolCallRequest, Execute], Result]
AsyncRun = Callable[[ToolCallRequest, AsyncExecute], Awaitable[Result]]


def guarded_tool_node(
    tools: Sequence[Any], store: Store, queue: Queue, messages_key: str, ahead: RunAhead | None = None
) -> ToolNode:
    """A ``ToolNode`` that runs a call only on a recorded verdict for exactly this call."""
    run, arun = checks(store, queue, messages_key, ahead)
    return ToolNode(list(tools), wrap_tool_call=run, awrap_tool_call=arun, messages_key=messages_key)


def checks(store: Store, queue: Queue, messages_key: str, ahead: RunAhead | None = None) -> tuple[Run, AsyncRun]:
    """What goes around the start of every tool, both ways: the call runs on a recorded verdict for exactly it, or not.

    A call that has run ahead does not run again: what it came to is delivered here.
    """

    def permitted(request: ToolCallRequest) -> Permit | ToolMessage:
        call = request.tool_call
        thread_id = str((request.runtime.config.get("configurable") or {}).get("thread_id") or "")
        found = permit(
            store,
            queue,
            record_id=_record_of(call["id"] or "", request.state, messages_key),
            thread_id=thread_id,
            call=ToolCall(name=call["name"], arguments=call["args"], id=call["id"] or ""),
        )
        return answer_message(call, found.text, "refused") if isinstance(found, Refusal) else found

    def run(request: ToolCallRequest, execute: Execute) -> Result:
        may = permitted(request)
        if isinstance(may, ToolMessage):
            return may
        if (outcome := _early(request, ahead, messages_key)) is not None:
            early: Result = outcome
            return early
        give(request.runtime.config, may.key)
        result = execute(_as_permitted(request, may))
        finished(queue, may)
        return result

    async def arun(request: ToolCallRequest, execute: AsyncExecute) -> Result:
        may = await asyncio.to_thread(permitted, request)
        if isinstance(may, ToolMessage):
            return may
        if (outcome := _early(request, ahead, messages_key)) is not None:
            early: Result = outcome
            return early
        give(request.runtime.config, may.key)
        result = await execute(_as_permitted(request, may))
        await asyncio.to_thread(finished, queue, may)
        return result

    return run, arun


def _early(request: ToolCallRequest, ahead: RunAhead | None, messages_key: str) -> Any:
    """What a call that ran ahead came to, where it is no plain result; its error is raised."""
    call_id = request.tool_call["id"] or ""
    outcome = None if ahead is None else ahead.take(_record_of(call_id, request.state, messages_key), call_id)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _as_permitted(request: ToolCallRequest, may: Permit) -> ToolCallRequest:
    """The request with the arguments that may run: a plan that was put back does not undo an edit."""
    if request.tool_call["args"] == may.call.arguments:
        return request
    return request.override(tool_call={**request.tool_call, "args": may.call.arguments})


def _record_of(call_id: str, state: Any, messages_key: str) -> str:
    messages = state.get(messages_key, ()) if isinstance(state, Mapping) else getattr(state, messages_key, ())
    for message in reversed(messages if not isinstance(state, list) else state):
        if isinstance(message, AIMessage) and any(call["id"] == call_id for call in message.tool_calls):
            mark = message.additional_kwargs.get(MARK)
            return str(mark.get("record_id", "")) if isinstance(mark, dict) else ""
    return ""
