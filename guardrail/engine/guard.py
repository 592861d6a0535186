"""``Guard`` and ``AsyncGuard``: drive the flow, keep the record, open the reviews."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Generic, TypeVar

from guardrail.clustering import AsyncEntailment, Entailment, ExactEntailment, shared
from guardrail.codec import digest
from guardrail.engine.flow import Answer, Assessment, Draw, Flow, Judge, assess
from guardrail.errors import EntailmentError, GuardrailError, MeasurementError, NotFound, SamplingError
from guardrail.policy import Policy
from guardrail.review import Queue, call_digest, review_id
from guardrail.sampling import AsyncSampler, Sampler
from guardrail.types import DecisionType, PlanningStep, Record, Review, Route, StepVerdict, Verdict
from guardrail.version import __version__

if TYPE_CHECKING:
    from guardrail.store import Store


S = TypeVar("S")
E = TypeVar("E", Entailment, AsyncEntailment)


class _Base(Generic[S, E]):
    """Decides on planning steps.

    Args:
        policy: what each tool's stakes ask for.
        sampler: draws a planning step again.
        store: keeps records and reviews; ``guardrail.open_store``.
        entailment: judges free texts that differ; by default they are different. Its answers are kept, and
            steps in flight share its batches (``SharedEntailment``), over all guards that are given it.
        curtail: stop drawing when the rest cannot change a route.
        draw: uniform random numbers in [0, 1) for audits.
        now: the clock of records.
        decisions: what reviewers may answer where this guard runs, at most.
        passthrough: control-flow exceptions of a framework; they are never taken for a failed measurement.
    """

    def __init__(
        self,
        policy: Policy,
        sampler: S,
        store: Store,
        *,
        entailment: E | None = None,
        curtail: bool = True,
        draw: Callable[[], float] | None = None,
        now: Callable[[], datetime] | None = None,
        decisions: frozenset[DecisionType] = frozenset(DecisionType),
        passthrough: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.policy = policy
        self.store = store
        self.queue = Queue(store)
        self._sampler = sampler
        self._entailment: E = shared(entailment or ExactEntailment())
        self._curtail = curtail
        self._draw = draw or random.SystemRandom().random
        self._now = now or (lambda: datetime.now(UTC))
        self._decisions = decisions
        self._passthrough = passthrough

    def _known(self, step: PlanningStep) -> StepVerdict | None:
        """The verdict already on record: a step is measured once, and its verdict never flips."""
        try:
            return self.store.record(record_id(step, self.policy)).verdict
        except NotFound:
            return None

    def _flow(self, step: PlanningStep) -> Flow:
        return assess(
            step, self.policy, draw_audit=self._draw(), curtail=self._curtail, entailment=self._entailment.name
        )

    def _keep(self, step: PlanningStep, assessment: Assessment, seconds: float) -> StepVerdict:
        """Write the record, then the pending reviews, before anyone is asked anything."""
        verdict = replace(
            assessment.verdict,
            record_id=record_id(step, self.policy),
            seconds=seconds,
            verdicts=tuple(self._identified(step, verdict) for verdict in assessment.verdict.verdicts),
        )
        at = self._now().isoformat()
        record = Record(
            id=verdict.record_id,
            at=at,
            thread_id=step.thread_id,
            namespace=step.namespace,
            step_id=step.id,
            attempt=step.attempt,
            model=step.model,
            request_digest=step.request_digest,
            planned=step.planned,
            samples=assessment.samples,
            verdict=verdict,
            tools=tuple(tool for tool in step.tools if any(tool.name == call.name for call in step.planned.calls)),
            fingerprint=self._fingerprint(step, verdict),
        )
        if not self.store.add_record(record):
            verdict = self.store.record(record.id).verdict
        self.open_reviews(step, verdict, at=at)
        return verdict

    def _identified(self, step: PlanningStep, verdict: Verdict) -> Verdict:
        if verdict.route is not Route.REVIEW:
            return verdict
        permitted = tuple(decision for decision in verdict.decisions if decision in self._decisions)
        identity = review_id(
            thread_id=step.thread_id,
            namespace=step.namespace,
            step_id=step.id,
            call_id=verdict.call.id,
            attempt=step.attempt,
        )
        return replace(verdict, decisions=permitted or (DecisionType.REJECT,), review_id=identity)

    def open_reviews(self, step: PlanningStep, verdict: StepVerdict, *, at: str) -> None:
        """Put every call that waits for a human into the queue; those already there stay as they are."""
        for one in verdict.verdicts:
            if one.route is Route.REVIEW:
                self.queue.open(
                    Review(
                        id=one.review_id,
                        record_id=verdict.record_id,
                        thread_id=step.thread_id,
                        namespace=step.namespace,
                        step_id=step.id,
                        call=one.call,
                        digest=call_digest(one.call, step.thread_id, self.policy.version, step.tool(one.call.name)),
                        tier=one.tier,
                        why=one.why,
                        at=at,
                        decisions=one.decisions,
                    )
                )

    def _fingerprint(self, step: PlanningStep, verdict: StepVerdict) -> dict[str, str]:
        return {
            "model": step.model,
            "samples": str(verdict.asked),
            "entailment": self._entailment.name,
            "policy": self.policy.version,
            "tools": digest([tool.parameters for tool in step.tools], [tool.name for tool in step.tools]),
            "guardrail": __version__,
        }


class Guard(_Base[Sampler, Entailment]):
    __doc__ = _Base.__doc__

    def assess(self, step: PlanningStep) -> StepVerdict:
        """The verdict on a step, measured once: asked again, the one on record is returned.

        Raises:
            StoreError: the verdict could not be kept; nothing may run on it.
        """
        if (known := self._known(step)) is not None:
            self.open_reviews(step, known, at=self._now().isoformat())
            return known
        started = time.perf_counter()
        flow = self._flow(step)
        try:
            request = next(flow)
            while True:
                request = flow.send(self._answer(step, request))
        except StopIteration as done:
            return self._keep(step, done.value, time.perf_counter() - started)

    def _answer(self, step: PlanningStep, request: Draw | Judge) -> Answer:
        try:
            if isinstance(request, Draw):
                return self._sampler.sample(step, request.n)
            return self._entailment.equivalent(request.pairs)
        except self._passthrough:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, the measurement did not happen
            return _failure(request, error)


class AsyncGuard(_Base[AsyncSampler, AsyncEntailment]):
    """``Guard`` for asynchronous programs; the store's short writes happen in a thread."""

    async def assess(self, step: PlanningStep) -> StepVerdict:
        """As ``Guard.assess``."""
        import asyncio

        if (known := await asyncio.to_thread(self._known, step)) is not None:
            await asyncio.to_thread(self.open_reviews, step, known, at=self._now().isoformat())
            return known
        started = time.perf_counter()
        flow = self._flow(step)
        try:
            request = next(flow)
            while True:
                request = flow.send(await self._answer(step, request))
        except StopIteration as done:
            return await asyncio.to_thread(self._keep, step, done.value, time.perf_counter() - started)

    async def _answer(self, step: PlanningStep, request: Draw | Judge) -> Answer:
        try:
            if isinstance(request, Draw):
                return await self._sampler.asample(step, request.n)
            return await self._entailment.aequivalent(request.pairs)
        except self._passthrough:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, the measurement did not happen
            return _failure(request, error)


def record_id(step: PlanningStep, policy: Policy) -> str:
    """Identity of one try of a planning step: where, which message, which request, which calls, under which policy."""
    calls: Sequence[object] = [[call.id, call.name, call.arguments] for call in step.planned.calls]
    return digest(step.thread_id, step.namespace, step.id, step.attempt, step.request_digest, policy.version, calls)


def _failure(request: Draw | Judge, error: Exception) -> MeasurementError:
    if isinstance(error, MeasurementError):
        return error
    kind = SamplingError if isinstance(request, Draw) else EntailmentError
    # the words of others may hold secrets: they stay in the cause
    failure = kind(str(error) if isinstance(error, GuardrailError) else f"{type(error).__name__} in the backend")
    failure.__cause__ = error
    return failure
