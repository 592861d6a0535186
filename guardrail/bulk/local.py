"""Replays cases on this machine: as many at the same time as were asked for, in one event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from guardrail.bulk.job import Job
from guardrail.bulk.replaying import Worker
from guardrail.types import Case


async def run(
    cases: Iterable[Case],
    job: Job,
    done: Callable[[Case], None],
    *,
    begin: Callable[[Case], bool] = lambda _: True,
) -> None:
    """Replay cases; ``done`` is called with each the moment it is finished, in whatever order that happens.

    ``begin`` is asked before each: at the first no, those in work are finished, and no other is begun. Whoever cancels
    this loses what is in work, and nothing else. An error of ``done`` ends the run.
    """
    worker = Worker(job)
    left = iter(cases)
    stopped = False

    async def work() -> None:
        nonlocal stopped
        for case in left:
            if stopped or not begin(case):
                stopped = True
                return
            done(await worker.replay(case))

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(job.concurrency):
                group.create_task(work())
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None  # the first one ended the others
    finally:
        await worker.close()
