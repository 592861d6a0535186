"""The guard beside the OpenAI SDK: chat completions and Responses, without a framework.

client = GuardedClient(OpenAI(), policy=policy, store=store, thread_id="42")
response = client.chat.completions.create(**request)
message = client.run(response.choices[0].message.tool_calls[0], tools)

Or by its parts:

sampler = OpenAISampler(client)
guard = Guard(policy, sampler, store)
response = client.chat.completions.create(**request)
verdict = guard.assess(planning_step(request, response, thread_id="42"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from guardrail_openai.guarded import GuardedClient
    from guardrail_openai.held import Held, PlanAgain, Refused, WaitsForReview
    from guardrail_openai.requests import OpenAIRequest
    from guardrail_openai.sampler import OpenAISampler
    from guardrail_openai.steps import planning_step, tool_specs

__all__ = [
    "GuardedClient",
    "Held",
    "OpenAIRequest",
    "OpenAISampler",
    "PlanAgain",
    "Refused",
    "WaitsForReview",
    "planning_step",
    "tool_specs",
]

_HOMES = {
    "GuardedClient": "guarded",
    "Held": "held",
    "OpenAIRequest": "requests",
    "OpenAISampler": "sampler",
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
        if (error.name or "").split(".")[0] == "openai":
            from guardrail.errors import MissingExtra

            raise MissingExtra(f"guardrail_openai.{name}", "openai") from error
        raise
