"""What bulk replay needs of a model: to plan a recorded step again, and to draw it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from guardrail.types import Case, PlanningStep, SampleBatch, Usage


@dataclass(frozen=True, kw_only=True)
class PlannerOptions:
    """What the caller of a planner's factory chose.

    ``argument`` is what stood behind the planner's name (``MODEL@BASE_URL``). ``temperature`` is that of the samples;
    None keeps the request's. ``settings`` go into every request, None takes a setting out. ``concurrency`` is the
    number of cases that will be in work at the same time.
    """

    argument: str = ""
    temperature: float | None = 1.0
    timeout: float = 60.0
    retries: int = 2
    concurrency: int = 8
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A step that was planned again, ready to be sampled, and what the plan cost."""

    step: PlanningStep
    usage: Usage = field(default_factory=Usage)


class Planner(Protocol):
    """Plans recorded steps again with one model. It is made anew in each process, within the event loop that uses it.

    ``name`` says all that the answers depend on (model, address, settings): a run is only continued under the same one.
    ``model`` is what prices and fingerprints know it by. Retries and rate limits are its own. A case has its
    ``request`` in the form of OpenAI's chat completions (``messages``, ``tools``, settings), or as it was recorded.

    It may be a ``guardrail.sampling.Shaped`` (its settings enter the fingerprint) and an ``AsyncAsker`` (for signals
    that ask); where it has an ``aclose()``, that is awaited at the end.

    Raises:
        GuardrailError: the case cannot be planned again, and why; whatever else it raises is kept by its type alone.
    """

    name: str
    model: str

    def step(self, case: Case) -> PlanningStep:
        """The recorded plan as a step that this model samples. Nothing is sent."""

    async def plan(self, case: Case) -> Planned:
        """The step as this model plans it now."""

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """At most ``n`` samples of a step, as ``guardrail.sampling.AsyncSampler``."""


Factory = Callable[[PlannerOptions], Planner]
"""Makes a planner. It must be a function of a module, so that another process can find it."""

Judgement = bool | Sequence[bool | None] | None
Checker = Callable[[Case], Judgement]
"""Tells whether a plan is right: True or False, or one of these for each of its calls; None where it cannot tell.

It may look at the plan, the tools, the conversation and the request; never at the verdict.
"""
