"""Tools that ask a callback handler before they run, whoever starts them."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import ToolMessage
from langchain_core.tools import BaseTool

from guardrail_langgraph.blocked import ToolCallBlocked

if TYPE_CHECKING:
    from guardrail_langgraph.callback import GuardrailCallbackHandler


def guard_tools(tools: Sequence[BaseTool], handler: GuardrailCallbackHandler) -> list[BaseTool]:
    """Copies of tools that ask the handler before they run, and answer in words what may not run.

    For code that owns its tools and nothing else, which plans with ``handler.watch(model)`` to have its steps sampled;
    and for ``AgentExecutor``, which would end with the exception of a call that is blocked. A call whose planning
    request was not seen is blocked.
    """
    handler.owns_tools()
    return [_asking(tool, handler) for tool in tools]


def _asking(tool: BaseTool, handler: BaseCallbackHandler) -> BaseTool:
    copy = tool.model_copy(update={"callbacks": [*_own(tool), handler]})
    copy.__class__ = _kind(type(tool))
    return copy


def _own(tool: BaseTool) -> list[Any]:
    """The handlers that a tool has already."""
    own = tool.callbacks
    return list(own if isinstance(own, list) else own.handlers if own is not None else ())


@cache
def _kind(tool: type[BaseTool]) -> type[BaseTool]:
    return type(tool.__name__, (_Answering, tool), {"__module__": tool.__module__, "__doc__": tool.__doc__})


class _Answering(BaseTool):
    """What is blocked of such a tool is answered as its result."""

    def run(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return super().run(tool_input, *args, **kwargs)
        except ToolCallBlocked as blocked:
            return self._answer(blocked, kwargs.get("tool_call_id"))

    async def arun(self, tool_input: str | dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        try:
            return await super().arun(tool_input, *args, **kwargs)
        except ToolCallBlocked as blocked:
            return self._answer(blocked, kwargs.get("tool_call_id"))

    def _answer(self, blocked: ToolCallBlocked, call_id: str | None) -> str | ToolMessage:
        if call_id is None:
            return str(blocked)
        return ToolMessage(str(blocked), tool_call_id=call_id, name=self.name, status="error")
