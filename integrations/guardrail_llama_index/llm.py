"""The LLM of a guarded agent: it passes requests on, and assesses what they plan before the agent goes on."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, LLMMetadata
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools import BaseTool
from pydantic import PrivateAttr

from guardrail.desk import Desk, Planned, WaitsForReview, follow
from guardrail.engine import AsyncGuard
from guardrail.errors import ConfigError
from guardrail_llama_index.tools import GuardedTool
from guardrail_llama_index.turns import Request

_HANDOFF = "handoff"


@dataclass(frozen=True, kw_only=True)
class Seat:
    """What the guarded agents of one conversation share."""

    guard: AsyncGuard
    desk: Desk
    annotations: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    async def assess(self, request: Request, response: ChatResponse) -> None:
        """Have a verdict on what a response planned, kept before any of it can run."""
        free = {str(tool.metadata.name) for tool in request.tools if not isinstance(tool, GuardedTool)}
        if free - {_HANDOFF}:
            raise ConfigError(
                f"the tools {sorted(free - {_HANDOFF})} came to the agent after it was guarded, and nothing would hold "
                "their calls: give the agent all its tools, then guard it"
            )
        step = request.step(
            response,
            without=free,
            thread_id=self.desk.thread_id,
            namespace=self.desk.namespace,
            attempt=await asyncio.to_thread(follow, self.desk, request.answered),
            annotations=self.annotations,
        )
        if step is not None:
            await self.guard.assess(step)

    async def decided(self, review_id: str, wait: float) -> bool:
        """Whether a person has decided on a review, or nobody can any more, within so many seconds."""
        review = await asyncio.to_thread(self.desk.queue.get, review_id)
        record = await asyncio.to_thread(self.desk.store.record, review.record_id)
        verdict = record.verdict.verdict(review.call.id)
        if verdict is None:
            raise ConfigError(f"the review {review_id[:12]} is of no call of this conversation")
        asked = Planned(call=review.call)
        waits = WaitsForReview(
            "", asked, verdict, review=review, store=self.desk.store, queue=self.desk.queue, wakes=True
        )
        return await waits.await_decision(wait)


class GuardedLLM(FunctionCallingLLM):
    """Around the agent's own LLM. Everything that is not a plan is the inner one's."""

    inner: FunctionCallingLLM
    _seat: Seat = PrivateAttr()

    @property
    def seat(self) -> Seat:
        """What it shares with the other agents of its conversation."""
        return self._seat

    @classmethod
    def around(cls, inner: FunctionCallingLLM, seat: Seat) -> GuardedLLM:
        """The LLM, guarded."""
        made = cls(inner=inner, callback_manager=inner.callback_manager)
        made._seat = seat
        return made

    async def achat_with_tools(self, tools: Sequence[BaseTool], *given: Any, **named: Any) -> ChatResponse:
        """The inner LLM's response, assessed."""
        request = self._request(tools, given, named)
        response = await self.inner.achat_with_tools(tools, *given, **named)
        await self._seat.assess(request, response)
        return response

    async def astream_chat_with_tools(self, tools: Sequence[BaseTool], *given: Any, **named: Any) -> Any:
        """The inner LLM's responses; they end when what the last of them plans is assessed."""
        request = self._request(tools, given, named)
        stream = await self.inner.astream_chat_with_tools(tools, *given, **named)

        async def heard() -> Any:
            last: ChatResponse | None = None
            async for last in stream:
                yield last
            if last is not None:
                await self._seat.assess(request, last)

        return heard()

    def _request(self, tools: Sequence[BaseTool], given: tuple[Any, ...], named: dict[str, Any]) -> Request:
        positions = ("user_msg", "chat_history", "verbose", "allow_parallel_tool_calls", "tool_required")
        arguments = {**dict(zip(positions, given, strict=False)), **named}
        if arguments.get("chat_history"):
            # the agent goes on writing into the one that it gave
            arguments["chat_history"] = [message.model_copy(deep=True) for message in arguments["chat_history"]]
        return Request(llm=self.inner, tools=tuple(tools), arguments=arguments)

    # what follows is the inner LLM's

    @property
    def metadata(self) -> LLMMetadata:
        """The inner LLM's."""
        return self.inner.metadata

    def get_tool_calls_from_response(self, response: ChatResponse, *given: Any, **named: Any) -> Any:
        """The calls as the inner LLM reads them."""
        return self.inner.get_tool_calls_from_response(response, *given, **named)

    def _prepare_chat_with_tools(self, tools: Sequence[BaseTool], *given: Any, **named: Any) -> dict[str, Any]:
        return self.inner._prepare_chat_with_tools(tools, *given, **named)  # noqa: SLF001 - one LLM for another

    def chat(self, *given: Any, **named: Any) -> Any:
        """The inner LLM's."""
        return self.inner.chat(*given, **named)

    def stream_chat(self, *given: Any, **named: Any) -> Any:
        """The inner LLM's."""
        return self.inner.stream_chat(*given, **named)

    async def achat(self, *given: Any, **named: Any) -> Any:
        """The inner LLM's."""
        return await self.inner.achat(*given, **named)

    async def astream_chat(self, *given: Any, **named: Any) -> Any:
        """The inner LLM's."""
        return await self.inner.astream_chat(*given, **named)

    def complete(self, *given: Any, **named: Any) -> Any:
        """The inner LLM's."""
        return self.inner.complete(*given, **named)

    def stream_complete(self, *given: Any, **named: Any) -> Any:
        """The inner LLM's."""
        return self.inner.stream_complete(*given, **named)

    async def acomplete(self, *given: Any, **named: Any) -> Any:
        """The inner LLM's."""
        return await self.inner.acomplete(*given, **named)

    async def astream_complete(self, *given: Any, **named: Any) -> Any:
        """The inner LLM's."""
        return await self.inner.astream_complete(*given, **named)
