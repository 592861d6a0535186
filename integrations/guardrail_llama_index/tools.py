"""Tools behind the guard: each call is let through, once, right where its tool is started."""

from __future__ import annotations

import asyncio
from contextvars import ContextVar
from typing import Any, Final

from llama_index.core.tools import BaseTool, FunctionTool, ToolOutput, adapt_to_async_tool
from llama_index.core.workflow import Context

from guardrail.desk import Held, PausingDesk, Planned, Refused, WaitsForReview
from guardrail.engine import Permit
from guardrail.review import planned_as
from guardrail.types import ToolCall
from guardrail_llama_index.events import ReviewDecided, ReviewRequired

_CONTEXT: Final = "guardrail_context"
_PAUSES: Final = "WaitingForEvent"  # by its name: it is in no public module
_KEY: ContextVar[str] = ContextVar("guardrail_idempotency_key", default="")


def idempotency_key() -> str:
    """The key of the call that runs, read within a tool of a guarded agent; empty elsewhere.

    The same for one planned call however often its run is resumed, in whatever process.
    """
    return _KEY.get()


class Calls:
    """The calls of one conversation. LlamaIndex tells a tool its arguments, but not which of the planned calls it is:
    those that are alike are started one after the other.
    """

    def __init__(self, desk: PausingDesk, *, wait: float = 0.0) -> None:
        self.desk = desk
        self.wait = wait
        self._told: set[str] = set()

    def let(self, name: str, arguments: dict[str, Any]) -> Permit:
        """The permit of the next such call.

        Raises:
            Held: it may not run, or not yet.
        """
        held: Held | None = None
        for record_id, call in self._planned(name, arguments):
            place = f"{record_id}/{call.id}"
            try:
                return self.desk.let(call, record_id=record_id)
            except WaitsForReview:
                raise
            except Held as error:
                held = held or error
                if place not in self._told and not error.text.startswith("Not executed again"):
                    self._told.add(place)
                    raise
        unseen = Planned(call=ToolCall(name=name, arguments=arguments))
        raise held or Refused("Not executed: the guard has not seen this call.", unseen)

    def _planned(self, name: str, arguments: dict[str, Any]) -> list[tuple[str, ToolCall]]:
        """Exactly such calls of the newest step that has one."""
        desk = self.desk
        for record in desk.store.records(thread_id=desk.thread_id, limit=50):
            if (record.namespace, record.tenant) == (desk.namespace, desk.tenant):
                calls = [
                    ToolCall(name=name, arguments=arguments, id=one.call.id)
                    for one in record.verdict.verdicts
                    if planned_as(one, desk.thread_id, name, arguments)
                ]
                if calls:
                    return [(record.id, call) for call in calls]
        return []


class GuardedTool(FunctionTool):
    """In the place of a tool: runs exactly what is permitted, in the workflow's context, where it can wait."""

    def __init__(self, inner: BaseTool, calls: Calls) -> None:
        async def run(**arguments: Any) -> Any:
            return await self.acall(**arguments)

        super().__init__(async_fn=run, metadata=inner.metadata)
        self.requires_context = True
        self.ctx_param_name = _CONTEXT
        self.inner = inner
        self._calls = calls

    async def acall(self, *given: Any, **arguments: Any) -> ToolOutput:
        """The tool's output, or why it did not run."""
        context = arguments.pop(_CONTEXT, None)
        name = str(self.metadata.name)
        if given:
            return _output(name, "Not executed: the guard knows calls by the names of their arguments.", arguments)
        try:
            permit = await self._permit(context, name, arguments)
        except Refused as held:
            return _output(name, held.text, arguments, error=held.answered is None)
        except Held as held:
            return _output(name, held.text, arguments)
        token, note, paused = _KEY.set(permit.key), "", False
        try:
            return await self._run(context, permit.call.arguments)
        except BaseException as error:
            note = f"the tool raised {type(error).__name__}"
            if paused := type(error).__name__ == _PAUSES:
                self._calls.desk.asks(permit)
            raise
        finally:
            _KEY.reset(token)
            if not paused:
                # not in a thread: a run that is cancelled must not leave the call as one that still runs
                self._calls.desk.done(permit, note=note)

    def call(self, *given: Any, **arguments: Any) -> ToolOutput:
        """Never: a tool of an agent is awaited."""
        del given
        return _output(str(self.metadata.name), "Not executed: a guarded tool has to be awaited.", arguments)

    async def _permit(self, context: Context | None, name: str, arguments: dict[str, Any]) -> Permit:
        asked = 0
        while True:
            try:
                return await asyncio.to_thread(self._calls.let, name, arguments)
            except WaitsForReview as held:
                if await held.await_decision(self._calls.wait):
                    continue
                if context is None:
                    raise
                # the step is left here, and begun anew when the event has come
                await context.wait_for_event(
                    ReviewDecided,
                    waiter_event=ReviewRequired(review_id=held.review_id, text=held.text),
                    waiter_id=f"guardrail/{held.review_id}/{asked}",
                    requirements={"review_id": held.review_id},
                    timeout=None,
                )
                asked += 1

    async def _run(self, context: Context | None, arguments: dict[str, Any]) -> ToolOutput:
        inner = self.inner
        if isinstance(inner, FunctionTool) and inner.requires_context and inner.ctx_param_name is not None:
            return await inner.acall(**{**arguments, inner.ctx_param_name: context})
        return await adapt_to_async_tool(inner).acall(**arguments)


def _output(name: str, said: str, arguments: dict[str, Any], *, error: bool = True) -> ToolOutput:
    return ToolOutput(content=said, tool_name=name, raw_input=arguments, raw_output=said, is_error=error)
