"""The guard in agents of the OpenAI Agents SDK.

agent = guarded(agent, policy=policy, store=store, thread_id="42")
result = await Runner.run(agent, "pay the invoice")
if result.interruptions:
    state = result.to_state()
    await resume(agent, state, wait=600)
    result = await Runner.run(agent, state)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail_openai.agents.resuming import resume
    from guardrail_openai.agents.setup import guarded
    from guardrail_openai.agents.tools import idempotency_key

__all__ = ["guarded", "idempotency_key", "resume"]

_HOMES = {"guarded": "setup", "idempotency_key": "tools", "resume": "resuming"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("agents", "openai"):
            from guardrail.errors import MissingExtra

            raise MissingExtra(f"{__name__}.{name}", "agents") from error
        raise
