"""A chat model in the process, scripted and counting, for what no HTTP server can show."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field


class FakeChat(BaseChatModel):
    """``script(messages, index, settings)`` gives each message; ``log`` has the settings of each call."""

    script: Callable[[list[BaseMessage], int, dict[str, Any]], AIMessage]
    temperature: float | None = 0.0
    seed: int | None = None
    log: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "fake"

    def bind_tools(self, tools: Sequence[Any], **kwargs: Any) -> Runnable[LanguageModelInput, AIMessage]:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        settings = {"temperature": self.temperature, "seed": self.seed, **kwargs}
        index = len(self.log)
        self.log.append({"messages": messages, **settings})
        return ChatResult(generations=[ChatGeneration(message=self.script(messages, index, settings))])


def ai(name: str = "pay", *, id: str = "", **arguments: Any) -> AIMessage:  # noqa: A002 - the provider's word
    """A message with one tool call."""
    call_id = id or f"call_{name}_{arguments}"
    return AIMessage("", tool_calls=[{"name": name, "args": arguments, "id": call_id, "type": "tool_call"}])
