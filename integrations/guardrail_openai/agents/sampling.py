"""Samples through the SDK's own model."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from guardrail.errors import ConfigError, SamplingError
from guardrail.sampling import Answer, Ask, Failure, Limit, draw, inspect, shaping
from guardrail.sampling.plain import mapping
from guardrail.types import PlanningStep, SampleBatch
from guardrail_openai.agents.turns import Turn


class TurnSampler:
    """Sends the request of a step again, ``concurrency`` of them at a time; implements ``AsyncSampler``.

    The SDK's models return one choice, so that every sample is a request of its own.

    Raises:
        ConfigError: an argument cannot be used.
    """

    name = "agents"

    def __init__(
        self, *, temperature: float | None = 1.0, concurrency: int = 8, timeout: float = 60.0, retries: int = 2
    ) -> None:
        if temperature is not None and temperature <= 0:
            raise ConfigError(f"temperature is {temperature}: samples at temperature 0 are all the same; use 1.0")
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise ConfigError("concurrency must be at least 1, retries at least 0, timeout more than 0 seconds")
        self._temperature = temperature
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """At most ``n`` samples of the step.

        Raises:
            SamplingError: nothing could be drawn; the cause is what the model said.
        """
        turn = step.request
        if not isinstance(turn, Turn):
            raise SamplingError("the request that planned this step is not known, so it cannot be sent again")
        started = time.perf_counter()
        rounds = draw(n, Limit(1), retries=self._retries, patience=self._timeout)
        outcomes: list[Answer | Failure] | None = None
        try:
            while True:
                asked = next(rounds) if outcomes is None else rounds.send(outcomes)
                outcomes = await self._send(turn, asked)
        except StopIteration as end:
            batch: SampleBatch = end.value
        usage = replace(batch.usage, seconds=time.perf_counter() - started)
        return SampleBatch(samples=inspect(batch.samples), usage=usage)

    def settings(self, step: PlanningStep) -> dict[str, str]:
        """What shapes the samples of a step: the settings of its request, at this sampler's temperature."""
        turn = step.request
        if not isinstance(turn, Turn):
            return shaping({}, self._temperature)
        kept = {"top_p": turn.settings.top_p, "temperature": turn.settings.temperature}
        given = {key: value for key, value in kept.items() if value is not None}
        return shaping({**given, **mapping(turn.settings.extra_body)}, self._temperature)

    async def _send(self, turn: Turn, asked: tuple[Ask, ...]) -> list[Answer | Failure]:
        gate = asyncio.Semaphore(self._concurrency)

        async def one(ask: Ask) -> Answer | Failure:
            if ask.wait:
                await asyncio.sleep(ask.wait)
            async with gate:
                try:
                    async with asyncio.timeout(self._timeout):
                        return await turn.again(self._temperature)
                except SamplingError:
                    raise
                except Exception as error:  # noqa: BLE001 - whatever a model raises is a failed request
                    return Failure.of(error)

        tasks = [asyncio.create_task(one(ask)) for ask in asked]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
