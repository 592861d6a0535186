"""What the Messages API says, read from plain JSON: plans, tools and conversations; and requests, to be sent again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

from pydantic import BaseModel

from guardrail.codec import canonical, digest
from guardrail.errors import ConfigError, SamplingError
from guardrail.sampling import Answer, Written, greedy_setting, inspect
from guardrail.sampling.plain import count, identity, items, mapping, snapshot, text
from guardrail.types import PlanningStep, Sample, ToolSpec, Turn, Usage

_TRANSPORT: Final = frozenset({"extra_headers", "extra_query", "timeout"})
_CALL: Final = "tool_use"
_ANY: Final = {"type": "object", "additionalProperties": True}
_RUNS_AGAIN: Final = ("code_execution", "mcp_toolset")


@dataclass(frozen=True, kw_only=True)
class AnthropicRequest:
    """The keyword arguments of one ``messages.create``, as they were when it was sent."""

    arguments: Mapping[str, Any]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of what the model was asked; how it was sent is not in it."""
        asked = {key: value for key, value in self.arguments.items() if key not in _TRANSPORT and key != "stream"}
        return digest("anthropic/v1", identity(asked))

    @property
    def settings(self) -> dict[str, Any]:
        """Everything that was set, also where the SDK has no argument of its own for it."""
        return {**self.arguments, **mapping(self.arguments.get("extra_body"))}

    def again(self, temperature: float | None) -> dict[str, Any]:
        """The arguments of a sample: the same request, whole, at that temperature; None keeps the request's.

        The API's own temperature is 1, and models that think take no other: it is sent where it makes a difference.

        Raises:
            SamplingError: a sample would run something at the provider once more, or be one answer again and again.
        """
        settings = self.settings
        _refuse_effects(settings)
        if (greedy := greedy_setting(settings, temperature)) is not None:
            raise SamplingError(f"{greedy} makes all samples the same: plan with another setting to measure agreement")
        kept = {key: value for key, value in self.arguments.items() if key not in ("stream", "timeout")}
        headers = mapping(kept.pop("extra_headers", None))
        if headers := {name: value for name, value in headers.items() if name.lower() != "idempotency-key"}:
            kept["extra_headers"] = headers
        body = {key: value for key, value in mapping(kept.pop("extra_body", None)).items() if key != "stream"}
        thinks = text(mapping(settings.get("thinking")).get("type")) not in ("", "disabled")
        if temperature is not None and ("temperature" in settings or (temperature != 1 and not thinks)):
            # an SDK that still has an argument for it takes it there
            (kept if "temperature" in kept else body)["temperature"] = 1.0 if thinks else temperature
        return {**kept, "extra_body": body} if body else kept


def _refuse_effects(settings: Mapping[str, Any]) -> None:
    kinds = [text(tool.get("type")) for tool in items(settings.get("tools"))]
    again = [kind for kind in kinds if kind.startswith(_RUNS_AGAIN)]
    if again or settings.get("mcp_servers"):
        what = f"the tool {again[0]!r}" if again else "tools of MCP servers"
        raise SamplingError(f"the provider carries out {what} by itself, and a sample would do so again")


def planning_step(
    request: Mapping[str, Any] | None,
    message: BaseModel | Mapping[str, Any],
    *,
    thread_id: str,
    tools: Sequence[ToolSpec] = (),
    annotations: Mapping[str, Mapping[str, Any]] | None = None,
    namespace: str = "",
    attempt: int = 0,
) -> PlanningStep:
    """The step that a message planned, ready for ``Guard.assess``.

    Args:
        request: the keyword arguments that were sent; None where they are not known, and then every call of the step
            goes to a human.
        message: what came back, of a stream its final message.
        thread_id: which conversation of yours this is.
        tools: the tools that the model was offered, where the request does not name them.
        annotations: MCP annotations of tools, by name.
        namespace: where in the conversation, if several agents share it.
        attempt: how often this step has been sent back to be planned again.

    Raises:
        ConfigError: that is no message.
    """
    answered = mapping(snapshot(message))
    if not isinstance(answered.get("content"), list):
        raise ConfigError("the message has no content: give planning_step what messages.create returned")
    sent = None if request is None else AnthropicRequest(arguments=snapshot(request))
    (planned,) = inspect([sample(answered, planned=True)])
    settings = {} if sent is None else sent.settings
    calls = [[call.id, call.name, call.arguments] for call in planned.calls]
    hints = annotations or {}
    return PlanningStep(
        id=planned.response_id or digest(calls),
        planned=planned,
        tools=tuple(replace(one, annotations=dict(hints.get(one.name, {}))) for one in tool_specs(settings) or tools),
        model=text(settings.get("model")) or text(answered.get("model")),
        thread_id=thread_id,
        namespace=namespace,
        attempt=attempt,
        request=sent,
        request_digest="" if sent is None else sent.digest,
        conversation=_conversation(settings),
    )


def sample(message: Mapping[str, Any], *, planned: bool = False) -> Sample:
    """A message as a sample."""
    written, content = Written(), items(message.get("content"))
    for block in content:
        if block.get("type") == _CALL:
            written.add(block.get("name"), block.get("input"), block.get("id"))
    return written.sample(
        planned=planned,
        text="\n".join(text(block.get("text")) for block in content if block.get("type") == "text"),
        finish_reason=text(message.get("stop_reason")) or None,
        response_id=text(message.get("id")) or None,
    )


def answer(message: Mapping[str, Any], seconds: float) -> Answer:
    """A message with what it cost: tokens read from and written to a cache are tokens of the prompt, too."""
    usage = mapping(message.get("usage"))
    prompt = count(usage.get("input_tokens"))
    if prompt is not None:
        prompt += sum(count(usage.get(f"cache_{what}_input_tokens")) or 0 for what in ("creation", "read"))
    spent = Usage(
        requests=1, prompt_tokens=prompt, completion_tokens=count(usage.get("output_tokens")), seconds=seconds
    )
    return Answer(samples=(sample(message),), usage=spent)


def tool_specs(request: Mapping[str, Any]) -> tuple[ToolSpec, ...]:
    """The tools in the keyword arguments of a request, as the model saw them; for ``Policy.check``."""
    return tuple(
        ToolSpec(
            name=text(tool.get("name")),
            description=text(tool.get("description")),
            parameters=dict(mapping(tool.get("input_schema")) or _ANY),
        )
        for tool in items(snapshot(request).get("tools"))
        if tool.get("name")
    )


def answered_ids(request: Mapping[str, Any]) -> set[str]:
    """The calls that the newest messages of a request answer: the model has not spoken since."""
    found: set[str] = set()
    for message in reversed(items(request.get("messages"))):
        if message.get("role") != "user":
            break
        found |= {text(block.get("tool_use_id")) for block in items(message.get("content"))}
    return found - {""}


def _conversation(request: Mapping[str, Any]) -> tuple[Turn, ...]:
    """The messages of a request as text; what is neither text nor a call is named in brackets."""
    system, said = _said(request.get("system")), items(request.get("messages"))
    turns = [Turn(role=text(one.get("role")) or "user", text=_said(one.get("content"))) for one in said]
    return (*([Turn(role="system", text=system)] if system else []), *turns)


def _said(content: object) -> str:
    return content if isinstance(content, str) else "\n".join(map(_block, items(content)))


def _block(block: Mapping[str, Any]) -> str:
    match block.get("type"):
        case "text":
            return text(block.get("text"))
        case "tool_use":
            return canonical({"tool": block.get("name"), "arguments": block.get("input")})
        case "tool_result":
            return _said(block.get("content"))
        case kind:
            return f"[{kind}]"
