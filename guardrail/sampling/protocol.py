"""What the guard needs of a model: the same planning step, n more times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from guardrail.types import PlanningStep, Question, ReplyBatch, SampleBatch


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


@runtime_checkable
class Shaped(Protocol):
    """A sampler that says how it draws: ``temperature``, ``top_p`` and whatever else shapes a sample, as texts.

    Scores of samples that are drawn otherwise are not comparable. A sampler need not say it; then nobody notices.
    """

    def settings(self, step: PlanningStep) -> Mapping[str, str]: ...


class Asker(Protocol):
    """Asks the model that planned a step something about one of its calls, apart from the conversation.

    Each question is a request of its own: a system and a user message, no tools, the question's temperature and
    token limit, and the probabilities of the first token where ``letters`` are wanted. A question that got no
    usable answer comes back as a ``Reply`` with its status; requests are sent concurrently.

    Raises:
        AskingError: nothing could be asked.
    """

    def ask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch: ...


class AsyncAsker(Protocol):
    """The same, asynchronously. A sampler may be an asker too, and then the guard needs no other."""

    async def aask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch: ...
