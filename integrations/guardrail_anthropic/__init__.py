"""The guard for loops around Anthropic's Messages API.

client = GuardedAnthropic(Anthropic(), policy=policy, store=store, thread_id="42")
message = client.messages.create(**request)
results = [client.run(block, tools) for block in message.content if block.type == "tool_use"]
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail_anthropic.guarded import GuardedAnthropic
    from guardrail_anthropic.held import Held, PlanAgain, Refused, WaitsForReview
    from guardrail_anthropic.sampler import AnthropicSampler
    from guardrail_anthropic.steps import planning_step, tool_specs

__all__ = [
    "AnthropicSampler",
    "GuardedAnthropic",
    "Held",
    "PlanAgain",
    "Refused",
    "WaitsForReview",
    "planning_step",
    "tool_specs",
]

_HOMES = {
    "AnthropicSampler": "sampler",
    "GuardedAnthropic": "guarded",
    "Held": "held",
    "PlanAgain": "held",
    "Refused": "held",
    "WaitsForReview": "held",
    "planning_step": "steps",
    "tool_specs": "steps",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "anthropic":
            from guardrail.errors import MissingExtra

            raise MissingExtra(f"guardrail_anthropic.{name}", "anthropic") from error
        raise
