"""Samples through a framework's own model: the request of a step is made again, once for each of them."""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from guardrail.errors import ConfigError, SamplingError
from guardrail.sampling.drawing import Answer, Ask, Failure, Limit, draw
from guardrail.sampling.settings import greedy_setting, shaping
from guardrail.sampling.validity import inspect
from guardrail.types import PlanningStep, SampleBatch


class Repeatable(ABC):
    """A request that was made once, as ``PlanningStep.request``, and can be made again."""

    @property
    @abstractmethod
    def settings(self) -> Mapping[str, Any]:
        """What it was sent with beside the conversation."""

    @abstractmethod
    async def again(self, temperature: float | None) -> Answer:
        """One answer more, at that temperature; None keeps the request's. It leaves no trace anywhere.

        Raises:
            SamplingError: making it again would change something.
        """


class RepeatingSampler:
    """Makes the request of a step again, ``concurrency`` of them at a time; implements ``AsyncSampler``.

    Args:
        name: of the adapter.
        temperature: of the samples; None keeps the plan's, for models that take none.
        concurrency: requests at the same time, for one step.
        timeout: seconds for one request, and the longest wait that a server's Retry-After may ask for.
        retries: how often a request is sent again after a transient failure.

    Raises:
        ConfigError: an argument cannot be used.
    """

    def __init__(
        self,
        name: str,
        *,
        temperature: float | None = 1.0,
        concurrency: int = 8,
        timeout: float = 60.0,
        retries: int = 2,
    ) -> None:
        if temperature is not None and temperature <= 0:
            raise ConfigError(f"temperature is {temperature}: samples at temperature 0 are all the same; use 1.0")
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise ConfigError("concurrency must be at least 1, retries at least 0, timeout more than 0 seconds")
        self.name = name
        self._temperature = temperature
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """At most ``n`` samples of the step.

        Raises:
            SamplingError: nothing could be drawn; the cause is what the model said.
        """
        request = step.request
        if not isinstance(request, Repeatable):
            raise SamplingError("the request that planned this step is not known, so it cannot be made again")
        greedy = greedy_setting(request.settings, self._temperature)
        if greedy is not None:
            raise SamplingError(f"{greedy} makes all samples the same: plan with another setting to measure agreement")
        started = time.perf_counter()
        rounds = draw(n, Limit(1), retries=self._retries, patience=self._timeout)
        outcomes: list[Answer | Failure] | None = None
        try:
            while True:
                asked = next(rounds) if outcomes is None else rounds.send(outcomes)
                outcomes = await self._send(request, asked)
        except StopIteration as end:
            batch: SampleBatch = end.value
        usage = replace(batch.usage, seconds=time.perf_counter() - started)
        return SampleBatch(samples=inspect(batch.samples), usage=usage)

    def settings(self, step: PlanningStep) -> dict[str, str]:
        """What shapes the samples of a step: the settings of its request, at this sampler's temperature."""
        request = step.request
        return shaping(request.settings if isinstance(request, Repeatable) else {}, self._temperature)

    async def _send(self, request: Repeatable, asked: tuple[Ask, ...]) -> list[Answer | Failure]:
        gate = asyncio.Semaphore(self._concurrency)

        async def one(ask: Ask) -> Answer | Failure:
            if ask.wait:
                await asyncio.sleep(ask.wait)
            async with gate:
                try:
                    async with asyncio.timeout(self._timeout):
                        return await request.again(self._temperature)
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
