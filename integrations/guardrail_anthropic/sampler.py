"""Samples from the Messages API: the same request, as often as samples are wanted."""

from __future__ import annotations

import asyncio
import contextvars
import json
import math
import time
from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import replace
from typing import Any, Final

from anthropic import Anthropic, AsyncAnthropic

from guardrail.errors import ConfigError, SamplingError
from guardrail.sampling import Answer, Ask, Failure, Limit, draw, inspect, shaping
from guardrail.sampling.plain import snapshot
from guardrail.types import PlanningStep, SampleBatch
from guardrail_anthropic.steps import AnthropicRequest, answer

_Rounds = Generator[tuple[Ask, ...], Sequence[Answer | Failure], SampleBatch]
_GRACE_SECONDS: Final = 0.5
_NO_TEMPERATURE: Final = "the model takes no such temperature: give the sampler temperature=None"


class AnthropicSampler:
    """Draws a planning step again; implements ``Sampler`` and ``AsyncSampler``.

    ``step.request`` must be what ``planning_step`` made of the request. It is sent again as it was, with thinking,
    tool_choice and cache_control, but for streaming and the temperature.

    Args:
        client: ``Anthropic`` or ``AsyncAnthropic``. It is copied; the copy does not retry by itself.
        temperature: of the samples; None keeps the request's. Models that think take none but 1.
        concurrency: requests at the same time, for one step.
        timeout: seconds for one request, and the longest wait that a server's Retry-After may ask for.
        retries: how often a request is sent again after a transient failure.

    Raises:
        ConfigError: an argument cannot be used.
    """

    name = "anthropic"

    def __init__(
        self,
        client: Anthropic | AsyncAnthropic,
        *,
        temperature: float | None = 1.0,
        concurrency: int = 8,
        timeout: float = 120.0,
        retries: int = 2,
    ) -> None:
        if temperature is not None and temperature <= 0:
            raise ConfigError(f"temperature is {temperature}: samples at temperature 0 are all the same; use 1.0")
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise ConfigError("concurrency must be at least 1, retries at least 0, timeout more than 0 seconds")
        self._messages: Any = client.with_options(timeout=timeout, max_retries=0).messages
        self._asynchronous = isinstance(client, AsyncAnthropic)
        self._temperature = temperature
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        """At most ``n`` samples of the step.

        Raises:
            SamplingError: nothing could be drawn; the cause is what the provider said.
        """
        if self._asynchronous:
            raise SamplingError("this sampler has an AsyncAnthropic client: use AsyncGuard, or give it another client")
        started, (arguments, rounds) = time.perf_counter(), self._drawing(step, n)
        outcomes: Sequence[Answer | Failure] | None = None
        try:
            while True:
                asks = next(rounds) if outcomes is None else rounds.send(outcomes)
                outcomes = self._sent(arguments, asks)
        except StopIteration as end:
            return _drawn(end.value, started)

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """The same, asynchronously; in a thread where the client is synchronous."""
        if not self._asynchronous:
            return await asyncio.to_thread(self.sample, step, n)
        started, (arguments, rounds) = time.perf_counter(), self._drawing(step, n)
        gate = asyncio.Semaphore(self._concurrency)
        outcomes: Sequence[Answer | Failure] | None = None
        try:
            while True:
                asks = next(rounds) if outcomes is None else rounds.send(outcomes)
                async with asyncio.TaskGroup() as tasks:
                    sent = [tasks.create_task(self._asend(arguments, ask, gate)) for ask in asks]
                outcomes = [one.result() for one in sent]
        except StopIteration as end:
            return _drawn(end.value, started)

    def settings(self, step: PlanningStep) -> dict[str, str]:
        """What shapes the samples of a step: the settings of its request, at this sampler's temperature."""
        request = step.request
        return shaping(request.settings if isinstance(request, AnthropicRequest) else {}, self._temperature)

    def _drawing(self, step: PlanningStep, n: int) -> tuple[dict[str, Any], _Rounds]:
        if not isinstance(step.request, AnthropicRequest):
            raise SamplingError("the request that planned this step is not known, so it cannot be sent again")
        arguments = step.request.again(self._temperature)
        return arguments, draw(n, Limit(1), retries=self._retries, patience=self._timeout)

    def _sent(self, arguments: dict[str, Any], asks: Sequence[Ask]) -> list[Answer | Failure]:
        workers = min(self._concurrency, len(asks))
        patience = math.ceil(len(asks) / workers) * self._timeout + max(ask.wait for ask in asks) + _GRACE_SECONDS
        pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="guardrail-anthropic")
        try:
            futures = [pool.submit(contextvars.copy_context().run, self._send, arguments, ask) for ask in asks]
            wait(futures, timeout=patience)
            return [one.result() if one.done() else Failure.of(TimeoutError()) for one in futures]
        finally:
            # a thread that hangs in the client cannot be stopped: leave it, do not wait for it
            pool.shutdown(wait=False, cancel_futures=True)

    def _send(self, arguments: dict[str, Any], ask: Ask) -> Answer | Failure:
        time.sleep(ask.wait)
        started = time.perf_counter()
        try:
            return _answer(self._method(arguments)(**arguments), started)
        except Exception as error:  # noqa: BLE001 - whatever a client raises is a failed request
            return _failure(error)

    async def _asend(self, arguments: dict[str, Any], ask: Ask, gate: asyncio.Semaphore) -> Answer | Failure:
        await asyncio.sleep(ask.wait)
        async with gate:
            started = time.perf_counter()
            try:
                async with asyncio.timeout(self._timeout):
                    return _answer(await self._method(arguments)(**arguments), started)
            except Exception as error:  # noqa: BLE001 - as above
                return _failure(error)

    def _method(self, arguments: dict[str, Any]) -> Any:
        # a class as the answer's form is something only ``parse`` takes
        parsed = "output_format" in arguments
        return self._messages.parse if parsed else self._messages.with_raw_response.create


def _answer(response: Any, started: float) -> Answer:
    raw = getattr(response, "http_response", None)
    message = snapshot(response) if raw is None else json.loads(raw.content)
    if not isinstance(message, dict) or not isinstance(message.get("content"), list):
        raise SamplingError("what came back is no message of this API")
    return answer(message, time.perf_counter() - started)


def _failure(error: Exception) -> Failure:
    failure = Failure.of(error)
    refused = failure.status == 400 and "temperature" in str(error)
    return replace(failure, advice=_NO_TEMPERATURE, final=True) if refused else failure


def _drawn(batch: SampleBatch, started: float) -> SampleBatch:
    usage = replace(batch.usage, seconds=time.perf_counter() - started)
    return SampleBatch(samples=inspect(batch.samples), usage=usage)
