"""Function tools behind the guard: a tool guardrail, ``needs_approval``, and the single use right before it starts."""

from __future__ import annotations

import asyncio
import inspect
import json
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from agents import FunctionTool, ToolGuardrailFunctionOutput, ToolInputGuardrail

from guardrail.desk import Desk, Held
from guardrail.review import WAITING
from guardrail.types import ToolCall
from guardrail_openai.raw_calls import RawCall

_KIND = "function_call"
_KEY: ContextVar[str] = ContextVar("guardrail_idempotency_key", default="")


def idempotency_key() -> str:
    """The key of the call that runs, read within a tool of a guarded agent; empty elsewhere.

    The same for one planned call however often its run is resumed, in whatever process.
    """
    return _KEY.get()


def guarded_tool(tool: FunctionTool, desk: Desk) -> FunctionTool:
    """The tool, which runs what the desk lets through, once."""
    return replace(
        tool,
        on_invoke_tool=GuardedInvoke(tool, desk),
        needs_approval=_Approval(tool, desk),
        tool_input_guardrails=[_input_guardrail(tool, desk), *(tool.tool_input_guardrails or [])],
    )


class GuardedInvoke:
    """In the place of the tool's own invocation: takes the permit, and runs exactly what it permits."""

    def __init__(self, tool: FunctionTool, desk: Desk) -> None:
        self._tool = tool
        self._desk = desk

    async def __call__(self, context: Any, arguments: str) -> Any:
        raw = _raw(self._tool.name, arguments, context.tool_call_id)
        try:
            permit = await asyncio.to_thread(self._desk.let, raw)
        except Held as held:
            return held.text
        runs = arguments
        if permit.call.arguments != raw.call.arguments:
            runs = json.dumps(permit.call.arguments, ensure_ascii=False)
        token = _KEY.set(permit.key)
        note = ""
        try:
            return await self._tool.on_invoke_tool(context, runs)
        except BaseException as error:
            note = f"the tool raised {type(error).__name__}"
            raise
        finally:
            _KEY.reset(token)
            # not in a thread: a run that is cancelled must not leave the call as one that still runs
            self._desk.done(permit, note=note)


class _Approval:
    """Whether the run is interrupted for a call: a person has to decide, or the tool itself asks for that."""

    def __init__(self, tool: FunctionTool, desk: Desk) -> None:
        self._tool = tool
        self._desk = desk

    async def __call__(self, context: Any, arguments: dict[str, Any], call_id: str) -> bool:
        call = ToolCall(name=self._tool.name, arguments=arguments, id=call_id)
        review = await asyncio.to_thread(self._desk.review_of, call)
        if review is not None:
            return review.state in WAITING
        own = self._tool.needs_approval
        if isinstance(own, bool):
            return own
        asked = own(context, arguments, call_id)
        return bool(await asked if inspect.isawaitable(asked) else asked)


def _input_guardrail(tool: FunctionTool, desk: Desk) -> ToolInputGuardrail[Any]:
    async def check(data: Any) -> ToolGuardrailFunctionOutput:
        context = data.context
        raw = _raw(tool.name, context.tool_arguments, context.tool_call_id)
        try:
            await asyncio.to_thread(desk.look, raw)
        except Held as held:
            return ToolGuardrailFunctionOutput.reject_content(held.text, output_info={"held": type(held).__name__})
        return ToolGuardrailFunctionOutput.allow()

    return ToolInputGuardrail(guardrail_function=check, name="guardrail")


def _raw(name: str, arguments: str, call_id: str) -> RawCall:
    return RawCall.of({"type": _KIND, "name": name, "arguments": arguments, "call_id": call_id})
