"""The guard in LangGraph and LangChain: a node, a callback handler, a sampler for chat models, a resume worker."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail_langgraph.asker import ChatModelAsker
    from guardrail_langgraph.callback import GuardrailCallbackHandler, guard_tools
    from guardrail_langgraph.judge import ChatModelEntailment
    from guardrail_langgraph.middleware import GuardrailMiddleware
    from guardrail_langgraph.node import GuardrailNode
    from guardrail_langgraph.sampler import ChatModelSampler

__all__ = [
    "ChatModelAsker",
    "ChatModelEntailment",
    "ChatModelSampler",
    "GuardrailCallbackHandler",
    "GuardrailMiddleware",
    "GuardrailNode",
    "guard_tools",
]

_HOMES = {
    "ChatModelAsker": "asker",
    "ChatModelEntailment": "judge",
    "ChatModelSampler": "sampler",
    "GuardrailCallbackHandler": "callback",
    "GuardrailMiddleware": "middleware",
    "GuardrailNode": "node",
    "guard_tools": "callback",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in {"langchain", "langchain_core", "langgraph"}:
            from guardrail.errors import MissingExtra

            raise MissingExtra(f"guardrail_langgraph.{name}", "langgraph") from error
        raise
