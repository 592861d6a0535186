"""A sampler that plays back what it was given, for tests and demonstrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from guardrail.errors import SamplingError
from guardrail.sampling.validity import inspect
from guardrail.types import PlanningStep, Sample, SampleBatch, Usage

Batch = SampleBatch | Sequence[Sample] | Exception
Script = Callable[[PlanningStep, int], Batch] | Sequence[Sample] | Sequence[Batch]


class ScriptedSampler:
    """Implements ``Sampler`` and ``AsyncSampler`` from a script, and remembers what it was asked.

    The script is a function of step and n, or samples of which each drawing takes the next n, or
    batches of which each drawing takes one (an exception among them is raised). ``asked`` has step and
    n of every drawing, ``drawn`` the number of samples given. Each drawing costs ``usage``.

    Raises:
        SamplingError: the script is used up.
    """

    name = "scripted"

    def __init__(self, script: Script, *, usage: Usage = Usage(requests=1)) -> None:  # noqa: B008 - frozen
        self._script = script if callable(script) else _playback(list(script))
        self._usage = usage
        self.asked: list[tuple[PlanningStep, int]] = []
        self.drawn = 0

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        """The next ``n`` samples of the script."""
        self.asked.append((step, n))
        batch = self._script(step, n)
        if isinstance(batch, Exception):
            raise batch
        if not isinstance(batch, SampleBatch):
            batch = SampleBatch(samples=inspect(batch[:n]), usage=self._usage)
        self.drawn += len(batch.samples)
        return batch

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """The same."""
        return self.sample(step, n)


def _playback(items: list[Sample | Batch]) -> Callable[[PlanningStep, int], Batch]:
    def next_batch(_step: PlanningStep, n: int) -> Batch:
        if not items:
            raise SamplingError("the script is used up: give it more samples, or a function")
        if not isinstance(items[0], Sample):
            return items.pop(0)  # type: ignore[return-value]  # samples are not mixed with batches
        taken = [item for item in items[:n] if isinstance(item, Sample)]
        del items[:n]
        return taken

    return next_batch
