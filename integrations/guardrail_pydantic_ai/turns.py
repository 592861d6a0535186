"""One request of an agent to its model: the step that it planned, and the same request again for a sample."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from secrets import randbelow
from typing import Any, Final

from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models import Model, ModelRequestParameters
from pydantic_ai.settings import ModelSettings
from pydantic_ai.tools import ToolDefinition

from guardrail.codec import canonical, digest
from guardrail.desk import Planned
from guardrail.sampling import Answer, Repeatable, Written, inspect, read_tokens
from guardrail.types import PlanningStep, Sample, ToolSpec, Turn, Usage

_COPIES: Final = frozenset({"n", "seed", "random_seed", "stream", "stream_options", "cache", "caching", "store"})
_REVEALS: Final = frozenset({"tool-search", "capability-load"})


def reveals(tool: ToolDefinition) -> bool:
    """Whether it is a tool of the framework's own that only shows the model more tools."""
    return tool.tool_kind in _REVEALS


@dataclass(frozen=True, kw_only=True)
class Request(Repeatable):
    """What was sent to a model, and which it was."""

    model: Model
    messages: tuple[ModelMessage, ...]
    model_settings: ModelSettings
    parameters: ModelRequestParameters

    @property
    def settings(self) -> Mapping[str, Any]:
        """The model's settings of the request."""
        return {**(self.model.settings or {}), **self.model_settings}

    @property
    def answered(self) -> set[str]:
        """The calls that its newest messages answer: the model has not spoken since."""
        found: set[str] = set()
        for message in reversed(self.messages):
            if isinstance(message, ModelResponse):
                break
            found |= {str(getattr(part, "tool_call_id", "")) for part in message.parts}
        return found - {""}

    def step(
        self,
        response: ModelResponse,
        *,
        thread_id: str,
        namespace: str,
        attempt: int,
        annotations: Mapping[str, Mapping[str, Any]],
    ) -> PlanningStep | None:
        """The step that a response planned; None where it planned nothing but output, which runs no tool."""
        unguarded = {tool.name for tool in self.parameters.output_tools}
        unguarded |= {tool.name for tool in self.parameters.function_tools if reveals(tool)}
        planned = sample(response, planned=True, without=unguarded)
        if not planned.calls:
            return None
        tools = tuple(tool_spec(tool, annotations) for tool in self.parameters.function_tools)
        said = tuple(turn for message in self.messages for turn in _turns(message))
        asked = digest(
            "pydantic-ai/v1",
            self.model.model_name,
            [[turn.role, turn.text] for turn in said],
            [[tool.name, tool.parameters] for tool in tools],
        )
        (seen,) = inspect([planned])
        return PlanningStep(
            id=planned.response_id or digest("step", asked, [[one.id, one.name, one.arguments] for one in seen.calls]),
            planned=seen,
            tools=tools,
            model=self.model.model_name,
            thread_id=thread_id,
            namespace=namespace,
            attempt=attempt,
            request=self,
            request_digest=asked,
            conversation=said,
        )

    async def again(self, temperature: float | None) -> Answer:
        """One sample: the same request, at the temperature of samples, and kept nowhere."""
        settings = {key: value for key, value in self.settings.items() if key not in _COPIES}
        if isinstance(body := settings.get("extra_body"), Mapping):
            settings["extra_body"] = {key: value for key, value in body.items() if key not in _COPIES}
        if temperature is not None:
            settings["temperature"] = temperature
        if "seed" in self.settings:
            # left out it would be the model's own again
            settings["seed"] = randbelow(2**31)
        if "Responses" in type(self.model).__name__ or settings.get("openai_store"):
            settings["openai_store"] = False
        started = time.perf_counter()
        given: Any = settings  # a TypedDict
        response = await self.model.request(list(self.messages), given, self.parameters)
        used = response.usage
        known = bool(used.input_tokens or used.output_tokens)  # the framework says 0 where the provider said nothing
        usage = Usage(
            requests=1,
            prompt_tokens=used.input_tokens if known else None,
            completion_tokens=used.output_tokens if known else None,
            seconds=time.perf_counter() - started,
        )
        return Answer(samples=(sample(response),), usage=usage)


def sample(response: ModelResponse, *, planned: bool = False, without: Collection[str] = ()) -> Sample:
    """What a response says, without its calls of some tools."""
    written = Written()
    for part in response.parts:
        if isinstance(part, ToolCallPart) and part.tool_name not in without:
            written.add(part.tool_name, part.args, part.tool_call_id)
    return written.sample(
        planned=planned,
        text="".join(part.content for part in response.parts if isinstance(part, TextPart)),
        finish_reason=response.finish_reason,
        response_id=response.provider_response_id or None,
        tokens=read_tokens((response.provider_details or {}).get("logprobs")),
    )


def planned_call(messages: Sequence[ModelMessage], call_id: str, name: str) -> Planned:
    """The newest call of that id as the model wrote it; one that is not there is none that the guard has seen."""
    for message in reversed(messages):
        for part in reversed(message.parts):
            if isinstance(part, ToolCallPart) and part.tool_call_id == call_id and part.tool_name == name:
                return as_planned(part)
    written = Written()
    written.add(name, None, call_id)
    return replace(_only(written), readable=False)


def as_planned(part: ToolCallPart) -> Planned:
    """A call as the desk knows it."""
    written = Written()
    written.add(part.tool_name, part.args, part.tool_call_id)
    return _only(written)


def tool_spec(tool: ToolDefinition, annotations: Mapping[str, Mapping[str, Any]]) -> ToolSpec:
    """A tool as the model sees it. Those of MCP servers bring their annotations."""
    own = (tool.metadata or {}).get("annotations")
    given = {**(own if isinstance(own, Mapping) else {}), **annotations.get(tool.name, {})}
    return ToolSpec(
        name=tool.name,
        description=tool.description or "",
        parameters=dict(tool.parameters_json_schema),
        annotations={key: value for key, value in given.items() if value is not None},
    )


def _only(written: Written) -> Planned:
    found = written.sample(planned=True)
    return Planned(call=found.calls[0], readable=not found.detail)


def _turns(message: ModelMessage) -> list[Turn]:
    """A message as text; what is neither text nor a call is named in brackets."""
    if isinstance(message, ModelResponse):
        calls = [
            canonical({"tool": one.name, "arguments": one.arguments}) for one in sample(message, planned=True).calls
        ]
        words = [part.content for part in message.parts if isinstance(part, TextPart)]
        return [Turn(role="assistant", text="\n".join([*words, *calls]))]
    said = [Turn(role="system", text=message.instructions)] if message.instructions else []
    for part in message.parts:
        role = {"system-prompt": "system", "user-prompt": "user"}.get(part.part_kind, "tool")
        content: Any = getattr(part, "content", "")
        items = content if isinstance(content, list | tuple) else [content]
        said.append(Turn(role=role, text="\n".join(_text(item) for item in items)))
    return said


def _text(item: Any) -> str:
    if isinstance(item, str):
        return item
    try:
        return canonical(item)
    except (TypeError, ValueError):
        return f"[{type(item).__name__}]"
