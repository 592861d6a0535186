"""``Guard`` and ``AsyncGuard``: drive the flow, keep the record, open the reviews."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from guardrail.clustering import AsyncEntailment, Entailment, ExactEntailment, SharedEntailment, shared
from guardrail.codec import digest
from guardrail.engine.auditing import audit_number, audit_seed
from guardrail.engine.calibrated import Calibration
from guardrail.engine.evidence import Risk
from guardrail.engine.fingerprint import Fingerprints, judge_name
from guardrail.engine.flow import Answer, Assessment, Draw, Flow, Inquire, Judge, Request, assess
from guardrail.engine.hiding import Scribe, planned
from guardrail.engine.observing import ObservedQueue, Observer, Observers
from guardrail.engine.paying import Purse
from guardrail.engine.refused import objections
from guardrail.engine.reviewing import review_under
from guardrail.engine.setup import calibration_for, tools_for
from guardrail.errors import (
    AskingError,
    BudgetSpent,
    EntailmentError,
    GuardrailError,
    MeasurementError,
    NotFound,
    SamplingError,
)
from guardrail.policy import Policy
from guardrail.review import call_digest, review_id
from guardrail.sampling import Asker, AsyncAsker, AsyncSampler, Sampler, Shaped
from guardrail.signals import Measure
from guardrail.types import DecisionType, PlanningStep, Record, Review, Route, Sample, StepVerdict, ToolCall, Verdict

if TYPE_CHECKING:
    from guardrail.store import Store


S = TypeVar("S")
E = TypeVar("E", Entailment, AsyncEntailment)
Q = TypeVar("Q")
_FAILURES: Final[dict[type[Request], type[MeasurementError]]] = {
    Draw: SamplingError,
    Judge: EntailmentError,
    Inquire: AskingError,
}


class _Base(Generic[S, E, Q]):
    """Decides on planning steps.

    Args:
        policy: what each tool's stakes ask for.
        sampler: draws a planning step again.
        store: keeps records and reviews; ``guardrail.open_store``.
        entailment: judges free texts that differ; by default they are different. Its answers are kept, and
            steps in flight share its batches (``SharedEntailment``), over all guards that are given it.
        curtail: stop drawing as the tier says, by default when the rest cannot change a route; False draws all N.
        risk_model: P(wrong) for tiers that rest on a risk; by default the one whose file the policy names.
        signals: signals of the caller's own, which take the place of those of the same name.
        asker: asks the model about its calls, for signals that need it; by default the sampler, if it can.
        draw: uniform random numbers in [0, 1) for audits; by default they follow from a seed that the store keeps and
            the step, so that a step that is assessed again is drawn again alike.
        now: the clock of records.
        decisions: what reviewers may answer where this guard runs, at most.
        tenant: whose reviews these are; people of other tenants do not see them.
        requester: the agent, or whoever it acts for: who does not decide on its own calls, and whom the policy's
            ``floods`` count.
        reviews: whether calls that need a human are put before one; False where this guard only observes.
        observers: are told what was decided and cannot change it, as those of ``guardrail.telemetry``.
        passthrough: control-flow exceptions of a framework; they are never taken for a failed measurement.

    Raises:
        ConfigError: a tier rests on something that cannot be measured, or on the model's own word alone, the policy's
            calibration cannot be used, or there is no key for what it wants kept encrypted.
    """

    _way_of_asking = ""

    def __init__(
        self,
        policy: Policy,
        sampler: S,
        store: Store,
        *,
        entailment: E | None = None,
        curtail: bool = True,
        risk_model: Risk | None = None,
        signals: Iterable[Measure] = (),
        asker: Q | None = None,
        draw: Callable[[], float] | None = None,
        now: Callable[[], datetime] | None = None,
        decisions: frozenset[DecisionType] = frozenset(DecisionType),
        tenant: str = "",
        requester: str = "",
        reviews: bool = True,
        observers: Sequence[Observer] = (),
        passthrough: tuple[type[BaseException], ...] = (),
    ) -> None:
        self.policy = policy
        self.store = store
        self._observers = Observers(observers)
        self.queue = ObservedQueue(store, tenant=tenant, observers=self._observers)
        self._tenant = tenant
        self._requester = requester
        self._reviews = reviews
        self._sampler = sampler
        self._entailment: E = shared(entailment or ExactEntailment())
        self._judging_is_free = isinstance(_backend(self._entailment), ExactEntailment)
        self._curtail = curtail
        self._asker: Any = sampler if asker is None else asker
        asks = callable(getattr(self._asker, self._way_of_asking, None))
        self._tools = tools_for(policy, signals=signals, risk_model=risk_model, asks=asks)
        self._scribe = Scribe(policy.redaction)
        self._calibration: Calibration | None = calibration_for(policy, self._tools)
        self._fingerprints = Fingerprints(policy, self._tools, curtail=curtail, entailment=judge_name(self._entailment))
        self._draw = draw
        self._seed: str | None = None
        self._now = now or (lambda: datetime.now(UTC))
        self._decisions = decisions
        self._passthrough = passthrough

    def _known(self, step: PlanningStep) -> StepVerdict | None:
        """The verdict already on record: a step is measured once, and its verdict never flips."""
        try:
            return self.store.record(record_id(step, self.policy, self._tenant)).verdict
        except NotFound:
            return None

    def _flow(self, step: PlanningStep) -> Flow:
        return assess(
            step,
            self.policy,
            draw_audit=self._audit_draw(step),
            curtail=self._curtail,
            entailment=self._entailment.name,
            tools=self._tools,
            judging_is_free=self._judging_is_free,
            calibration=self._calibration,
            fingerprint=self._fingerprints.of(step, self._settings(step)),
            alarms=() if self._calibration is None else self.store.alarms(),
            objections=objections(self.store, step, self.policy, tenant=self._tenant),
        )

    def _audit_draw(self, step: PlanningStep) -> float:
        """The step's number for its audit draw: by the store's seed, unless the caller draws."""
        if self._draw is not None:
            return self._draw()
        if self._seed is None:
            self._seed = audit_seed(self.store)
        return audit_number(self._seed, record_id(step, self.policy, self._tenant))

    def _settings(self, step: PlanningStep) -> Mapping[str, str]:
        """How samples of the step are drawn, as far as the sampler says."""
        if not isinstance(self._sampler, Shaped):
            return {}
        try:
            return self._sampler.settings(step)
        except Exception as error:  # noqa: BLE001 - a sampler of somebody else may raise anything
            return {"temperature": f"not known ({type(error).__name__})"}

    def _purse(self, step: PlanningStep) -> Purse:
        return Purse(self.store, self.policy, step, self._now)

    def _keep(self, step: PlanningStep, assessment: Assessment, seconds: float) -> StepVerdict:
        """Write the record, then the pending reviews, before anyone is asked anything. The verdict is as written."""
        verdict = replace(
            assessment.verdict,
            record_id=record_id(step, self.policy, self._tenant),
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
            planned=_kept(step.planned),
            samples=tuple(map(_kept, assessment.samples)),
            verdict=verdict,
            tools=tuple(tool for tool in step.tools if any(tool.name == call.name for call in step.planned.calls)),
            conversation=step.conversation,
            fingerprint=assessment.fingerprint,
            tenant=self._tenant,
        )
        record = self._scribe.masked(record, step)
        if self.store.add_record(record):
            verdict = record.verdict
            self._observers.tell("assessed", step, verdict, record.id)
        else:
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
            tenant=self._tenant,
        )
        return replace(verdict, decisions=permitted or (DecisionType.REJECT,), review_id=identity)

    def open_reviews(self, step: PlanningStep, verdict: StepVerdict, *, at: str) -> None:
        """Put every call that waits for a human into the queue, all or none; those already there stay as they are.

        Raises:
            TooManyReviews: the requester asks for more than the policy lets it; nothing may run.
        """
        asked = [(one, planned(step, one)) for one in verdict.verdicts if one.route is Route.REVIEW]
        if asked and self._reviews:
            reviews = [
                self.queue.keep(self._review(step, verdict, one, call, at), call.arguments) for one, call in asked
            ]
            self.queue.open_all(reviews, floods=self.policy.floods)

    def _review(self, step: PlanningStep, verdict: StepVerdict, one: Verdict, call: ToolCall, at: str) -> Review:
        tool = step.tool(call.name)
        review = Review(
            id=one.review_id,
            record_id=verdict.record_id,
            thread_id=step.thread_id,
            namespace=step.namespace,
            step_id=step.id,
            call=one.call,
            digest=call_digest(call, step.thread_id, self.policy.version, tool),
            tier=one.tier,
            why=one.why,
            at=at,
            decisions=one.decisions,
            tenant=self._tenant,
            requester=self._requester,
        )
        asked = review_under(review, self.policy.resolve(call, tool), datetime.fromisoformat(at))
        return self._scribe.review(asked, one)


class Guard(_Base[Sampler, Entailment, Asker]):
    __doc__ = _Base.__doc__
    _way_of_asking = "ask"

    def assess(self, step: PlanningStep) -> StepVerdict:
        """The verdict on a step, measured once: asked again, the one on record is returned.

        Raises:
            StoreError: the verdict, or what it cost, could not be kept; nothing may run on it.
        """
        if (known := self._known(step)) is not None:
            self.open_reviews(step, known, at=self._now().isoformat())
            return known
        started = time.perf_counter()
        flow, purse = self._flow(step), self._purse(step)
        try:
            request = next(flow)
            while True:
                request = flow.send(self._paid(step, request, purse))
        except StopIteration as done:
            return self._keep(step, done.value, time.perf_counter() - started)

    def _paid(self, step: PlanningStep, request: Request, purse: Purse) -> Answer:
        if isinstance(request, Judge) or not purse.limited:
            return self._answer(step, request)
        try:
            purse.check()
        except BudgetSpent as spent:
            return spent
        answer = self._answer(step, request)
        purse.pay(answer)
        return answer

    def _answer(self, step: PlanningStep, request: Request) -> Answer:
        try:
            match request:
                case Draw():
                    return self._sampler.sample(step, request.n)
                case Judge():
                    return self._entailment.equivalent(request.pairs)
                case Inquire():
                    replies: Answer = self._asker.ask(step, request.questions)
                    return replies
        except self._passthrough:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, the measurement did not happen
            return _failure(request, error)


class AsyncGuard(_Base[AsyncSampler, AsyncEntailment, AsyncAsker]):
    """``Guard`` for asynchronous programs; the store's short writes happen in a thread."""

    _way_of_asking = "aask"

    async def assess(self, step: PlanningStep) -> StepVerdict:
        """As ``Guard.assess``."""
        import asyncio

        if (known := await asyncio.to_thread(self._known, step)) is not None:
            await asyncio.to_thread(self.open_reviews, step, known, at=self._now().isoformat())
            return known
        started = time.perf_counter()
        # alarms are read from the store
        flow, purse = await asyncio.to_thread(self._flow, step), self._purse(step)
        try:
            request = next(flow)
            while True:
                request = flow.send(await self._paid(step, request, purse))
        except StopIteration as done:
            return await asyncio.to_thread(self._keep, step, done.value, time.perf_counter() - started)

    async def _paid(self, step: PlanningStep, request: Request, purse: Purse) -> Answer:
        import asyncio

        if isinstance(request, Judge) or not purse.limited:
            return await self._answer(step, request)
        try:
            await asyncio.to_thread(purse.check)
        except BudgetSpent as spent:
            return spent
        answer = await self._answer(step, request)
        await asyncio.to_thread(purse.pay, answer)
        return answer

    async def _answer(self, step: PlanningStep, request: Request) -> Answer:
        try:
            match request:
                case Draw():
                    return await self._sampler.asample(step, request.n)
                case Judge():
                    return await self._entailment.aequivalent(request.pairs)
                case Inquire():
                    replies: Answer = await self._asker.aask(step, request.questions)
                    return replies
        except self._passthrough:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a backend raises, the measurement did not happen
            return _failure(request, error)


def record_id(step: PlanningStep, policy: Policy, tenant: str = "") -> str:
    """Identity of one try of a planning step: where, which message, which request, which calls, under which policy."""
    calls: Sequence[object] = [[call.id, call.name, call.arguments] for call in step.planned.calls]
    where = (step.thread_id, step.namespace, step.id, step.attempt, step.request_digest)
    return digest(*where, policy.version, calls, *([tenant] if tenant else []))


def _kept(sample: Sample) -> Sample:
    """The sample as it can be kept: JSON has no number that is not finite, and such log-probabilities are none."""
    numbers = (
        number for token in sample.tokens or () for number in (token.logprob, *(logprob for _, logprob in token.top))
    )
    return sample if all(map(math.isfinite, numbers)) else replace(sample, tokens=None)


def _backend(entailment: object) -> object:
    return entailment.backend if isinstance(entailment, SharedEntailment) else entailment


def _failure(request: Request, error: Exception) -> MeasurementError:
    if isinstance(error, MeasurementError):
        return error
    # the words of others may hold secrets: they stay in the cause
    said = str(error) if isinstance(error, GuardrailError) else f"{type(error).__name__} in the backend"
    failure = _FAILURES[type(request)](said)
    failure.__cause__ = error
    return failure
