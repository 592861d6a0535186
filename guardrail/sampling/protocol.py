"""What the guard needs of a model: the same planning step, n more times."""

from __future__ import annotations

from typing import Protocol

from guardrail.types import PlanningStep, SampleBatch


class Sampler(Protocol):
    """Draws a planning step again, synchronously.

    ``sample`` sends exactly the request in ``step.request`` with temperature 1.0 and without cache,
    fixed seed or streaming, and returns at most ``n`` samples. Samples that are no evidence
    come back with their status; fewer than ``n`` come back only if the provider failed for the rest.

    Raises:
        SamplingError: nothing could be drawn.
    """

    name: str

    def sample(self, step: PlanningStep, n: int) -> SampleBatch: ...


class AsyncSampler(Protocol):
    """The same, asynchronously. One object may offer both."""

    name: str

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch: ...
