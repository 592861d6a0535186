"""The guard in agents of LlamaIndex.

agent = guarded(agent, policy=policy, store=store, thread_id="42")
handler = agent.run("pay the invoice")
async for event in handler.stream_events():
    if isinstance(event, ReviewRequired):
        await resume(agent, handler.ctx, event, wait=600)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail_llama_index.events import ReviewDecided, ReviewRequired
    from guardrail_llama_index.setup import guarded, resume
    from guardrail_llama_index.tools import idempotency_key

__all__ = ["ReviewDecided", "ReviewRequired", "guarded", "idempotency_key", "resume"]

_HOMES = {
    "ReviewDecided": "events",
    "ReviewRequired": "events",
    "guarded": "setup",
    "idempotency_key": "tools",
    "resume": "setup",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] in ("llama_index", "workflows"):
            from guardrail.errors import MissingExtra

            raise MissingExtra(f"{__name__}.{name}", "llama-index") from error
        raise
