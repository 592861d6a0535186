"""Draws samples of planning steps that passed, and writes each as a case."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from openai import AsyncOpenAI

from guardrail.codec import digest, to_json
from guardrail.errors import ConfigError, GuardrailError, MeasurementError
from guardrail.signals import Evidence, Registry
from guardrail.types import Case, PlanningStep, Reply, Signal, Usage
from guardrail_openai.record.exchange import Exchange
from guardrail_openai.requests import arguments_of
from guardrail_openai.sampler import OpenAISampler
from guardrail_openai.steps import planning_step

_CLIENTS = 64


@dataclass(kw_only=True)
class Tally:
    """How many planning steps were seen, left out, recorded, and lost, and what the samples cost."""

    seen: int = 0
    left_out: int = 0
    recorded: int = 0
    failed: int = 0
    last_failure: str = ""
    usage: Usage = field(default_factory=Usage)


class CaseFile:
    """Cases as JSON lines, added at the end. Only its owner may read the file: conversations stand in it.

    Raises:
        ConfigError: the file cannot be written.
    """

    def __init__(self, path: Path) -> None:
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot write cases to {path}: {error.strerror}") from error
        self._file: IO[str] = os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def add(self, case: Case) -> None:
        """Write a case; it survives a crash once this returns."""
        self._file.write(json.dumps(to_json(case)) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        self._file.close()


class Recorder:
    """Samples each exchange given to it, beside the agent and never in its way.

    Args:
        upstream: address of the model server, the one that samples are drawn from.
        samples: N.
        ask: names of signals to ask the model for, such as ``p_true``.
        concurrency: planning steps that are sampled at the same time.
        timeout: seconds for one request.
    """

    def __init__(
        self,
        file: CaseFile,
        *,
        upstream: str,
        samples: int,
        ask: Sequence[str] = (),
        concurrency: int = 2,
        timeout: float = 120.0,
    ) -> None:
        self.tally = Tally()
        self._file = file
        self._upstream = upstream
        self._n = samples
        self._registry = Registry()
        self._ask = tuple(ask)
        self._gate = asyncio.Semaphore(concurrency)
        self._timeout = timeout
        self._samplers: dict[str, OpenAISampler] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Planning steps that are not on file yet."""
        return len(self._tasks)

    def record(self, exchange: Exchange) -> None:
        """Begin to sample an exchange; it is on file some time later."""
        task = asyncio.create_task(self._record(exchange))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait until everything begun is on file."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def abandon(self) -> None:
        """Give up what is not on file yet."""
        for task in self._tasks:
            task.cancel()

    async def _record(self, exchange: Exchange) -> None:
        async with self._gate:
            try:
                await self._sample(exchange)
            except (GuardrailError, OSError, ValueError, TypeError) as error:
                self.tally.failed += 1
                self.tally.last_failure = str(error) or type(error).__name__

    async def _sample(self, exchange: Exchange) -> None:
        step = planning_step(arguments_of(exchange.request), exchange.response, thread_id="")
        sampler = self._sampler(exchange.headers)
        batch = await sampler.asample(step, self._n)
        signals, usage = await self._asked(sampler, step)
        self._file.add(
            Case(
                id=digest(step.id, step.request_digest)[:16],
                planned=step.planned,
                samples=batch.samples,
                tools=step.tools,
                group=_task(step),
                model=step.model,
                at=datetime.now(UTC).isoformat(),
                conversation=step.conversation,
                signals=signals,
                usage=batch.usage + usage,
                request=step.request.body,
            )
        )
        self.tally.recorded += 1
        self.tally.usage += batch.usage + usage

    async def _asked(self, sampler: OpenAISampler, step: PlanningStep) -> tuple[tuple[tuple[Signal, ...], ...], Usage]:
        found: list[tuple[Signal, ...]] = []
        usage = Usage()
        for index in range(len(step.planned.calls) if self._ask else 0):
            replies: dict[str, tuple[Reply, ...]] = {}
            for name in self._ask:
                questions = self._registry.questions(name, step, index)
                if not questions:
                    continue
                try:
                    answered = await sampler.aask(step, questions)
                except MeasurementError:
                    continue  # the signal is missing in the case, with the reason
                replies[name] = answered.replies
                usage += answered.usage
            evidence = Evidence(planned=step.planned, index=index, replies=replies)
            found.append(self._registry.measure(self._ask, evidence))
        return tuple(found), usage

    def _sampler(self, headers: Mapping[str, str]) -> OpenAISampler:
        key = digest(dict(headers))
        if key not in self._samplers:
            if len(self._samplers) >= _CLIENTS:
                self._samplers.pop(next(iter(self._samplers)))
            self._samplers[key] = OpenAISampler(_client(self._upstream, headers, self._timeout), timeout=self._timeout)
        return self._samplers[key]


def _client(upstream: str, headers: Mapping[str, str], timeout: float) -> AsyncOpenAI:
    """A client that the server takes for the agent: with its key and its other headers."""
    others: dict[str, Any] = dict(headers)
    scheme, _, key = others.pop("authorization", "").partition(" ")
    return AsyncOpenAI(
        base_url=upstream,
        api_key=key if scheme.lower() == "bearer" and key else "none",
        # the client sends none of these two unless they are its own
        organization=others.pop("openai-organization", None),
        project=others.pop("openai-project", None),
        default_headers=others,
        timeout=timeout,
        max_retries=0,
    )


def _task(step: PlanningStep) -> str:
    """What the conversation began with: steps of one conversation, and repeated tasks, are one group."""
    first = next((turn for turn in step.conversation if turn.role == "user"), None)
    return digest(first.text)[:16] if first else ""
