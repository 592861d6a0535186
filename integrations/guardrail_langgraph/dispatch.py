"""The last check, where the tool is dispatched: only what the store permits runs, and an approval runs once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.messages.tool import ToolCall
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from guardrail.codec import digest
from guardrail.errors import ReviewError, StoreError
from guardrail.review import Queue, planned_as, runs_as
from guardrail.store import Store
from guardrail.types import Review, Route
from guardrail_langgraph.ahead import RunAhead
from guardrail_langgraph.history import MARK, answer_message
from guardrail_langgraph.idempotency import give
from guardrail_langgraph.release import started_before

Result = ToolMessage | Command[Any]
DISPATCHER = "dispatch"


@dataclass(frozen=True, kw_only=True)
class _Permit:
    """That a call may run: the review whose single use was taken, if it needed one, and its idempotency key."""

    review: Review | None = None
    key: str


def guarded_tool_node(
    tools: Sequence[Any], store: Store, queue: Queue, messages_key: str, ahead: RunAhead | None = None
) -> ToolNode:
    """A ``ToolNode`` that runs a call only on a recorded verdict for exactly this call.

    A call that has run ahead does not run again: what it came to is delivered here.
    """

    def permit(request: ToolCallRequest) -> _Permit | ToolMessage:
        try:
            return _permit(request, store, queue, messages_key)
        except (ReviewError, StoreError) as error:
            return answer_message(request.tool_call, f"Not executed: {error}", "refused")

    def run(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Result]) -> Result:
        permitted = permit(request)
        if isinstance(permitted, ToolMessage):
            return permitted
        if (outcome := _early(request, ahead, messages_key)) is not None:
            early: Result = outcome
            return early
        give(request.runtime.config, permitted.key)
        result = execute(request)
        _finish(permitted.review, queue)
        return result

    async def arun(request: ToolCallRequest, execute: Callable[[ToolCallRequest], Awaitable[Result]]) -> Result:
        permitted = await asyncio.to_thread(permit, request)
        if isinstance(permitted, ToolMessage):
            return permitted
        if (outcome := _early(request, ahead, messages_key)) is not None:
            early: Result = outcome
            return early
        give(request.runtime.config, permitted.key)
        result = await execute(request)
        await asyncio.to_thread(_finish, permitted.review, queue)
        return result

    return ToolNode(list(tools), wrap_tool_call=run, awrap_tool_call=arun, messages_key=messages_key)


def _early(request: ToolCallRequest, ahead: RunAhead | None, messages_key: str) -> Any:
    """What a call that ran ahead came to, where it is no plain result; its error is raised."""
    call_id = request.tool_call["id"] or ""
    outcome = None if ahead is None else ahead.take(_record_of(call_id, request.state, messages_key), call_id)
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def _permit(request: ToolCallRequest, store: Store, queue: Queue, messages_key: str) -> _Permit | ToolMessage:
    """That the call may run, its review's single use taken; or a refusal."""
    call = request.tool_call

    def refuse(why: str) -> ToolMessage:
        return answer_message(call, f"Not executed: {why}", "refused")

    record_id = _record_of(call["id"] or "", request.state, messages_key)
    if not record_id:
        return refuse("the guard has not seen this call.")
    record = store.record(record_id)
    thread_id = str((request.runtime.config.get("configurable") or {}).get("thread_id") or "")
    verdict = record.verdict.verdict(call["id"] or "")
    if verdict is None or record.thread_id != thread_id:
        return refuse("the guard's record does not cover this call.")
    if verdict.route is Route.EXECUTE and record.verdict.route is not Route.RETRY:
        if planned_as(verdict, record.thread_id, call["name"], call["args"]):
            return _Permit(key=digest("run", record.id, verdict.call.id))
        return refuse("the call changed after it was assessed.")
    if verdict.route is not Route.REVIEW:
        return refuse("the step is planned again.")
    return _use(queue.standing(verdict.review_id), call, queue)


def _use(review: Review, call: ToolCall, queue: Queue) -> _Permit | ToolMessage:
    """Take the single use of an approval, if it is one of exactly this call."""
    decision = review.decision
    approved = (
        planned_as(review, review.thread_id, call["name"], call["args"])
        if decision is None
        else runs_as(review, decision, call["name"], call["args"])
    )
    if not approved:
        return answer_message(call, "Not executed: the call is not the one that was approved.", "refused")
    if (before := started_before(review)) is not None:
        return answer_message(call, before, "refused")
    return _Permit(review=queue.begin(review.id, digest=review.digest, by=DISPATCHER), key=review.id)


def _record_of(call_id: str, state: Any, messages_key: str) -> str:
    messages = state.get(messages_key, ()) if isinstance(state, Mapping) else getattr(state, messages_key, ())
    for message in reversed(messages if not isinstance(state, list) else state):
        if isinstance(message, AIMessage) and any(call["id"] == call_id for call in message.tool_calls):
            mark = message.additional_kwargs.get(MARK)
            return str(mark.get("record_id", "")) if isinstance(mark, dict) else ""
    return ""


def _finish(review: Review | None, queue: Queue) -> None:
    if review is not None:
        queue.finish(review.id, by=DISPATCHER)
