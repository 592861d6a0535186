"""What the Responses API says: answers, tools and conversations, read from plain JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from guardrail.codec import canonical
from guardrail.sampling import Answer, Written, read_tokens
from guardrail.sampling.plain import count, items, mapping, text
from guardrail.types import Sample, SampleStatus, Token, ToolSpec, Turn, Usage
from guardrail_openai.chat import CUSTOM_SCHEMA, content_text, spec

# Written of OpenAI's own tools that the caller carries out, with the name that stands for the tool.
_CARRIED_OUT_BY_CALLER = {
    "shell_call": "shell",
    "local_shell_call": "local_shell",
    "apply_patch_call": "apply_patch",
    "computer_call": "computer",
}
_NOT_ARGUMENTS = frozenset({"id", "call_id", "type", "status"})
_UNFINISHED = frozenset({"in_progress", "queued", "cancelled"})
_KEPT_ELSEWHERE = "[earlier turns are kept by the provider]"


def sample(response: Mapping[str, Any], *, planned: bool = False) -> Sample:
    """The one answer of a response."""
    output = items(response.get("output"))
    messages = [item for item in output if item.get("type") == "message"]
    parts = [part for item in messages for part in items(item.get("content"))]
    found = _calls(output).sample(
        planned=planned,
        text="\n".join(filter(None, (content_text(item.get("content")) for item in messages))),
        finish_reason=_finish_reason(response),
        response_id=text(response.get("id")) or None,
        choice=0,
        tokens=_tokens(parts),
    )
    status = text(response.get("status"))
    if status == "failed":
        code = text(mapping(response.get("error")).get("code"))
        return replace(found, status=SampleStatus.FAILED, detail=f"the provider failed: {code or 'no reason given'}")
    if status in _UNFINISHED:
        return replace(found, status=SampleStatus.FAILED, detail=f"the response is {status}, not completed")
    return found


def answer(response: Mapping[str, Any], seconds: float) -> Answer:
    """A response with what it cost."""
    usage = mapping(response.get("usage"))
    return Answer(
        samples=(sample(response),),
        usage=Usage(
            requests=1,
            prompt_tokens=count(usage.get("input_tokens")),
            completion_tokens=count(usage.get("output_tokens")),
            seconds=seconds,
        ),
    )


def tools(arguments: Mapping[str, Any]) -> tuple[ToolSpec, ...]:
    """The tools of a request whose calls the caller carries out: functions, custom tools, and OpenAI's own."""
    found: list[ToolSpec] = []
    for tool in items(arguments.get("tools")):
        match kind := text(tool.get("type")):
            case "function":
                found += spec(tool, tool.get("parameters"))
            case "custom":
                found += spec(tool, CUSTOM_SCHEMA)
            case "shell" | "local_shell" | "apply_patch":
                found.append(ToolSpec(name=kind))
            case _ if kind.startswith("computer"):
                found.append(ToolSpec(name="computer"))
    return tuple(found)


def conversation(arguments: Mapping[str, Any]) -> tuple[Turn, ...]:
    """Instructions and input as text. What the provider keeps of earlier turns is not among them, and that is said."""
    turns: list[Turn] = []
    if instructions := text(arguments.get("instructions")):
        turns.append(Turn(role="system", text=instructions))
    if any(arguments.get(key) for key in ("previous_response_id", "conversation", "prompt")):
        turns.append(Turn(role="system", text=_KEPT_ELSEWHERE))
    given = arguments.get("input")
    if isinstance(given, str):
        return (*turns, Turn(role="user", text=given))
    for item in items(given):
        turns += _turns(item)
    return tuple(turns)


def _turns(item: Mapping[str, Any]) -> list[Turn]:
    kind = text(item.get("type"))
    if kind in ("", "message"):
        return [Turn(role=text(item.get("role")) or "user", text=content_text(item.get("content")))]
    if kind.endswith("_output"):
        output = item.get("output")
        return [Turn(role="tool", text=output if isinstance(output, str) else content_text(output) or f"[{kind}]")]
    planned = _calls([item]).sample(planned=True).calls
    return [
        Turn(role="assistant", text=canonical({"tool": call.name, "arguments": call.arguments})) for call in planned
    ]


def _calls(output: list[Mapping[str, Any]]) -> Written:
    calls = Written()
    for item in output:
        kind, call_id = text(item.get("type")), item.get("call_id") or item.get("id")
        if kind in ("function_call", "mcp_approval_request"):
            calls.add(item.get("name"), item.get("arguments"), call_id)
        elif kind == "custom_tool_call":
            calls.add(item.get("name"), {"input": text(item.get("input"))}, call_id)
        elif kind in _CARRIED_OUT_BY_CALLER:
            arguments = {key: value for key, value in item.items() if key not in _NOT_ARGUMENTS}
            calls.add(_CARRIED_OUT_BY_CALLER[kind], arguments, call_id)
    return calls


def _tokens(parts: list[Mapping[str, Any]]) -> tuple[Token, ...] | None:
    """The tokens of all output texts; log-probabilities of calls are not given by this interface."""
    found: list[Token] = []
    for part in parts:
        tokens = read_tokens(part.get("logprobs"))
        if tokens is None:
            return None
        found += tokens
    return tuple(found) or None


def _finish_reason(response: Mapping[str, Any]) -> str | None:
    status = text(response.get("status"))
    if status != "incomplete":
        return status or None
    return text(mapping(response.get("incomplete_details")).get("reason")) or status
