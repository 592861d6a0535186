"""A chat model that answers from recordings of a real one, and says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.base import LanguageModelInput
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import PrivateAttr

from guardrail.errors import SamplingError
from guardrail_langgraph.demo.recording import Drawn, RecordedStep, Recording, path, request_digest

REPLAY = "replay"
"""Key in a message's ``response_metadata``: "exact", "other words" (the recorded request had other texts), "none"."""
SECONDS = "recorded_seconds"
"""Key in a plan's ``response_metadata``: how long the real model took for the plan and its samples."""
NO_RECORDING = "(No recording goes on from here: the real model was not asked what it does next.)"


class RecordedChatModel(BaseChatModel):
    """Plans as the recorded model did at temperature 0, and draws its recorded samples above it.

    ``recordings`` is by the text of the task, which is the last human message. Each recorded sample is
    given out once for a plan: after the last one there are fewer than ``n``, then an error. Usage is
    counted from the recorded tokens. Where no recording goes on, it says so in words and calls nothing.

    Raises:
        SamplingError: no sample of this step is left.
    """

    recordings: dict[str, Recording]
    model_name: str = ""
    temperature: float | None = 0.0
    n: int = 1
    _given: dict[tuple[str, str], int] = PrivateAttr(default_factory=dict)

    @property
    def _llm_type(self) -> str:
        return "guardrail-recorded"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model": self.model_name, "temperature": self.temperature}

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """The tools are part of the request; recorded plans do not change with them."""
        chosen = {} if tool_choice is None else {"tool_choice": tool_choice}
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **chosen, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        del stop, run_manager
        temperature = kwargs.get("temperature", self.temperature)
        tools = kwargs.get("tools") or ()
        recording = self.recordings.get(_request_text(messages))
        at = None if recording is None else path(messages, recording.steps)
        step = None if recording is None or at is None else self._step(recording, at, messages, tools)
        if recording is None or at is None or step is None:
            if temperature:
                raise SamplingError("no recording goes on from here, so there is nothing to draw")
            return _result((Drawn(text=NO_RECORDING, finish_reason="stop"),), replay="none")
        replay = "exact" if step.request == request_digest(messages, tools) else "other words"
        key = (recording.task, at)
        if not temperature:
            self._given[key] = 0
            result = _result((step.plan,), replay=replay, response_id=f"{recording.task}/{at}", step=step)
            result.generations[0].message.response_metadata[SECONDS] = step.seconds
            return result
        first = self._given.get(key, 0)
        drawn = step.samples[first : first + int(kwargs.get("n", self.n))]
        if not drawn:
            raise SamplingError(f"all {len(step.samples)} recorded samples of this step are used up")
        self._given[key] = first + len(drawn)
        return _result(drawn, replay=replay, response_id=f"{recording.task}/{at}#{first}", step=step)

    def _step(
        self, recording: Recording, at: str, messages: Sequence[BaseMessage], tools: Sequence[Mapping[str, Any]]
    ) -> RecordedStep | None:
        """The step of a recording; the recorder overrides this to ask the real model for a missing one."""
        del messages, tools
        return recording.steps.get(at)


def _request_text(messages: Sequence[BaseMessage]) -> str:
    return next((message.text for message in reversed(messages) if isinstance(message, HumanMessage)), "")


def _result(
    drawn: Sequence[Drawn], *, replay: str, response_id: str = "", step: RecordedStep | None = None
) -> ChatResult:
    """The answers in the form in which OpenAI's client gives several choices of one response."""
    prompt = step.prompt_tokens if step else 0
    completion = sum(len(one.tokens) for one in drawn)
    usage = UsageMetadata(input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion)
    total = {"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion}
    return ChatResult(
        generations=[
            ChatGeneration(message=_message(one, replay, usage if len(drawn) == 1 else None)) for one in drawn
        ],
        llm_output={"token_usage": total, **({"id": response_id} if response_id else {})},
    )


def _message(drawn: Drawn, replay: str, usage: UsageMetadata | None) -> AIMessage:
    logprobs = [{"token": text, "logprob": logprob} for text, logprob in drawn.tokens]
    return AIMessage(
        drawn.text,
        tool_calls=list(drawn.calls),
        usage_metadata=usage,
        response_metadata={
            "finish_reason": drawn.finish_reason,
            "logprobs": {"content": logprobs} if logprobs else None,
            REPLAY: replay,
        },
    )
