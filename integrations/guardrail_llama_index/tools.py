"""Tools behind the guard: each call is let through, once, right where its tool is started."""

from __future__ import annotations

import asyncio
import math
from contextvars import ContextVar
from typing import Any, Final

from llama_index.core.tools import BaseTool, FunctionTool, ToolOutput, adapt_to_async_tool
from llama_index.core.workflow import Context

from guardrail.codec import digest
from guardrail.desk import Held, PausingDesk, Refused, WaitsForReview
from guardrail.engine import Permit
from guardrail.types import ToolCall
from guardrail_llama_index.events import ReviewDecided, ReviewRequired

CALL_ID: ContextVar[str] = ContextVar("guardrail_call_id", default="")
"""Of the call whose tool is started: the framework tells a tool only its arguments."""
_CONTEXT: Final = "guardrail_context"
_PAUSES: Final = "WaitingForEvent"  # by its name: it is in no public module
_KEY: ContextVar[str] = ContextVar("guardrail_idempotency_key", default="")


def idempotency_key() -> str:
    """The key of the call that runs, read within a tool of a guarded agent; empty elsewhere.

    The same for one planned call however often its run is resumed, in whatever process.
    """
    return _KEY.get()


class GuardedTool(FunctionTool):
    """In the place of a tool: runs exactly what is permitted, in the workflow's context, where it can wait."""

    def __init__(self, inner: BaseTool, desk: PausingDesk, *, wait: float = 0.0) -> None:
        super().__init__(async_fn=self.acall, metadata=inner.metadata)
        self.requires_context = True
        self.ctx_param_name = _CONTEXT
        self.inner = inner
        self._desk = desk
        self._wait = wait
        self._paused: dict[str, Permit] = {}

    async def acall(self, *given: Any, **arguments: Any) -> ToolOutput:
        """The tool's output, or why it did not run."""
        context = arguments.pop(_CONTEXT, None)
        call = ToolCall(name=str(self.metadata.name), arguments=arguments, id="" if given else CALL_ID.get())
        try:
            permit = await self._permit(context, call)
        except Held as held:
            answered = isinstance(held, Refused) and held.answered is not None
            return _output(call, held.text, error=not answered)
        token, note, paused = _KEY.set(permit.key), "", False
        try:
            return await self._run(context, permit.call.arguments)
        except BaseException as error:
            note = f"the tool raised {type(error).__name__}"
            if paused := type(error).__name__ == _PAUSES:
                self._desk.asks(permit)
                self._paused[call.id] = permit
            raise
        finally:
            _KEY.reset(token)
            if not paused:
                # not in a thread: a run that is cancelled must not leave the call as one that still runs
                self._desk.done(permit, note=note)

    def call(self, *given: Any, **arguments: Any) -> ToolOutput:
        """Nothing: agents await their tools, and only then is it known which of the planned calls it is."""
        call = ToolCall(name=str(self.metadata.name), arguments={**arguments, **({"given": given} if given else {})})
        return _output(call, "Not executed: a guarded tool has to be awaited.")

    async def _permit(self, context: Context | None, call: ToolCall) -> Permit:
        if call.id in self._paused:
            return self._paused.pop(call.id)
        record = await asyncio.to_thread(self._desk.find, call)
        # of this plan: a later one may have a call of the same id
        place = f"guardrail-{digest(call.id, '' if record is None else record.id)}"
        asked: list[str] = [] if context is None else await context.store.get(place, default=[])
        for review_id in asked:
            # a step that waits is begun anew when its event comes, and has to come by the same events again
            await _event(context, place, review_id)
        while True:
            try:
                return await asyncio.to_thread(self._desk.let, call)
            except WaitsForReview as held:
                # who was told too early looks into the queue itself from then on: an event comes once
                if await held.await_decision(math.inf if held.review_id in asked else self._wait):
                    continue
                if context is None:
                    raise
                asked = [*asked, held.review_id]
                await context.store.set(place, asked)
                await _event(context, place, held.review_id)

    async def _run(self, context: Context | None, arguments: dict[str, Any]) -> ToolOutput:
        inner = self.inner
        if isinstance(inner, FunctionTool) and inner.requires_context and inner.ctx_param_name is not None:
            return await inner.acall(**{**arguments, inner.ctx_param_name: context})
        return await adapt_to_async_tool(inner).acall(**arguments)


async def _event(context: Any, place: str, review_id: str) -> None:
    await context.wait_for_event(
        ReviewDecided,
        waiter_event=ReviewRequired(review_id=review_id),
        waiter_id=f"{place}-{review_id}",
        requirements={"review_id": review_id},
        timeout=None,
    )


def _output(call: ToolCall, said: str, *, error: bool = True) -> ToolOutput:
    return ToolOutput(content=said, tool_name=call.name, raw_input=call.arguments, raw_output=said, is_error=error)
