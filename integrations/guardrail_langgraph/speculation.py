"""Resampling that starts together with the planning request, so that it is not waited for afterwards.

Samples of a step need its request and not its plan. Where every tool that the request offers would be resampled, they
can be drawn while the model still plans. What that costs: samples for turns that turn out to have no calls, and
those that early stopping would have spared.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, replace
from typing import Protocol
from uuid import UUID

from langchain_core.messages import AIMessage

from guardrail.errors import SamplingError
from guardrail.policy import Policy, TierSettings
from guardrail.sampling import AsyncSampler, Sampler, Shaped
from guardrail.types import PlanningStep, Sample, SampleBatch, SampleStatus, Tier, ToolCall, ToolSpec, Usage
from guardrail_langgraph.calls import stopped
from guardrail_langgraph.messages import tool_specs
from guardrail_langgraph.requests import PlanningRequest

_MOST_AT_ONCE = 64


class AnySampler(Sampler, AsyncSampler, Protocol):
    """Draws both ways."""


@dataclass(frozen=True, kw_only=True)
class Unused:
    """What was drawn ahead for a step that needed no samples: which thread's, which model's, and the cost."""

    thread_id: str
    model: str
    usage: Usage


class _Ahead:
    """Samples of one request under way: a batch, or why there is none."""

    def __init__(self, run_id: UUID, request: PlanningRequest, thread_id: str) -> None:
        self.run_id = run_id
        self.request = request
        self.thread_id = thread_id
        self.step_id: str | None = None
        self.done: Future[SampleBatch | Exception] = Future()
        self.stop = threading.Event()
        self.taken = False
        self._left: list[Sample] | None = None
        self._lock = threading.Lock()

    def take(self, n: int) -> SampleBatch:
        """At most ``n`` of the samples; each is given once, and so is what all of them cost."""
        batch = self.done.result()
        with self._lock:
            if isinstance(batch, Exception):
                return SampleBatch(samples=())
            usage = batch.usage if self._left is None else Usage()
            if self._left is None:
                self._left = [sample for sample in batch.samples if sample.status is not SampleStatus.FAILED]
            given, self._left = self._left[:n], self._left[n:]
            return SampleBatch(samples=tuple(given), usage=usage)


class SpeculativeSampler:
    """Draws with another sampler, and begins as soon as a planning request goes out; implements both protocols.

    A ``PlanCapture`` tells it of requests and plans. Samples are used for the step of exactly that request, and
    what is missing is drawn as usual: also where drawing ahead failed. Of a turn without calls, and of a step that was
    decided without samples, nothing more is sent; what was sent is reported to ``unused``.

    Args:
        sampler: draws; it should heed ``guardrail_langgraph.calls.stopped``, as ``ChatModelSampler`` does.
        likely: how many samples a request's step will surely need; 0: not known.
        unused: is told what was paid for nothing, in another thread.
    """

    def __init__(
        self,
        sampler: AnySampler,
        likely: Callable[[PlanningRequest], int],
        *,
        unused: Callable[[Unused], None] | None = None,
    ) -> None:
        self.name = sampler.name
        self._sampler = sampler
        self._likely = likely
        self._unused = unused or (lambda _unused: None)
        self._ahead: list[_Ahead] = []
        self._lock = threading.Lock()
        for name in ("ask", "aask"):
            # it can ask if the sampler can
            if callable(asking := getattr(sampler, name, None)):
                setattr(self, name, asking)

    def requested(self, run_id: UUID, request: PlanningRequest, thread_id: str) -> None:
        """A planning request goes out: begin to draw it again."""
        n = self._likely(request)
        ahead = _Ahead(run_id, request, thread_id)
        with self._lock:
            # a model that is watched twice tells of a request twice
            if n < 1 or any(one.run_id == run_id for one in self._ahead):
                return
            self._ahead.append(ahead)
            forgotten = self._ahead[:-_MOST_AT_ONCE]
        for one in forgotten:
            self._drop(one)
        # the context of the request, as sampling in the guard's node has that of the node
        context = contextvars.copy_context()
        threading.Thread(
            target=context.run, args=(self._draw, ahead, n), name="guardrail-speculation", daemon=True
        ).start()

    def answered(self, run_id: UUID, message: AIMessage) -> None:
        """The request gave this plan: one without calls needs no samples."""
        for ahead in self._of(lambda one: one.run_id == run_id):
            ahead.step_id = message.id
            if not (message.tool_calls or message.invalid_tool_calls):
                self._drop(ahead)

    def failed(self, run_id: UUID) -> None:
        """The request gave no plan."""
        for ahead in self._of(lambda one: one.run_id == run_id):
            self._drop(ahead)

    def settled(self, step: PlanningStep) -> None:
        """The step is decided: what was not taken for it is not needed any more."""
        for ahead in self._of(lambda one: one.step_id == step.id and _same(one, step)):
            self._drop(ahead)

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        """At most ``n`` samples of the step.

        Raises:
            SamplingError: nothing could be drawn.
        """
        drawn = SampleBatch(samples=())
        if (ahead := self._claim(step)) is not None:
            wait([ahead.done])
            drawn = ahead.take(n)
        missing = n - len(drawn.samples)
        if missing < 1:
            return drawn
        try:
            return _joined(drawn, self._sampler.sample(step, missing))
        except SamplingError as error:
            return _without(drawn, missing, error)

    def settings(self, step: PlanningStep) -> dict[str, str]:
        """What shapes the samples: what the sampler it draws with says."""
        return dict(self._sampler.settings(step)) if isinstance(self._sampler, Shaped) else {}

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """The same, asynchronously."""
        drawn = SampleBatch(samples=())
        if (ahead := self._claim(step)) is not None:
            await asyncio.wait([asyncio.wrap_future(ahead.done)])
            drawn = ahead.take(n)
        missing = n - len(drawn.samples)
        if missing < 1:
            return drawn
        try:
            return _joined(drawn, await self._sampler.asample(step, missing))
        except SamplingError as error:
            return _without(drawn, missing, error)

    def _draw(self, ahead: _Ahead, n: int) -> None:
        ahead.done.set_running_or_notify_cancel()
        stopped.set(ahead.stop)
        request = ahead.request
        step = PlanningStep(
            id="",
            planned=Sample(),
            tools=tool_specs(request.settings.get("tools")),
            model=request.model,
            thread_id=ahead.thread_id,
            request=request,
            request_digest=request.digest,
        )
        try:
            ahead.done.set_result(self._sampler.sample(step, n))
        except Exception as error:  # noqa: BLE001 - the step is then drawn as usual, and meets it again
            ahead.done.set_result(error)

    def _claim(self, step: PlanningStep) -> _Ahead | None:
        """The samples of exactly this step's request: those of its own run, where the message kept its id."""
        with self._lock:
            fitting = [one for one in self._ahead if _same(one, step)]
            own = [one for one in fitting if one.step_id == step.id]
            found = next(iter(own or [one for one in fitting if not one.taken]), None)
            if found is not None:
                found.taken, found.step_id = True, step.id
            return found

    def _of(self, chosen: Callable[[_Ahead], bool]) -> list[_Ahead]:
        with self._lock:
            return [one for one in self._ahead if chosen(one)]

    def _drop(self, ahead: _Ahead) -> None:
        with self._lock:
            if ahead not in self._ahead:
                return
            self._ahead.remove(ahead)
            # what was taken has been reported with the samples
            paid_for_nothing = not ahead.taken
        ahead.stop.set()
        if paid_for_nothing:
            ahead.done.add_done_callback(lambda done: self._report(ahead, done.result()))

    def _report(self, ahead: _Ahead, batch: SampleBatch | Exception) -> None:
        if isinstance(batch, SampleBatch) and batch.usage.requests:
            self._unused(Unused(thread_id=ahead.thread_id, model=ahead.request.model, usage=batch.usage))


def surely_sampled(policy: Policy, registered: Mapping[str, ToolSpec]) -> Callable[[PlanningRequest], int]:
    """How many samples a request's step needs whichever tool it calls, with whatever arguments: the least of all.

    A tier that may decide without samples needs none.
    """

    def likely(request: PlanningRequest) -> int:
        if request.settings.get("tool_choice") == "none":
            return 0
        offered = tool_specs(request.settings.get("tools"))
        tiers = {tier for tool in offered for tier in _tiers(policy, registered.get(tool.name, tool))}
        return min((_first_draw(policy.settings[tier]) for tier in tiers), default=0)

    return likely


def _tiers(policy: Policy, tool: ToolSpec) -> set[Tier]:
    """Every tier that a call of the tool may get: that of no arguments, and of each rule down to the first that holds
    for all of them.
    """
    tiers = {policy.resolve(ToolCall(name=tool.name, arguments={}), tool).tier}
    for rule in policy.rules:
        if rule.names(tool.name):
            tiers.add(rule.tier)
            if not rule.conditional:
                return tiers
    return {*tiers, policy.default}


def _first_draw(settings: TierSettings) -> int:
    if settings.logprob is not None:
        return 0
    return settings.cascade[0].samples if settings.cascade else settings.samples


def _same(ahead: _Ahead, step: PlanningStep) -> bool:
    return isinstance(step.request, PlanningRequest) and step.request.digest == ahead.request.digest


def _joined(drawn: SampleBatch, more: SampleBatch) -> SampleBatch:
    return SampleBatch(samples=(*drawn.samples, *more.samples), usage=drawn.usage + more.usage)


def _without(drawn: SampleBatch, missing: int, error: SamplingError) -> SampleBatch:
    """What there is, where the rest could not be drawn."""
    if not drawn.samples:
        raise error
    failed: Sequence[Sample] = [Sample(status=SampleStatus.FAILED, detail=str(error))] * missing
    return replace(drawn, samples=(*drawn.samples, *failed))
