"""The last check, where the tool is dispatched: only what the store permits runs, and an approval runs once.

With ``asks`` it is also where people are asked: a call that they have to decide on waits in a task of its own, while
the other calls of its step run in theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.prebuilt import ToolNode
from langgraph.prebuilt.tool_node import ToolCallRequest
from langgraph.types import Command

from guardrail.engine import DISPATCHER, Permit, Refusal, finished, permit, started_before
from guardrail.errors import ConfigError, ReviewConflict, ReviewError, StoreError
from guardrail.review import planned_as, runs_as
from guardrail.types import ReviewState, Route, ToolCall, Verdict
from guardrail_langgraph.ahead import RunAhead
from guardrail_langgraph.configuration import configurable, is_alone, reviewer, task_id
from guardrail_langgraph.edited import as_edited
from guardrail_langgraph.gate import ask, unaddressed
from guardrail_langgraph.history import MARK, answer_message
from guardrail_langgraph.idempotency import give
from guardrail_langgraph.once import Once
from guardrail_langgraph.release import arguments_of, settle
from guardrail_langgraph.surroundings import described
from guardrail_langgraph.wiring import Wiring

Result = ToolMessage | Command[Any]
Execute = Callable[[ToolCallRequest], Result]
AsyncExecute = Callable[[ToolCallRequest], Awaitable[Result]]
Run = Callable[[ToolCallRequest, Execute], Result]
AsyncRun = Callable[[ToolCallRequest, AsyncExecute], Awaitable[Result]]

_CHANGED: Final = "the call changed after it was assessed"


@dataclass(frozen=True, kw_only=True)
class _Start:
    """A call that starts now. ``once``: that it has is written down, or it could start again."""

    permit: Permit
    task: str
    once: bool
    edited: bool


class Dispatch:
    """What goes around the start of every tool: the call runs on a recorded verdict for exactly it, or not.

    A call that has run ahead does not run again: what it came to is delivered here.
    """

    def __init__(self, wiring: Wiring, messages_key: str, ahead: RunAhead | None = None, *, asks: bool = False) -> None:
        self._wiring = wiring
        self._messages_key = messages_key
        self._ahead = ahead
        self._asks = asks
        self._once = Once(wiring.store)

    def tool_node(self) -> ToolNode:
        """A ``ToolNode`` that runs a call only on a recorded verdict for exactly this call."""
        tools: list[Any] = list(self._wiring.tools)
        key = self._messages_key
        return ToolNode(tools, wrap_tool_call=self.run, awrap_tool_call=self.arun, messages_key=key)

    def run(self, request: ToolCallRequest, execute: Execute) -> Result:
        """Start the tool, or answer in its place."""
        start = self._permitted(request)
        if isinstance(start, ToolMessage):
            return start
        if (outcome := self._early(request)) is not None:
            early: Result = outcome
            return early
        give(request.runtime.config, start.permit.key)
        try:
            result = execute(_as_permitted(request, start.permit))
        except GraphBubbleUp as stop:
            self._left(start, stop)
            raise
        self._finished(start)
        return self._shown(result, request, start)

    async def arun(self, request: ToolCallRequest, execute: AsyncExecute) -> Result:
        """As ``run``."""
        start = await asyncio.to_thread(self._permitted, request)
        if isinstance(start, ToolMessage):
            return start
        if (outcome := self._early(request)) is not None:
            early: Result = outcome
            return early
        give(request.runtime.config, start.permit.key)
        try:
            result = await execute(_as_permitted(request, start.permit))
        except GraphBubbleUp as stop:
            await asyncio.to_thread(self._left, start, stop)
            raise
        await asyncio.to_thread(self._finished, start)
        return self._shown(result, request, start)

    def _permitted(self, request: ToolCallRequest) -> _Start | ToolMessage:
        planned = request.tool_call
        call = ToolCall(name=planned["name"], arguments=planned["args"], id=planned["id"] or "")
        mark = self._mark(request)
        record_id, waits = str(mark.get("record_id") or ""), mark.get("route") == Route.REVIEW.value
        verdict = self._verdict(record_id, call.id) if waits else None
        if verdict is not None and verdict.route is Route.REVIEW:
            asked = self._asked(request, call, verdict, record_id) if self._asks else call
            if isinstance(asked, ToolMessage):
                return asked
            call = asked
        task = task_id(request.runtime.config)
        edited = call.arguments != planned["args"]
        if verdict is not None and (again := self._again(verdict, call, task)) is not None:
            return _Start(permit=again, task=task, once=True, edited=edited)
        found = permit(
            self._wiring.store, self._wiring.queue, record_id=record_id, thread_id=_thread_id(request), call=call
        )
        if isinstance(found, Refusal):
            return answer_message(planned, found.text, "refused")
        once = waits and (found.review is not None or not self._reads(call.name, record_id))
        if once and found.review is None and not (self._once.begin(found.key) or self._once.go_on(found.key, task)):
            return answer_message(planned, self._once.told(found.key) or "Not executed.", "refused")
        return _Start(permit=found, task=task, once=once, edited=edited)

    def _asked(
        self, request: ToolCallRequest, call: ToolCall, verdict: Verdict, record_id: str
    ) -> ToolCall | ToolMessage:
        """The call as people let it run, or what they answer in its place. It waits here until they do."""
        planned, config = request.tool_call, request.runtime.config
        wiring, queue = self._wiring, self._wiring.queue
        if not planned_as(verdict, _thread_id(request), call.name, call.arguments):
            with suppress(ReviewConflict):
                queue.supersede(verdict.review_id, by=DISPATCHER, note=_CHANGED)
            return answer_message(planned, f"Not executed: {_CHANGED}.", "refused")
        if not is_alone(config):
            raise ConfigError(
                "release_confident=True asks people where a tool starts, and needs one task a call: let the guard "
                "route to the tools (no edge of your own leads there). Nothing was executed of this call."
            )
        standing = queue.standing(verdict.review_id)
        left = self._once.left(standing.id, task_id(config))
        if not left and (before := started_before(standing)) is not None:
            return answer_message(planned, before, "refused")
        tool, by = wiring.tool(call.name, record_id), reviewer(configurable(config))
        answered = ask(
            verdict,
            tool,
            wiring.policy,
            queue,
            record_id=record_id,
            by=by,
            planned=planned["args"],
            described=described(wiring.descriptions, verdict.call, request.state),
            problem=unaddressed(config) if self._several(record_id) else "",
        )
        if left:
            return ToolCall(name=call.name, arguments=arguments_of(planned, answered, queue), id=call.id)
        result = settle(planned, answered, queue, by=by, tool=tool)
        if isinstance(result, ToolMessage):
            return result
        return ToolCall(name=call.name, arguments=result.call["args"], id=call.id)

    def _again(self, verdict: Verdict, call: ToolCall, task: str) -> Permit | None:
        """The permit that this task has taken before, if its tool has waited since: a sub-agent's call, for example."""
        if verdict.route is not Route.REVIEW:
            return None
        with suppress(ReviewError, StoreError):
            review = self._wiring.queue.standing(verdict.review_id)
            if review.state is not ReviewState.EXECUTING or review.decision is None:
                return None
            if runs_as(review, review.decision, call.name, call.arguments) and self._once.go_on(review.id, task):
                return Permit(key=review.id, call=call, review=review)
        return None

    def _left(self, start: _Start, stop: GraphBubbleUp) -> None:
        """The tool itself waits for somebody: it runs again when it is resumed. Anything else that stops it ends it."""
        if not isinstance(stop, GraphInterrupt):
            self._finished(start)
        elif start.once:
            self._once.leave(start.permit.key, start.task)

    def _finished(self, start: _Start) -> None:
        finished(self._wiring.queue, start.permit)
        if start.once and start.permit.review is None:
            self._once.finish(start.permit.key)

    def _shown(self, result: Result, request: ToolCallRequest, start: _Start) -> Result:
        """The result; where the message of the agent shows another call than the one that ran, it says so."""
        if not (self._asks and start.edited):
            return result
        return as_edited(result, request.tool_call, start.permit.call.arguments, self._messages_key)

    def _verdict(self, record_id: str, call_id: str) -> Verdict | None:
        with suppress(StoreError):
            record = self._wiring.store.record(record_id)
            return record.verdict.verdict(call_id) if record.verdict.route is Route.REVIEW else None
        return None

    def _several(self, record_id: str) -> bool:
        verdicts = self._wiring.store.record(record_id).verdict.verdicts
        return sum(one.route is Route.REVIEW for one in verdicts) > 1

    def _reads(self, name: str, record_id: str) -> bool:
        known = self._wiring.tool(name, record_id)
        hints = known.annotations if known is not None else {}
        return hints.get("readOnlyHint") is True and not hints.get("destructiveHint")

    def _early(self, request: ToolCallRequest) -> Any:
        """What a call that ran ahead came to, where it is no plain result; its error is raised."""
        if self._ahead is None:
            return None
        outcome = self._ahead.take(str(self._mark(request).get("record_id") or ""), request.tool_call["id"] or "")
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def _mark(self, request: ToolCallRequest) -> Mapping[str, Any]:
        """What the guard has noted on the plan of a call."""
        state, key, call_id = request.state, self._messages_key, request.tool_call["id"] or ""
        messages = state.get(key, ()) if isinstance(state, Mapping) else getattr(state, key, ())
        for message in reversed(messages if not isinstance(state, list) else state):
            if isinstance(message, AIMessage) and any(call["id"] == call_id for call in message.tool_calls):
                mark = message.additional_kwargs.get(MARK)
                return mark if isinstance(mark, dict) else {}
        return {}


def _thread_id(request: ToolCallRequest) -> str:
    return str(configurable(request.runtime.config).get("thread_id") or "")


def _as_permitted(request: ToolCallRequest, may: Permit) -> ToolCallRequest:
    """The request with the arguments that may run: a plan that was put back does not undo an edit."""
    if request.tool_call["args"] == may.call.arguments:
        return request
    return request.override(tool_call={**request.tool_call, "args": may.call.arguments})
