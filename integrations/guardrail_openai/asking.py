"""Questions about a plan as requests of their own: a system and a user message, and nothing of the conversation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrail.sampling import Failure, Query
from guardrail.sampling.plain import mapping
from guardrail_openai.requests import OpenAIRequest
from guardrail_openai.sending import Call, refused_parameter

# Who asks, where the request goes, and how much the model thinks: as in the planning request.
_KEPT = ("model", "user", "safety_identifier", "service_tier", "extra_query", "reasoning", "reasoning_effort")
_KEPT_BODY = (
    "chat_template_kwargs",
    "cache_prompt",
    "enable_thinking",
    "provider",
    "reasoning",
    "reasoning_effort",
    "thinking",
)
_LEAST_RESPONSE_TOKENS = 16
"""The Responses API takes no smaller limit."""


class Questioner:
    """Builds the requests, and remembers what an endpoint does not take."""

    def __init__(self, *, openai: bool) -> None:
        self._limit = "max_completion_tokens" if openai else "max_tokens"
        self._temperature = True

    def call(self, request: OpenAIRequest, query: Query) -> Call:
        """The request for one question."""
        asked = query.question
        arguments = _kept(request)
        if self._temperature:
            arguments["temperature"] = asked.temperature
        if request.api == "responses":
            arguments |= {
                "instructions": asked.system,
                "input": asked.user,
                "max_output_tokens": max(asked.max_tokens, _LEAST_RESPONSE_TOKENS),
                "store": False,
            }
            if query.top:
                arguments |= {"include": ["message.output_text.logprobs"], "top_logprobs": query.top}
        else:
            arguments |= {
                "messages": [{"role": "system", "content": asked.system}, {"role": "user", "content": asked.user}],
                self._limit: asked.max_tokens,
            }
            if query.top:
                arguments |= {"logprobs": True, "top_logprobs": query.top}
        return Call(api=request.api, arguments=arguments, wait=query.wait)

    def adapt(self, failure: Failure) -> bool:
        """Whether a refusal was about a setting that can be left out or named otherwise, which is then done."""
        match refused_parameter(failure):
            case "max_tokens":
                self._limit = "max_completion_tokens"
            case "max_completion_tokens":
                self._limit = "max_tokens"
            case "temperature":
                self._temperature = False
            case _:
                return False
        return True


def _kept(request: OpenAIRequest) -> dict[str, Any]:
    replayed = request.traceless()
    kept = {key: replayed[key] for key in (*_KEPT, "extra_headers") if key in replayed}
    body: Mapping[str, Any] = mapping(replayed.get("extra_body"))
    if routed := {key: body[key] for key in _KEPT_BODY if key in body}:
        kept["extra_body"] = routed
    return kept
