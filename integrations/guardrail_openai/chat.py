"""What chat completions say: answers, tools and conversations, read from plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from guardrail.codec import canonical
from guardrail.sampling import Answer, Written, completion_of_all, read_tokens
from guardrail.sampling.plain import count, items, mapping, text
from guardrail.types import Sample, ToolSpec, Turn, Usage

CUSTOM_SCHEMA = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
"""A custom tool takes one free text."""


def samples(response: Mapping[str, Any], *, planned: bool = False) -> tuple[Sample, ...]:
    """Every choice of a chat completion, in the order of their indices as far as these are given."""
    choices = items(response.get("choices"))
    return tuple(_sample(response, choice, position, planned=planned) for position, choice in enumerate(choices))


def answer(response: Mapping[str, Any], seconds: float) -> Answer:
    """A response with what it cost.

    Raises:
        ValueError: it has no choice.
    """
    drawn = samples(response)
    usage = mapping(response.get("usage"))
    return Answer(
        samples=drawn,
        usage=Usage(
            requests=1,
            prompt_tokens=count(usage.get("prompt_tokens")),
            completion_tokens=completion_of_all(count(usage.get("completion_tokens")), drawn),
            seconds=seconds,
        ),
    )


def _sample(response: Mapping[str, Any], choice: Mapping[str, Any], position: int, *, planned: bool) -> Sample:
    message = mapping(choice.get("message"))
    index = choice.get("index")
    return _calls(message).sample(
        planned=planned,
        text=content_text(message.get("content")) or text(message.get("refusal")),
        finish_reason=text(choice.get("finish_reason")) or None,
        response_id=text(response.get("id")) or None,
        choice=index if isinstance(index, int) and not isinstance(index, bool) else position,
        tokens=read_tokens(choice.get("logprobs")),
    )


def _calls(message: Mapping[str, Any]) -> Written:
    calls = Written()
    for call in items(message.get("tool_calls")):
        function, custom = mapping(call.get("function")), mapping(call.get("custom"))
        if custom:
            calls.add(custom.get("name"), {"input": text(custom.get("input"))}, call.get("id"))
        else:
            calls.add(function.get("name"), function.get("arguments"), call.get("id"))
    legacy = mapping(message.get("function_call"))
    if legacy:
        calls.add(legacy.get("name"), legacy.get("arguments"), "")
    return calls


def tools(arguments: Mapping[str, Any]) -> tuple[ToolSpec, ...]:
    """The tools of a request, the older ``functions`` included."""
    found: list[ToolSpec] = []
    for tool in items(arguments.get("tools")):
        custom = mapping(tool.get("custom"))
        body = custom or mapping(tool.get("function"))
        found += spec(body, CUSTOM_SCHEMA if custom else body.get("parameters"))
    for function in items(arguments.get("functions")):
        found += spec(function, function.get("parameters"))
    return tuple(found)


def spec(body: Mapping[str, Any], parameters: object) -> list[ToolSpec]:
    """A tool of that description, if it has a name."""
    name = text(body.get("name"))
    schema = dict(mapping(parameters))
    return [ToolSpec(name=name, description=text(body.get("description")), parameters=schema)] if name else []


def conversation(arguments: Mapping[str, Any]) -> tuple[Turn, ...]:
    """The messages of a request as text; what is neither text nor a call is named in brackets."""
    return tuple(_turn(message) for message in items(arguments.get("messages")))


def _turn(message: Mapping[str, Any]) -> Turn:
    said = content_text(message.get("content")) or text(message.get("refusal"))
    planned = _calls(message).sample(planned=True).calls
    written = [canonical({"tool": call.name, "arguments": call.arguments}) for call in planned]
    return Turn(role=text(message.get("role")) or "user", text="\n".join([*([said] if said else []), *written]))


def content_text(content: object) -> str:
    """The words of a message's content, plain or in parts."""
    if isinstance(content, str):
        return content
    parts = []
    for part in items(content):
        words = next((part[key] for key in ("text", "refusal") if isinstance(part.get(key), str)), None)
        parts.append(f"[{text(part.get('type')) or 'part'}]" if words is None else words)
    return "\n".join(parts)
