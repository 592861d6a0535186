"""Sending requests to a chat model of the guard's own: at the same time, with a limit on time and number."""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import BaseMessage
from langchain_core.outputs import LLMResult
from langchain_core.runnables.config import ContextThreadPoolExecutor
from langgraph.errors import GraphBubbleUp

from guardrail.errors import SamplingError
from guardrail.sampling import Answer, Failure
from guardrail.types import Usage
from guardrail_langgraph.messages import answer_from_result, unreadable

# The client of the model gives up by itself at the timeout; this much later its thread is left alone.
_GRACE_SECONDS = 0.5

stopped: ContextVar[threading.Event | None] = ContextVar("guardrail_stopped", default=None)
"""Set, in the context of whoever sends: what is not sent yet is not sent any more."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request: for ``choices`` answers, sent after ``wait`` seconds, to ``model`` where it is not the caller's."""

    messages: Sequence[BaseMessage]
    model: BaseChatModel | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    choices: int = 1
    wait: float = 0.0

    def arguments(self, last: _LastResult) -> dict[str, Any]:
        number = {"n": self.choices} if self.choices > 1 else {}
        return {"messages": [list(self.messages)], "callbacks": [last], **self.settings, **number}


class ChatCaller:
    """Sends calls to ``model``, at most ``concurrency`` at once, each given ``timeout`` seconds.

    What fails comes back as a ``Failure`` in its place; control flow (``GraphBubbleUp``, cancellation,
    Ctrl-C) passes through. Callbacks of the surrounding run are not told: a graph's streams and the
    user's counters see no sample.
    """

    def __init__(self, model: BaseChatModel, *, timeout: float, concurrency: int) -> None:
        self.model = model
        self._timeout = timeout
        self._concurrency = concurrency

    def send(self, calls: Sequence[Call]) -> list[Answer | Failure]:
        """What came of each call, in order."""
        workers = min(self._concurrency, len(calls))
        rounds = math.ceil(len(calls) / workers)
        patience = rounds * self._timeout + max(call.wait for call in calls) + _GRACE_SECONDS
        pool = ContextThreadPoolExecutor(max_workers=workers, thread_name_prefix="guardrail-sampling")
        try:
            futures = [pool.submit(self._send, call) for call in calls]
            # failures are results: what raises is control flow, and ends the rest
            wait(futures, timeout=patience, return_when=FIRST_EXCEPTION)
            return [self._outcome(future) for future in futures]
        finally:
            # a thread that hangs in a provider's client cannot be stopped: leave it, do not wait for it
            pool.shutdown(wait=False, cancel_futures=True)

    async def asend(self, calls: Sequence[Call]) -> list[Answer | Failure]:
        """The same, asynchronously."""
        gate = asyncio.Semaphore(self._concurrency)
        tasks = [asyncio.create_task(self._asend(call, gate)) for call in calls]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    def _send(self, call: Call) -> Answer | Failure:
        stop = stopped.get()
        if call.wait:
            (stop or threading.Event()).wait(call.wait)
        if stop is not None and stop.is_set():
            return Failure(error=SamplingError("not needed any more"), final=True, usage=Usage())
        last, started = _LastResult(), time.perf_counter()
        try:
            result = (call.model or self.model).generate(**call.arguments(last))
            return answer_from_result(last.result or result, time.perf_counter() - started)
        except GraphBubbleUp:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a provider raises is a failed request
            return _without_message(call, error)

    async def _asend(self, call: Call, gate: asyncio.Semaphore) -> Answer | Failure:
        if call.wait:
            await asyncio.sleep(call.wait)
        async with gate:
            last, started = _LastResult(), time.perf_counter()
            try:
                async with asyncio.timeout(self._timeout):
                    result = await (call.model or self.model).agenerate(**call.arguments(last))
                return answer_from_result(last.result or result, time.perf_counter() - started)
            except GraphBubbleUp:
                raise
            except Exception as error:  # noqa: BLE001 - as above
                return _without_message(call, error)

    @staticmethod
    def _outcome(future: Future[Answer | Failure]) -> Answer | Failure:
        if future.done():
            return future.result()
        return Failure.of(TimeoutError())


def _without_message(call: Call, error: Exception) -> Answer | Failure:
    # clients raise over a single bad choice; asked for alone, it is a sample like the others
    sample = unreadable(error) if call.choices == 1 else None
    return Failure.of(error) if sample is None else Answer(samples=(sample,), usage=Usage(requests=1))


class _LastResult(BaseCallbackHandler):
    """Keeps the result as the provider gave it: what ``generate`` returns has lost the response id."""

    run_inline = True

    def __init__(self) -> None:
        self.result: LLMResult | None = None

    def on_llm_end(self, response: LLMResult, *, run_id: UUID, **kwargs: Any) -> None:
        del run_id, kwargs
        self.result = response
