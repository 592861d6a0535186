"""One request of the SDK to its model: the step that it planned, and the same request again for a sample."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from agents import FunctionTool, Model, ModelResponse, ModelSettings, ModelTracing
from agents.models.fake_id import FAKE_RESPONSES_ID

from guardrail.codec import digest
from guardrail.errors import SamplingError
from guardrail.sampling import Answer, Repeatable, inspect
from guardrail.sampling.plain import identity, mapping, snapshot, text
from guardrail.types import PlanningStep, ToolSpec, Usage
from guardrail_openai import responses
from guardrail_openai.raw_calls import answered_ids

_COPIES: Final = frozenset({"n", "seed", "stream", "stream_options", "cache", "caching", "store"})


@dataclass(frozen=True, kw_only=True)
class Turn(Repeatable):
    """The arguments of one ``get_response``, and the model that they went to."""

    model: Model
    instructions: str | None
    input: Any
    model_settings: ModelSettings
    tools: tuple[Any, ...]
    schema: Any
    handoffs: tuple[Any, ...]
    previous_response_id: str | None
    conversation_id: str | None
    prompt: Any

    @property
    def name(self) -> str:
        """The model's name, where it has one."""
        return text(getattr(self.model, "model", "")) or type(self.model).__name__

    @property
    def settings(self) -> dict[str, Any]:
        """What it was sent with beside the conversation, as far as it was set."""
        given = self.model_settings
        kept = {"top_p": given.top_p, "temperature": given.temperature}
        extras = {**(given.extra_args or {}), **mapping(given.extra_body)}
        return {**extras, **{key: value for key, value in kept.items() if value is not None}}

    @property
    def sent(self) -> dict[str, Any]:
        """What the model was asked, in the words of the Responses API."""
        kept: dict[str, Any] = {"instructions": self.instructions, "input": snapshot(self.input)}
        if self.previous_response_id:
            kept["previous_response_id"] = self.previous_response_id
        if self.conversation_id:
            kept["conversation"] = self.conversation_id
        return kept

    @property
    def answered(self) -> set[str]:
        """The calls that the newest items of the input answer."""
        return answered_ids(self.sent)

    def step(
        self,
        response: Mapping[str, Any],
        *,
        thread_id: str,
        namespace: str,
        attempt: int,
        annotations: Mapping[str, Mapping[str, Any]],
    ) -> PlanningStep | None:
        """The step that a response planned; None where it planned nothing but to hand over, which runs no tool."""
        handing = {one.tool_name for one in self.handoffs}
        planned = responses.sample(response, planned=True)
        planned = replace(planned, calls=tuple(call for call in planned.calls if call.name not in handing))
        if not planned.calls:
            return None
        tools = tuple(tool_spec(tool, annotations) for tool in self.tools if isinstance(tool, FunctionTool))
        asked = digest("agents/v1", self.name, identity(self.sent), identity([[t.name, t.parameters] for t in tools]))
        calls = [[call.id, call.name, call.arguments] for call in planned.calls]
        named = planned.response_id not in (None, "", FAKE_RESPONSES_ID)
        (seen,) = inspect([planned if named else replace(planned, response_id=None)])
        return PlanningStep(
            id=str(planned.response_id) if named else digest("step", asked, calls),
            planned=seen,
            tools=tools,
            model=self.name,
            thread_id=thread_id,
            namespace=namespace,
            attempt=attempt,
            request=self,
            request_digest=asked,
            conversation=responses.conversation(self.sent),
        )

    async def again(self, temperature: float | None) -> Answer:
        """One sample: the same request, at the temperature of samples, untraced, and kept nowhere.

        Raises:
            SamplingError: it would change something at the provider.
        """
        if self.conversation_id:
            raise SamplingError(
                "the run adds to a conversation that the provider keeps, and so would every sample: use a session, or "
                "previous_response_id"
            )
        started = time.perf_counter()
        response = await self.model.get_response(
            self.instructions,
            self.input,
            self._settings(temperature),
            list(self.tools),
            self.schema,
            list(self.handoffs),
            ModelTracing.DISABLED,
            previous_response_id=self.previous_response_id,
            conversation_id=None,
            prompt=self.prompt,
        )
        found = responses.sample(plain(response))
        return Answer(samples=(found,), usage=_usage(response, time.perf_counter() - started))

    def _settings(self, temperature: float | None) -> ModelSettings:
        settings = self.model_settings
        extra_args = {key: value for key, value in (settings.extra_args or {}).items() if key not in _COPIES}
        body: Any = settings.extra_body
        if isinstance(body, Mapping):
            body = {key: value for key, value in body.items() if key not in _COPIES}
        stored = bool(settings.store) or (settings.store is None and "Responses" in type(self.model).__name__)
        return replace(
            settings,
            temperature=settings.temperature if temperature is None else temperature,
            extra_args=extra_args or None,
            extra_body=body or None,
            store=False if stored else settings.store,
            metadata=None if stored else settings.metadata,
        )


def plain(response: ModelResponse) -> dict[str, Any]:
    """A response of the SDK's model in the words of the Responses API."""
    return {
        "id": response.response_id,
        "output": [snapshot(item) for item in response.output],
        "status": "completed",
    }


def _usage(response: ModelResponse, seconds: float) -> Usage:
    """What it cost. The SDK says 0 where the provider said nothing."""
    used = response.usage
    known = bool(used.input_tokens or used.output_tokens)
    return Usage(
        requests=1,
        prompt_tokens=used.input_tokens if known else None,
        completion_tokens=used.output_tokens if known else None,
        seconds=seconds,
    )


def tool_spec(tool: FunctionTool, annotations: Mapping[str, Mapping[str, Any]]) -> ToolSpec:
    """A function tool as the model sees it."""
    return ToolSpec(
        name=tool.name,
        description=tool.description,
        parameters=dict(tool.params_json_schema),
        annotations=dict(annotations.get(tool.name, {})),
    )
