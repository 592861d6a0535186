"""The request that planned a step, and what it takes to send it again for a sample."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal, Self

from openai.resources.chat.completions import AsyncCompletions
from openai.resources.responses import AsyncResponses

from guardrail.codec import digest
from guardrail.errors import SamplingError
from guardrail.sampling import greedy_setting
from guardrail.sampling.plain import identity, items, mapping, snapshot, text

API = Literal["chat", "responses"]

_TRANSPORT = frozenset({"extra_headers", "extra_query", "timeout"})
_SECRET = re.compile(r"(?i)authorization|headers|api[-_]?key|(?:access|auth|bearer)[-_]?token|password|.*secret.*")
_NOT_REPLAYED = frozenset(
    {"n", "seed", "random_seed", "stream", "stream_options", "background", "background_options", "store", "timeout"}
)
# Caches that proxies keep of whole answers; prompt caches of the model stay.
_ANSWER_CACHES = frozenset({"cache", "caching"})
_NOT_REPLAYED_HEADER = re.compile(r"(?i)idempotency-key|(?!.*(?:skip|no-|bypass|control)).*cache.*")


def arguments_of(body: Mapping[str, Any]) -> dict[str, Any]:
    """The keyword arguments by which the SDK sends that body: what it does not know goes into ``extra_body``."""
    known = _parameters("chat" if "messages" in body else "responses")
    rest = {name: value for name, value in body.items() if name not in known}
    arguments = {name: value for name, value in body.items() if name in known}
    return {**arguments, "extra_body": rest} if rest else arguments


@cache
def _parameters(api: API) -> frozenset[str]:
    create = AsyncCompletions.create if api == "chat" else AsyncResponses.create
    return frozenset(inspect.signature(create).parameters) - _TRANSPORT - {"self", "extra_body"}


@dataclass(frozen=True, kw_only=True)
class OpenAIRequest:
    """The keyword arguments of one ``create`` of chat completions or Responses, as they were when it was sent."""

    api: API
    arguments: Mapping[str, Any]

    @classmethod
    def of(cls, arguments: Mapping[str, Any]) -> Self:
        """The request with these arguments: chat completions have ``messages``."""
        return cls(api="chat" if "messages" in arguments else "responses", arguments=snapshot(arguments))

    @property
    def model(self) -> str:
        """The model, by the name it was asked for."""
        return text(self.arguments.get("model"))

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the model was asked. How it was sent is not in it, nor keys and tokens of tool servers."""
        return digest("openai/v1", self.api, identity(self._asked()))

    @property
    def body(self) -> dict[str, Any]:
        """What the model was asked, as JSON: to be kept, and sent again some day. No keys or headers are in it."""
        kept: dict[str, Any] = identity(self._asked())
        kept.update(mapping(kept.pop("extra_body", None)))
        return kept

    def _asked(self) -> dict[str, Any]:
        kept = {key: value for key, value in self.arguments.items() if key not in _TRANSPORT}
        if "tools" in kept:
            kept["tools"] = [_without_secrets(tool) for tool in items(kept["tools"])]
        if "extra_body" in kept:
            kept["extra_body"] = _without_secrets(mapping(kept["extra_body"]))
        return kept

    def replay(self, temperature: float | None) -> dict[str, Any]:
        """The arguments of a sample: the same, without what would make it a copy or leave a trace.

        Raises:
            SamplingError: sampling it would change something at the provider, or give one answer again and again.
        """
        self._refuse_effects()
        greedy = greedy_setting(self.arguments, temperature)
        if greedy is not None:
            raise SamplingError(f"{greedy} makes all samples the same: plan with another setting to measure agreement")
        return self.traceless(temperature)

    def traceless(self, temperature: float | None = None) -> dict[str, Any]:
        """The arguments without what would bring an old answer back or leave a trace; None keeps the temperature."""
        body = mapping(self.arguments.get("extra_body"))
        kept = _replayable(self.arguments, temperature)
        if body:
            kept["extra_body"] = _replayable(body, temperature)
        if headers := mapping(self.arguments.get("extra_headers")):
            kept["extra_headers"] = {
                name: value for name, value in headers.items() if not _NOT_REPLAYED_HEADER.fullmatch(name)
            }
        if temperature is not None:
            kept["temperature"] = temperature
        if self.api == "responses":
            # stored is what the interface does by default
            kept["store"] = False
        elif self.arguments.get("store"):
            kept.pop("metadata", None)  # which is for what is stored
        return kept

    def _refuse_effects(self) -> None:
        if self.arguments.get("conversation"):
            raise SamplingError(
                "the request adds to a conversation that the provider keeps, and so would every sample: "
                "plan with previous_response_id, or with the turns as input"
            )
        for tool in items(self.arguments.get("tools")):
            if tool.get("type") == "mcp" and tool.get("require_approval", "always") != "always":
                label = text(tool.get("server_label")) or "an MCP server"
                raise SamplingError(
                    f"the provider runs tools of {label} without asking, and a sample would run them again: "
                    'set require_approval to "always"'
                )


def _replayable(settings: Mapping[str, Any], temperature: float | None) -> dict[str, Any]:
    kept = {name: value for name, value in settings.items() if name not in _NOT_REPLAYED and name not in _ANSWER_CACHES}
    if temperature is not None and "temperature" in kept:
        kept["temperature"] = temperature
    if kept.get("cache_prompt") is False:
        # llama.cpp: that the prompt is read once changes nothing about what is drawn
        kept["cache_prompt"] = True
    return kept


def _without_secrets(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if not _SECRET.fullmatch(name)}
