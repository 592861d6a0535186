"""Runs a job over recorded cases with one of the engines: written as they come, within the limits, and told."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from guardrail.bulk import Estimator, Job, Results
from guardrail.bulk.replaying import spent
from guardrail.bulk.spending import Purse
from guardrail.types import Case, Usage

Step = Callable[[Usage, int], None]


@dataclass(frozen=True, kw_only=True)
class Engine:
    """Where the cases run."""

    ray: bool = False
    address: str | None = None
    workers: int | None = None


@dataclass(kw_only=True)
class Run:
    """One run: what it writes, what it may spend, and how it ended (``stopped``: by which limit)."""

    job: Job
    results: Results
    purse: Purse
    estimator: Estimator
    stopped: str = ""
    failed: int = 0
    _promised: dict[str, Usage] = field(default_factory=dict)

    def over(self, cases: Sequence[Case], engine: Engine, step: Step) -> None:
        """Replay the cases.

        Raises:
            KeyboardInterrupt: somebody stopped it; what was finished is written.
        """
        if engine.ray:
            from guardrail.bulk import cluster

            if not self._stop():
                cluster.run(
                    cases,
                    self.job,
                    lambda case: self._done(case, step) and not self._stop(),
                    address=engine.address,
                    workers=engine.workers,
                )
            return
        from guardrail.bulk import local

        asyncio.run(local.run(cases, self.job, lambda case: self._took(case, step), begin=self._begin))

    def _took(self, case: Case, step: Step) -> None:
        self._done(case, step)

    def _done(self, case: Case, step: Step) -> bool:
        self.results.add(case)
        self.failed += bool(case.failure)
        self.purse.pay(spent(case), self._promised.pop(case.id, None))
        step(self.purse.spent, self.failed)
        return True

    def _begin(self, case: Case) -> bool:
        likely = self.estimator.of(case)
        self.stopped = self.stopped or self.purse.exceeded(likely)
        if self.stopped:
            return False
        if self.purse.limited:
            self._promised[case.id] = likely
            self.purse.promise(likely)
        return True

    def _stop(self) -> bool:
        self.stopped = self.stopped or self.purse.exceeded()
        return bool(self.stopped)


async def survey(job: Job, cases: Sequence[tuple[str, Case]]) -> tuple[dict[str, str], str, list[tuple[str, str]]]:
    """The settings of the run, its model, and what cannot be replayed (place and reason). Nothing is sent."""
    from guardrail.bulk import Worker

    worker = Worker(job)
    try:
        refused: list[tuple[str, Any]] = [(place, worker.refusal(case)) for place, case in cases]
        return worker.run, worker.model, [(place, why) for place, why in refused if why]
    finally:
        await worker.close()
