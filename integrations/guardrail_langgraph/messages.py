"""What LangChain's messages, results and tools say, in the guard's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool

from guardrail.sampling import Answer, completion_of_all, read_tokens
from guardrail.types import Sample, SampleStatus, ToolCall, ToolSpec, Usage

# LangChain makes these ids itself, one a run: they say nothing about where a message comes from.
_OWN_ID_PREFIXES = ("lc_", "run-", "run_")
_FINISH_KEYS = ("finish_reason", "stop_reason", "done_reason")
_MCP_HINTS = ("title", "readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")
# LangChain's, over arguments that are no object; and OpenAI's, where structured output was asked for.
_UNREADABLE = {
    "ValidationError": SampleStatus.UNPARSABLE,
    "LengthFinishReasonError": SampleStatus.TRUNCATED,
    "ContentFilterFinishReasonError": SampleStatus.TRUNCATED,
}


def sample_from_message(message: AIMessage, *, response_id: str | None = None, choice: int | None = None) -> Sample:
    """The message as a sample: its calls, words, finish reason, provenance and log-probabilities.

    ``response_id`` and ``choice`` are used where the message does not have its own response id.
    A call that could not be parsed, or holds a number that is not JSON, makes the sample unparsable.
    """
    metadata = message.response_metadata
    calls: list[ToolCall] = []
    broken = [
        f"{call.get('name') or 'a call'}: {call.get('error') or 'invalid'}" for call in message.invalid_tool_calls
    ]
    for call in message.tool_calls:
        if call["name"] and _is_json(call["args"]):
            calls.append(ToolCall(name=call["name"], arguments=call["args"], id=call.get("id") or ""))
        else:
            broken.append(f"{call['name'] or 'a call without a name'}: arguments are not JSON")
    return Sample(
        calls=tuple(calls),
        text=_text(message),
        status=SampleStatus.UNPARSABLE if broken else SampleStatus.OK,
        detail="; ".join(broken)[:500],
        finish_reason=_finish_reason(metadata),
        response_id=_response_id(message) or response_id or None,
        choice=choice,
        tokens=read_tokens(metadata.get("logprobs")),
    )


def unreadable(error: Exception) -> Sample | None:
    """The sample that a client could not make a message of; None if the exception is about something else."""
    status = _UNREADABLE.get(type(error).__name__)
    return None if status is None else Sample(status=status, detail=f"not a readable answer: {type(error).__name__}")


def answer_from_result(result: LLMResult, seconds: float = 0.0) -> Answer:
    """One request's generations as samples, with what the request cost.

    Raises:
        ValueError: the result has no generation.
    """
    messages = [
        generation.message
        for generation in result.generations[0]
        if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage)
    ]
    output = result.llm_output or {}
    response_id = output.get("id")
    samples = tuple(
        sample_from_message(message, response_id=response_id, choice=choice) for choice, message in enumerate(messages)
    )
    prompt, completion = _reported(output, messages)
    return Answer(
        samples=samples,
        usage=Usage(
            requests=1, prompt_tokens=prompt, completion_tokens=completion_of_all(completion, samples), seconds=seconds
        ),
    )


def tool_specs(tools: Sequence[Mapping[str, Any]] | None) -> tuple[ToolSpec, ...]:
    """The tools in a request's settings, in the form of any provider; built-in tools without a name are left out."""
    specs: list[ToolSpec] = []
    for tool in tools or ():
        for body in _function_bodies(tool):
            schema = body.get("parameters") or body.get("input_schema") or body.get("inputSchema") or {}
            if isinstance(schema, Mapping) and isinstance(schema.get("json"), Mapping):
                schema = schema["json"]
            name = body.get("name")
            if isinstance(name, str) and name:
                specs.append(
                    ToolSpec(name=name, description=str(body.get("description") or ""), parameters=dict(schema))
                )
    return tuple(specs)


def tool_specs_from(tools: Sequence[BaseTool | Callable[..., Any] | Mapping[str, Any]]) -> tuple[ToolSpec, ...]:
    """The tools as the model sees them, with the MCP annotations that an MCP tool carries in its metadata."""
    specs: list[ToolSpec] = []
    for tool in tools:
        if isinstance(tool, Mapping):
            specs.extend(tool_specs([tool]))
            continue
        (spec,) = tool_specs([convert_to_openai_tool(tool)])
        specs.append(
            ToolSpec(
                name=spec.name,
                description=spec.description,
                parameters=spec.parameters,
                annotations=_annotations(getattr(tool, "metadata", None)),
            )
        )
    return tuple(specs)


def _function_bodies(tool: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    for key in ("function", "toolSpec"):
        if isinstance(tool.get(key), Mapping):
            return [tool[key]]
    declared = tool.get("function_declarations") or tool.get("functionDeclarations")
    return list(declared) if declared else [tool]


def _annotations(metadata: object) -> dict[str, Any]:
    if not isinstance(metadata, Mapping):
        return {}
    nested = metadata.get("annotations")
    sources = [metadata, nested] if isinstance(nested, Mapping) else [metadata]
    return {hint: source[hint] for source in sources for hint in _MCP_HINTS if source.get(hint) is not None}


def _text(message: AIMessage) -> str:
    return str(message.text) or str(message.additional_kwargs.get("refusal") or "")


def _finish_reason(metadata: Mapping[str, Any]) -> str | None:
    if metadata.get("status") == "incomplete":
        details = metadata.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, Mapping) else None
        return str(reason or "incomplete")
    reason = next((metadata[key] for key in _FINISH_KEYS if metadata.get(key)), None)
    return None if reason is None else str(getattr(reason, "name", reason))


def _response_id(message: BaseMessage) -> str | None:
    own = message.response_metadata.get("id") or message.id
    return own if isinstance(own, str) and own and not own.startswith(_OWN_ID_PREFIXES) else None


def _is_json(arguments: object) -> bool:
    try:
        json.dumps(arguments, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return isinstance(arguments, dict)


def _reported(output: Mapping[str, Any], messages: Sequence[AIMessage]) -> tuple[int | None, int | None]:
    total = output.get("token_usage") or output.get("usage")
    if isinstance(total, Mapping):
        prompt = total.get("prompt_tokens", total.get("input_tokens"))
        completion = total.get("completion_tokens", total.get("output_tokens"))
        if isinstance(prompt, int) and isinstance(completion, int):
            return prompt, completion
    reports = [message.usage_metadata for message in messages if message.usage_metadata is not None]
    if not reports:
        return None, None
    completions = [report["output_tokens"] for report in reports]
    # equal reports are copies of one report about all choices; different ones are about one choice each
    same = all(report == reports[0] for report in reports)
    return reports[0]["input_tokens"], completions[0] if same else sum(completions)
