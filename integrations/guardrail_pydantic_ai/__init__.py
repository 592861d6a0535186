"""The guard in agents of pydantic-ai.

agent = guarded(agent, policy=policy, store=store)
result = await agent.run("pay the invoice")
if isinstance(result.output, DeferredToolRequests):
    decided = await resume(agent, result.output, wait=600)
    result = await agent.run(message_history=result.all_messages(), deferred_tool_results=decided)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail_pydantic_ai.agent import GuardedAgent, guarded, resume
    from guardrail_pydantic_ai.capability import Guardrail
    from guardrail_pydantic_ai.toolset import idempotency_key

__all__ = ["GuardedAgent", "Guardrail", "guarded", "idempotency_key", "resume"]

_HOMES = {
    "GuardedAgent": "agent",
    "Guardrail": "capability",
    "guarded": "agent",
    "idempotency_key": "toolset",
    "resume": "agent",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "pydantic_ai":
            from guardrail.errors import MissingExtra

            raise MissingExtra(f"{__name__}.{name}", "pydantic-ai") from error
        raise
