"""Samples from a LangChain chat model."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import replace
from typing import Any

from langchain_core.runnables import Runnable

from guardrail.errors import ConfigError, SamplingError
from guardrail.sampling import Answer, Ask, Failure, Limit, draw, inspect, shaping
from guardrail.types import PlanningStep, Question, ReplyBatch, SampleBatch
from guardrail_langgraph.asker import ChatModelAsker
from guardrail_langgraph.calls import Call, ChatCaller
from guardrail_langgraph.models import greedy_setting, model_name, own_copy, replayable
from guardrail_langgraph.requests import PlanningRequest

_Rounds = Generator[tuple[Ask, ...], Sequence[Answer | Failure], SampleBatch]


class ChatModelSampler:
    """Draws a planning step again from a chat model, and asks it about its calls; implements ``Sampler``,
    ``AsyncSampler``, ``Asker`` and ``AsyncAsker``.

    ``step.request`` must be a ``PlanningRequest``: it is sent again as it was, but for temperature, seed,
    cache and streaming. One request asks for all samples (``n``) where the model has that setting; what an
    endpoint refuses is split, what it leaves out is topped up, and both are remembered.

    Args:
        model: the chat model that plans, with or without bound tools. It is copied, never changed.
        temperature: of the samples; None keeps the planning request's. Reasoning models behind OpenAI's
            Responses API take none and draw at their own.
        use_n: whether to ask for several samples in one request; None decides by the model.
        concurrency: requests at the same time.
        timeout: seconds for one request.
        retries: how often a request is sent again after a transient failure.

    Raises:
        ConfigError: an argument cannot be used.
    """

    name = "chat-model"

    def __init__(
        self,
        model: Runnable[Any, Any],
        *,
        temperature: float | None = 1.0,
        use_n: bool | None = None,
        concurrency: int = 8,
        timeout: float = 60.0,
        retries: int = 2,
    ) -> None:
        if temperature is not None and temperature <= 0:
            raise ConfigError(f"temperature is {temperature}: samples at temperature 0 are all the same; use 1.0")
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise ConfigError("concurrency must be at least 1, retries at least 0, timeout more than 0 seconds")
        own = own_copy(model, temperature=temperature, timeout=timeout)
        self.model = model_name(model)
        self._temperature = temperature
        self._has_temperature = "temperature" in type(own).model_fields
        takes_n = "n" in type(own).model_fields if use_n is None else use_n
        self._limit = Limit(None if takes_n else 1)
        self._caller = ChatCaller(own, timeout=timeout, concurrency=concurrency)
        self._asker = ChatModelAsker(model, concurrency=concurrency, timeout=timeout, retries=retries)
        self._timeout = timeout
        self._retries = retries

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        """At most ``n`` samples of the step.

        Raises:
            SamplingError: nothing could be drawn; the cause is what the provider said.
        """
        started = time.perf_counter()
        call, rounds = self._begin(step, n)
        outcomes: Sequence[Answer | Failure] | None = None
        try:
            while True:
                asks = next(rounds) if outcomes is None else rounds.send(outcomes)
                outcomes = self._caller.send([_at(call, ask) for ask in asks])
        except StopIteration as end:
            return _finish(end.value, started)

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """The same, asynchronously."""
        started = time.perf_counter()
        call, rounds = self._begin(step, n)
        outcomes: Sequence[Answer | Failure] | None = None
        try:
            while True:
                asks = next(rounds) if outcomes is None else rounds.send(outcomes)
                outcomes = await self._caller.asend([_at(call, ask) for ask in asks])
        except StopIteration as end:
            return _finish(end.value, started)

    def ask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """A reply to each question about the step's calls; see ``ChatModelAsker``."""
        return self._asker.ask(step, questions)

    async def aask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """The same, asynchronously."""
        return await self._asker.aask(step, questions)

    def settings(self, step: PlanningStep) -> dict[str, str]:
        """What shapes the samples of a step: the model's own settings and those of the request, at this temperature."""
        request = step.request
        given = {**request.defaults, **request.settings} if isinstance(request, PlanningRequest) else {}
        return shaping(given, self._temperature)

    def _begin(self, step: PlanningStep, n: int) -> tuple[Call, _Rounds]:
        if n < 1:
            raise ValueError(f"n is {n}: at least one sample must be asked for")
        request = step.request
        if not isinstance(request, PlanningRequest):
            raise SamplingError(
                "the request that planned this step is not known, so it cannot be sent again: "
                "watch the model (guardrail_langgraph.watch) or add the guard's callback handler to the run"
            )
        greedy = greedy_setting({**request.defaults, **request.settings}, self._temperature)
        if greedy is not None:
            raise SamplingError(f"{greedy} makes all samples the same: plan with another setting to measure agreement")
        settings = replayable(request.settings, self._temperature)
        if self._temperature is not None and not self._has_temperature:
            settings["temperature"] = self._temperature
        call = Call(messages=request.messages, settings=settings)
        return call, draw(n, self._limit, retries=self._retries, patience=self._timeout)


def _at(call: Call, ask: Ask) -> Call:
    return replace(call, choices=ask.choices, wait=ask.wait)


def _finish(batch: SampleBatch, started: float) -> SampleBatch:
    usage = replace(batch.usage, seconds=time.perf_counter() - started)
    return SampleBatch(samples=inspect(batch.samples), usage=usage)
