"""The model of a guarded agent: it passes requests on, and assesses what they plan before the run goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from agents import FunctionTool, Model, ModelProvider, ModelResponse

from guardrail.desk import Desk
from guardrail.engine import AsyncGuard
from guardrail.errors import ConfigError
from guardrail.sampling.plain import mapping, snapshot
from guardrail.types import StepVerdict
from guardrail_openai.agents.tools import GuardedInvoke
from guardrail_openai.agents.turns import Turn, plain

_ENDS: Final = frozenset({"response.completed", "response.incomplete", "response.failed"})


@dataclass(frozen=True, kw_only=True)
class Seat:
    """What the guarded agents of one conversation share."""

    guard: AsyncGuard
    desk: Desk
    provider: ModelProvider
    allow_hosted: bool = False
    annotations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    async def assess(self, turn: Turn, response: Mapping[str, Any]) -> StepVerdict | None:
        """The verdict on what a response planned, kept before any of it can run."""
        attempt = await asyncio.to_thread(self.desk.attempt, turn.answered)
        step = turn.step(
            response,
            thread_id=self.desk.thread_id,
            namespace=self.desk.namespace,
            attempt=attempt,
            annotations=self.annotations,
        )
        return None if step is None else await self.guard.assess(step)


class GuardedModel(Model):
    """Around the agent's own model, or the one of that name. Everything that is not a plan is the inner model's."""

    def __init__(self, inner: Model | str | None, seat: Seat) -> None:
        self._inner = inner
        self.seat = seat

    @property
    def inner(self) -> Model:
        """The model that is asked, found by its name when it is first needed."""
        if not isinstance(self._inner, Model):
            self._inner = self.seat.provider.get_model(self._inner)
        return self._inner

    async def close(self) -> None:
        """Close the inner model."""
        if isinstance(self._inner, Model):
            await self._inner.close()

    def get_retry_advice(self, request: Any) -> Any:
        """What the inner model advises."""
        return self.inner.get_retry_advice(request)

    async def get_response(self, *given: Any, **named: Any) -> ModelResponse:
        """The inner model's response, assessed."""
        turn = self._turn(*given, **named)
        response = await self.inner.get_response(*given, **named)
        await self.seat.assess(turn, plain(response))
        return response

    async def stream_response(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
        """The inner model's events; the one that ends the response comes when its plan is assessed."""
        turn = self._turn(*given, **named)
        async for event in self.inner.stream_response(*given, **named):
            if getattr(event, "type", None) in _ENDS:
                await self.seat.assess(turn, mapping(mapping(snapshot(event)).get("response")))
            yield event

    def _turn(  # noqa: PLR0917 - the SDK's order
        self,
        system_instructions: str | None,
        input: Any,  # noqa: A002 - the SDK's name
        model_settings: Any,
        tools: list[Any],
        output_schema: Any,
        handoffs: list[Any],
        tracing: Any,  # noqa: ARG002 - samples are not traced
        *,
        previous_response_id: str | None = None,
        conversation_id: str | None = None,
        prompt: Any = None,
    ) -> Turn:
        for tool in tools:
            if isinstance(tool, FunctionTool) and not isinstance(tool.on_invoke_tool, GuardedInvoke):
                raise ConfigError(
                    f"the tool {tool.name!r} came to the agent after it was guarded, and nothing would hold its calls: "
                    "give the agent all its tools, then guard it"
                )
        return Turn(
            model=self.inner,
            instructions=system_instructions,
            input=snapshot(input),
            model_settings=model_settings,
            tools=tuple(tools),
            schema=output_schema,
            handoffs=tuple(handoffs),
            previous_response_id=previous_response_id,
            conversation_id=conversation_id,
            prompt=prompt,
        )
