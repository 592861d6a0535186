"""One recorded case, planned, drawn, scored and judged again. What comes of all of them is the same on any machine."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from guardrail.bulk.job import SOURCE, Job, source_of
from guardrail.bulk.judging import judged
from guardrail.bulk.planner import Checker, Planner
from guardrail.bulk.rebuilding import replayable
from guardrail.clustering import shared
from guardrail.engine.evidence import Tools
from guardrail.engine.fingerprint import Fingerprints, judge_name
from guardrail.engine.scoring import replay, score
from guardrail.errors import GuardrailError, MeasurementError
from guardrail.sampling import Shaped
from guardrail.signals import Evidence, Registry
from guardrail.types import Case, Need, PlanningStep, Reply, Sample, SampleStatus, Signal, Usage


class Worker:
    """Replays cases in one process, within one event loop.

    Raises:
        ConfigError: the planner, the judge or the checker cannot be made, or a signal is not known.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._planner: Planner = job.planner(job.options)
        self._judge = shared(job.judge())
        self._checker: Checker | None = None if job.checker is None else job.checker()
        self._registry = Registry()
        tools = Tools(registry=self._registry, risk=job.risk_model, asks=True)
        # a guard that stops early decides as all N samples do, and these are all N
        self._fingerprints = Fingerprints(job.policy, tools, curtail=True, entailment=judge_name(self._judge))
        self._asked = tuple(name for name in wanted(job) if Need.QUESTION in self._registry.get(name).info.needs)
        self.run = job.run(self._planner.name)

    @property
    def model(self) -> str:
        """The model that plans and draws."""
        return self._planner.model

    def refusal(self, case: Case) -> str:
        """Why a case cannot be replayed, found without sending anything; empty where it can."""
        try:
            self._planner.step(replayable(case))
        except Exception as error:  # noqa: BLE001 - whatever a planner raises, it cannot plan this
            return _said(error)
        return ""

    async def close(self) -> None:
        """Release what the planner holds."""
        close = getattr(self._planner, "aclose", None)
        if close is not None:
            await close()

    async def replay(self, case: Case) -> Case:
        """What came of a case; a failure is written down in its place, with what was paid."""
        known = Case(
            id=case.id,
            planned=case.planned if self._job.keep_plan else Sample(status=SampleStatus.FAILED, detail="not planned"),
            samples=(),
            tools=case.tools,
            correct=case.correct if self._job.keep_plan else None,
            labels=case.labels if self._job.keep_plan else (),
            group=case.group,
            model=self._planner.model,
            at=case.at if self._job.keep_plan else self._job.started or case.at,
            conversation=case.conversation,
            attempt=case.attempt,
            usage=Usage(),
            request=case.request,
            run={**self.run, "started": self._job.started, SOURCE: source_of(case)},
        )
        found = _Found(known)
        try:
            await self._replay(case, found)
        except Exception as error:  # noqa: BLE001 - one case that fails must not end the others
            found.failed(getattr(error, "usage", None))
            return replace(found.case, failure=_said(error) or type(error).__name__)
        return found.case

    async def _replay(self, case: Case, found: _Found) -> None:
        ready = replayable(case)
        if self._job.keep_plan:
            step = self._planner.step(ready)
        else:
            planned = await self._planner.plan(ready)
            step = planned.step
            found.update(planning=planned.usage)
        found.update(planned=step.planned, tools=step.tools or case.tools, conversation=step.conversation)
        n = samples_of(self._job, step)
        if n:
            batch = await self._planner.asample(step, n)
            found.pay(batch.usage)
            found.update(samples=batch.samples)
        asked = await self._ask(step, found)
        # a judge may be a model of its own: the requests of other cases go on meanwhile
        await asyncio.to_thread(self._score, case, step, asked, found)
        if self._checker is not None and found.case.correct is None and not found.case.labels:
            found.update(**judged(self._checker, found.case, by=self.run["checker"]))

    async def _ask(self, step: PlanningStep, found: _Found) -> list[tuple[Signal, ...]]:
        ask: Any = getattr(self._planner, "aask", None)
        signals: list[tuple[Signal, ...]] = []
        for index in range(len(step.planned.calls) if self._asked and ask is not None else 0):
            replies: dict[str, tuple[Reply, ...]] = {}
            for name in self._asked:
                questions = self._registry.questions(name, step, index)
                if not questions:
                    continue
                try:
                    answered = await ask(step, questions)
                except MeasurementError as error:
                    found.pay(getattr(error, "usage", None))
                    continue  # the signal is missing in the case, with the reason
                replies[name] = answered.replies
                found.pay(answered.usage)
            evidence = Evidence(planned=step.planned, index=index, replies=replies)
            signals.append(self._registry.measure(self._asked, evidence))
        return signals

    def _score(self, case: Case, step: PlanningStep, asked: Sequence[tuple[Signal, ...]], found: _Found) -> None:
        job = self._job
        found.update(signals=tuple(asked))
        settings = dict(self._planner.settings(step)) if isinstance(self._planner, Shaped) else {}
        fingerprint = self._fingerprints.of(step, settings)
        if job.keep_plan and case.model != self._planner.model:
            # samples of one model about a plan of another are a score of their own
            fingerprint["model"] = f"{case.model or 'an unknown model'}, drawn again by {self._planner.model}"
        made = replay(
            found.case,
            job.policy,
            entailment=self._judge,
            registry=self._registry,
            risk_model=job.risk_model,
            curtail=False,
            calibration=job.calibration,
            fingerprint=fingerprint,
            attempt=case.attempt,
        )
        (more,) = score(
            [found.case],
            [name for name in job.signals if name not in self._asked],
            entailment=self._judge,
            registry=self._registry,
            policy=job.policy,
            risk_model=job.risk_model,
        )
        signals = [
            _each_once(one.signals, more[index], asked[index] if index < len(asked) else ())
            for index, one in enumerate(made.verdict.verdicts)
        ]
        usage = found.case.usage or Usage()
        verdict = replace(made.verdict, usage=usage, seconds=usage.seconds)
        found.update(signals=tuple(signals), verdict=verdict, fingerprint=made.fingerprint)


class _Found:
    """A case as far as it has come, so that what was paid and planned is on file even where the rest failed."""

    def __init__(self, case: Case) -> None:
        self.case = case

    def pay(self, usage: object) -> None:
        if isinstance(usage, Usage):
            self.case = replace(self.case, usage=(self.case.usage or Usage()) + usage)

    def failed(self, usage: object) -> None:
        """What an attempt that failed has cost: a plan, where there is none yet."""
        if isinstance(usage, Usage) and self.case.planned.status is SampleStatus.FAILED and self.case.planning is None:
            self.case = replace(self.case, planning=usage)
        else:
            self.pay(usage)

    def update(self, **parts: Any) -> None:
        self.case = replace(self.case, **parts)


def wanted(job: Job) -> tuple[str, ...]:
    """Every signal that is measured: those that are asked for, those of the policy, and those that the risk takes."""
    settings = job.policy.settings.values()
    named = [name for tier in settings for name in (*tier.signals, *(n for s in tier.cascade for n in s.named))]
    risk = job.risk_model.signals if job.risk_model is not None else ()
    return tuple(name for name in dict.fromkeys((*job.signals, *named, *risk)) if name != "risk")


def samples_of(job: Job, step: PlanningStep) -> int:
    """N: the most that a tier of the step's calls asks for; nothing is drawn for a step without calls."""
    calls = step.planned.calls
    return max((job.policy.resolve(call, step.tool(call.name)).samples for call in calls), default=0)


def finite(case: Case) -> Case:
    """The case as JSON can hold it: log-probabilities that are not finite are none."""
    return replace(case, planned=_finite(case.planned), samples=tuple(map(_finite, case.samples)))


def _finite(sample: Sample) -> Sample:
    numbers = (number for token in sample.tokens or () for number in (token.logprob, *(one for _, one in token.top)))
    return sample if all(map(math.isfinite, numbers)) else replace(sample, tokens=None)


def spent(case: Case) -> Usage:
    """All that replaying a case has cost."""
    return (case.planning or Usage()) + (case.usage or Usage())


def _each_once(*signals: Iterable[Signal]) -> tuple[Signal, ...]:
    found: dict[str, Signal] = {}
    for signal in (signal for each in signals for signal in each):
        known = found.get(signal.name)
        if known is None or known.missing:
            found[signal.name] = signal
    return tuple(found.values())


def _said(error: Exception) -> str:
    # the words of others may hold secrets
    return str(error) if isinstance(error, GuardrailError) else f"{type(error).__name__} in the planner"
