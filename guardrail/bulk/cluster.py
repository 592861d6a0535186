"""Replays cases on a cluster, through Ray Data.

Ray moves cases to where there is room, starts lost work again, and brings results back; what becomes of a case is
decided by the same ``Worker`` as on one machine. Results are written where the run was started, as they come: a batch
that was lost with its machine is done again, and of a run that was cut off only the batches in work are.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import socket
from collections.abc import Callable, Sequence
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlsplit

from guardrail.bulk.job import Job
from guardrail.bulk.replaying import Worker
from guardrail.bulk.results import line_of
from guardrail.codec import from_json, to_json
from guardrail.errors import ConfigError, GuardrailError, MissingExtra
from guardrail.types import Case

COLUMN: Final = "case"
_LONGEST: Final = 300
_PATIENCE: Final = 10.0
"""Seconds within which a cluster must answer."""


class Batches:
    """Replays batches of cases in a process of the cluster."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._runner = asyncio.Runner()
        self._worker = self._runner.run(_made(job))

    def __call__(self, batch: dict[str, Any]) -> dict[str, list[str]]:
        """One line of results for each case."""
        cases = [from_json(Case, json.loads(line)) for line in batch[COLUMN]]
        return {COLUMN: self._runner.run(self._replayed(cases))}

    async def _replayed(self, cases: Sequence[Case]) -> list[str]:
        gate = asyncio.Semaphore(self._job.concurrency)

        async def one(case: Case) -> str:
            async with gate:
                return line_of(await self._worker.replay(case)).decode()

        return list(await asyncio.gather(*map(one, cases)))


async def _made(job: Job) -> Worker:
    return Worker(job)


def run(
    cases: Sequence[Case],
    job: Job,
    done: Callable[[Case], bool],
    *,
    address: str | None = None,
    workers: int | None = None,
    cpus: float = 1.0,
) -> None:
    """Replay cases on the cluster at ``address`` (None: one on this machine, or the one that is connected already).

    ``workers`` processes (None: as many as there is room for) take ``cpus`` each. ``done`` is called with each case as
    its batch comes back; where it says False, the run ends there, and what is in work is lost.

    Raises:
        MissingExtra: Ray is not installed.
        ConfigError: there is no cluster at that address.
    """
    ray, data = needed()
    own = not ray.is_initialized()
    if own:
        _connect(ray, address)
    logs = logging.getLogger("ray.data")
    level = logs.level
    logs.setLevel(logging.ERROR)  # what it tells of its steps would stand between the lines of the progress
    try:
        _over(ray, data, cases, job, done, workers=workers, cpus=cpus)
    except ray.exceptions.RayError as error:
        said = str(error).strip().split("\n")[-1][:_LONGEST]
        raise GuardrailError(
            f"the cluster gave up ({type(error).__name__}: {said}); what is finished is kept, and the same command "
            "goes on from there"
        ) from error
    finally:
        logs.setLevel(level)
        if own:
            ray.shutdown()


def _connect(ray: Any, address: str | None) -> None:
    try:
        _reach(address)
        ray.init(address=address, log_to_driver=False, configure_logging=False, include_dashboard=False)
    except (OSError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"there is no Ray cluster at {address or 'this machine'} ({type(error).__name__}): start one with "
            "`ray start --head`, and give its address with --ray-address"
        ) from error


def _reach(address: str | None) -> None:
    """Whether anything listens there: Ray itself would wait for minutes.

    Raises:
        OSError, ValueError: no; or this is no address.
    """
    if address is None or ":" not in address:  # its own names, such as "auto"
        return
    found = urlsplit(address if "://" in address else f"ray://{address}")
    if not found.hostname or found.port is None:
        raise ValueError(address)
    socket.create_connection((found.hostname, found.port), timeout=_PATIENCE).close()


def _over(
    ray: Any,
    data: Any,
    cases: Sequence[Case],
    job: Job,
    done: Callable[[Case], bool],
    *,
    workers: int | None,
    cpus: float,
) -> None:
    context = data.DataContext.get_current()
    shown, context.enable_progress_bars = context.enable_progress_bars, False
    size = job.concurrency
    room = max(1, int(ray.cluster_resources().get("CPU", 1) // cpus))
    lines = [{COLUMN: json.dumps(to_json(case))} for case in cases]
    try:
        # a block for each batch: it is what is lost with a machine, and what comes back at once
        found = data.from_items(lines, override_num_blocks=math.ceil(len(lines) / size)).map_batches(
            Batches,
            fn_constructor_kwargs={"job": job},
            batch_size=size,
            batch_format="numpy",
            compute=data.ActorPoolStrategy(min_size=workers or 1, max_size=workers or room),
            num_cpus=cpus,
        )
        with closing(iter(found.iter_rows())) as rows:
            for row in rows:
                if not done(from_json(Case, json.loads(row[COLUMN]))):
                    return
    finally:
        context.enable_progress_bars = shown


def needed() -> tuple[Any, Any]:
    """``ray`` and ``ray.data``.

    Raises:
        MissingExtra: Ray is not installed.
    """
    try:
        import ray
        from ray import data
    except ImportError as error:
        raise MissingExtra("`guardrail replay --engine ray`", "ray") from error
    return ray, data
