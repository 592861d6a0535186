"""One request of an agent to its LLM: the step that it planned, and the same request again for a sample."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool

from guardrail.codec import canonical, digest
from guardrail.sampling import Answer, Repeatable, Written, inspect, read_tokens
from guardrail.sampling.plain import count, identity, items, mapping, snapshot, text
from guardrail.types import PlanningStep, Sample, ToolSpec, Turn, Usage

_COPIES: Final = frozenset({"n", "seed", "random_seed", "stream", "stream_options", "cache", "caching", "store"})
_SHAPES: Final = ("temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty", "reasoning_effort")
_TOKENS: Final = (("prompt_tokens", "completion_tokens"), ("input_tokens", "output_tokens"))


@dataclass(frozen=True, kw_only=True)
class Request(Repeatable):
    """The arguments of one ``achat_with_tools``, and the LLM that they went to."""

    llm: FunctionCallingLLM
    tools: tuple[BaseTool, ...]
    arguments: Mapping[str, Any]

    @property
    def settings(self) -> Mapping[str, Any]:
        """The LLM's settings."""
        own = {name: getattr(self.llm, name, None) for name in _SHAPES}
        extra = mapping(getattr(self.llm, "additional_kwargs", None))
        return {**extra, **{name: value for name, value in own.items() if value is not None}}

    @property
    def messages(self) -> list[ChatMessage]:
        """The conversation, as far as the LLM was given one."""
        history = list(self.arguments.get("chat_history") or [])
        said = self.arguments.get("user_msg")
        if said is None:
            return history
        return [*history, said if isinstance(said, ChatMessage) else ChatMessage(role="user", content=said)]

    @property
    def answered(self) -> set[str]:
        """The calls that its newest messages answer: the model has not spoken since."""
        found: set[str] = set()
        for message in reversed(self.messages):
            if _role(message) != "tool":
                break
            found.add(text(message.additional_kwargs.get("tool_call_id")))
        return found - {""}

    def step(
        self,
        response: ChatResponse,
        *,
        without: Collection[str],
        thread_id: str,
        namespace: str,
        attempt: int,
        annotations: Mapping[str, Mapping[str, Any]],
    ) -> PlanningStep | None:
        """The step that a response planned; None where it planned nothing but to hand over, which runs no tool."""
        planned = sample(self.llm, response, planned=True, without=without)
        if not planned.calls:
            return None
        specs = tuple(tool_spec(tool, annotations) for tool in self.tools)
        name = text(getattr(self.llm.metadata, "model_name", "")) or type(self.llm).__name__
        said = tuple(_turn(message) for message in self.messages)
        rest = {key: value for key, value in self.arguments.items() if key not in ("chat_history", "user_msg")}
        asked = digest(
            "llama-index/v1",
            name,
            [[turn.role, turn.text] for turn in said],
            [[tool.name, tool.parameters] for tool in specs],
            identity(rest),
        )
        (seen,) = inspect([planned])
        return PlanningStep(
            id=planned.response_id or digest("step", asked, [[one.id, one.name, one.arguments] for one in seen.calls]),
            planned=seen,
            tools=specs,
            model=name,
            thread_id=thread_id,
            namespace=namespace,
            attempt=attempt,
            request=self,
            request_digest=asked,
            conversation=said,
        )

    async def again(self, temperature: float | None) -> Answer:
        """One sample: the same request, at the temperature of samples, and never streamed."""
        fields = type(self.llm).model_fields
        update: dict[str, Any] = {name: None for name in ("seed", "random_seed") if name in fields}
        if isinstance(extra := getattr(self.llm, "additional_kwargs", None), Mapping):
            update["additional_kwargs"] = {key: value for key, value in extra.items() if key not in _COPIES}
        given = {key: value for key, value in self.arguments.items() if key not in _COPIES}
        if temperature is not None and "temperature" in fields:
            update["temperature"] = temperature
        elif temperature is not None:
            given["temperature"] = temperature
        started = time.perf_counter()
        response = await self.llm.model_copy(update=update).achat_with_tools(list(self.tools), **given)
        found = sample(self.llm, response)
        return Answer(samples=(found,), usage=_usage(response, time.perf_counter() - started))


def sample(
    llm: FunctionCallingLLM, response: ChatResponse, *, planned: bool = False, without: Collection[str] = ()
) -> Sample:
    """What a response says, without its calls of some tools."""
    written, raw = Written(), mapping(snapshot(response.raw))
    unread = _as_written(response.message)
    for call in llm.get_tool_calls_from_response(response, error_on_no_tool_call=False):
        if call.tool_name not in without:
            # what cannot be read comes out of the LLM as no arguments, or as some of them
            as_written = unread.get(call.tool_id, call.tool_kwargs)
            written.add(call.tool_name, as_written, call.tool_id)
    choice = next(iter(items(raw.get("choices"))), {})
    return written.sample(
        planned=planned,
        text=_words(response.message),
        finish_reason=text(choice.get("finish_reason")) or text(raw.get("stop_reason")) or None,
        response_id=text(raw.get("id")) or None,
        tokens=read_tokens(choice.get("logprobs")),
    )


def tool_spec(tool: BaseTool, annotations: Mapping[str, Mapping[str, Any]]) -> ToolSpec:
    """A tool as the model sees it."""
    name = str(tool.metadata.name)
    return ToolSpec(
        name=name,
        description=tool.metadata.description,
        parameters=tool.metadata.get_parameters_dict(),
        annotations=dict(annotations.get(name, {})),
    )


def _as_written(message: ChatMessage) -> dict[str, object]:
    """The arguments of calls that the LLM kept as the texts that the model wrote, by the calls' ids."""
    found: dict[str, object] = {}
    for call in items(snapshot(message.additional_kwargs.get("tool_calls"))):
        if "arguments" in (function := mapping(call.get("function"))):
            found[text(call.get("id"))] = function["arguments"]
    for block in message.blocks:
        if isinstance(said := getattr(block, "tool_kwargs", None), str):
            found[text(getattr(block, "tool_call_id", ""))] = said
    return found


def _usage(response: ChatResponse, seconds: float) -> Usage:
    raw = mapping(mapping(snapshot(response.raw)).get("usage"))
    for told in (raw, response.additional_kwargs):
        for prompt, completion in _TOKENS:
            if prompt in told:
                return Usage(
                    requests=1,
                    prompt_tokens=count(told.get(prompt)),
                    completion_tokens=count(told.get(completion)),
                    seconds=seconds,
                )
    return Usage(requests=1, seconds=seconds)


def _turn(message: ChatMessage) -> Turn:
    blocks: Sequence[Any] = message.blocks
    calls = [
        canonical({"tool": block.tool_name, "arguments": identity(block.tool_kwargs)})
        for block in blocks
        if hasattr(block, "tool_kwargs")
    ]
    calls += [canonical(identity(call)) for call in items(snapshot(message.additional_kwargs.get("tool_calls")))]
    said = _words(message)
    return Turn(role=_role(message), text="\n".join([*([said] if said else []), *calls]))


def _words(message: ChatMessage) -> str:
    parts: Sequence[Any] = message.blocks
    return "\n".join(
        part.text if hasattr(part, "text") else f"[{getattr(part, 'block_type', 'part')}]"
        for part in parts
        if not hasattr(part, "tool_kwargs")
    )


def _role(message: ChatMessage) -> str:
    return str(getattr(message.role, "value", message.role))
