"""Calls that a model writes as text, read by the agent's own output parser."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Protocol

from langchain_core.agents import AgentAction, AgentFinish
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import AIMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall

from guardrail.codec import digest
from guardrail.types import PlanningStep, Sample, SampleBatch, SampleStatus, ToolCall, ToolSpec
from guardrail_langgraph.speculation import AnySampler

_ALONE = "input"


class CallReader(Protocol):
    """As LangChain's ``AgentOutputParser``."""

    def parse(self, text: str) -> Any:
        """What the text says: actions, or that it is the end.

        Raises:
            OutputParserException: it says neither.
        """


class WrittenCalls:
    """Messages and samples of text, with the calls that are written in them."""

    def __init__(self, reader: CallReader, tools: Mapping[str, ToolSpec]) -> None:
        self._reader = reader
        self._tools = tools

    def message(self, message: AIMessage) -> AIMessage:
        """The message with its calls, whose ids are made of its own; as it is, if it has calls or cannot be read."""
        if message.tool_calls or message.invalid_tool_calls:
            return message
        try:
            read = self._calls(str(message.text))
        except OutputParserException:
            return message
        calls = [
            MessageToolCall(name=call.name, args=call.arguments, id=f"text_{digest(message.id, index)[:24]}")
            for index, call in enumerate(read)
        ]
        return message.model_copy(update={"tool_calls": calls})

    def sample(self, sample: Sample) -> Sample:
        """The sample with its calls; one that cannot be read is no evidence."""
        if not sample.valid or sample.calls:
            return sample
        try:
            return replace(sample, calls=self._calls(sample.text))
        except OutputParserException:
            return replace(sample, status=SampleStatus.UNPARSABLE, detail="the agent's parser cannot read it")

    def _calls(self, text: str) -> tuple[ToolCall, ...]:
        read = self._reader.parse(text)
        actions = read if isinstance(read, list) else [read]
        return tuple(self._call(action) for action in actions if not isinstance(action, AgentFinish))

    def _call(self, action: AgentAction) -> ToolCall:
        given: Any = action.tool_input
        if isinstance(given, Mapping):
            return ToolCall(name=action.tool, arguments=dict(given))
        spec = self._tools.get(action.tool)
        names = list(spec.parameters.get("properties") or ()) if spec is not None else []
        return ToolCall(name=action.tool, arguments={names[0] if names else _ALONE: given})


class WrittenSampler:
    """A sampler whose samples are texts, read. What else it can do, it does as it is."""

    def __init__(self, sampler: AnySampler, written: WrittenCalls) -> None:
        self.name = sampler.name
        self._sampler = sampler
        self._written = written

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sampler, name)

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        """As ``Sampler.sample``."""
        return self._read(self._sampler.sample(step, n))

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """As ``AsyncSampler.asample``."""
        return self._read(await self._sampler.asample(step, n))

    def _read(self, batch: SampleBatch) -> SampleBatch:
        return replace(batch, samples=tuple(map(self._written.sample, batch.samples)))
