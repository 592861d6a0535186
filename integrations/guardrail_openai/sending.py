"""Sending requests through the user's OpenAI clients: at the same time, with a limit on time and number."""

from __future__ import annotations

import asyncio
import contextvars
import json
import math
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from typing import Any

from openai import AsyncOpenAI, OpenAI

from guardrail.errors import ConfigError
from guardrail.sampling import Answer, Failure
from guardrail.sampling.plain import items, mapping
from guardrail_openai import chat, responses
from guardrail_openai.requests import API

# The client gives up by itself at the timeout; this much later its thread is left alone.
_GRACE_SECONDS = 0.5
_REFUSED = frozenset({400, 422})
_PARAMETER = re.compile(r"\b(max_completion_tokens|max_output_tokens|max_tokens|temperature)\b")
_NO_TEMPERATURE = (
    "the model takes no temperature: give the sampler temperature=None, and plan without a temperature too"
)
_NO_ANSWER = "what came back is not an answer of this API; check the endpoint's address (most end in /v1) and the API"


@dataclass(frozen=True, kw_only=True)
class Call:
    """One request, sent after ``wait`` seconds."""

    api: API
    arguments: Mapping[str, Any]
    wait: float = 0.0


class NotAnAnswer(Exception):
    """A response of status 200 that holds no answer. ``code`` is the error's own status, where it has one."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class Caller:
    """Sends calls through a client, at most ``concurrency`` of them at once, each given ``timeout`` seconds.

    What fails comes back as a ``Failure`` in its place. The clients given are not touched: copies of them retry
    nothing by themselves. ``limits`` are the rate-limit headers seen last, ``reported`` the last bill, as it came.
    """

    def __init__(self, clients: Sequence[OpenAI | AsyncOpenAI], *, timeout: float, concurrency: int) -> None:
        own = [client.with_options(timeout=timeout, max_retries=0) for client in clients]
        self.sync = next((client for client in own if isinstance(client, OpenAI)), None)
        self.asynchronous = next((client for client in own if isinstance(client, AsyncOpenAI)), None)
        if len(own) != (self.sync is not None) + (self.asynchronous is not None) or not own:
            raise ConfigError("give the sampler an OpenAI client, an AsyncOpenAI client, or one of each")
        self.base_url = str(own[0].base_url)
        self.limits: dict[str, str] = {}
        self.reported: Mapping[str, Any] = {}
        self._timeout = timeout
        self._concurrency = concurrency

    def send(self, calls: Sequence[Call]) -> list[Answer | Failure]:
        """What came of each call, in order."""
        workers = min(self._concurrency, len(calls))
        rounds = math.ceil(len(calls) / workers)
        patience = rounds * self._timeout + max(call.wait for call in calls) + _GRACE_SECONDS
        pool = ThreadPoolExecutor(max_workers=workers, thread_name_prefix="guardrail-openai")
        try:
            futures = [pool.submit(contextvars.copy_context().run, self._send, call) for call in calls]
            wait(futures, timeout=patience, return_when=FIRST_EXCEPTION)
            return [_outcome(future) for future in futures]
        finally:
            # a thread that hangs in the client cannot be stopped: leave it, do not wait for it
            pool.shutdown(wait=False, cancel_futures=True)

    async def asend(self, calls: Sequence[Call]) -> list[Answer | Failure]:
        """The same, asynchronously; in threads where there is no asynchronous client."""
        if self.asynchronous is None:
            return await asyncio.to_thread(self.send, calls)
        gate = asyncio.Semaphore(self._concurrency)
        tasks = [asyncio.create_task(self._asend(self.asynchronous, call, gate)) for call in calls]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()

    def _send(self, call: Call) -> Answer | Failure:
        assert self.sync is not None
        if call.wait:
            time.sleep(call.wait)
        started = time.perf_counter()
        try:
            response = _method(self.sync, call)(**call.arguments)
            return self._answer(call, response, time.perf_counter() - started)
        except Exception as error:  # noqa: BLE001 - whatever a client raises is a failed request
            return failure_of(error)

    async def _asend(self, client: AsyncOpenAI, call: Call, gate: asyncio.Semaphore) -> Answer | Failure:
        if call.wait:
            await asyncio.sleep(call.wait)
        async with gate:
            started = time.perf_counter()
            try:
                async with asyncio.timeout(self._timeout):
                    response = await _method(client, call)(**call.arguments)
                return self._answer(call, response, time.perf_counter() - started)
            except Exception as error:  # noqa: BLE001 - as above
                return failure_of(error)

    def _answer(self, call: Call, response: Any, seconds: float) -> Answer:
        self.limits.update({k: v for k, v in response.headers.items() if k.lower().startswith("x-ratelimit-")})
        data = _data(response.content)
        self.reported = mapping(data.get("usage"))
        if call.api == "responses":
            if not isinstance(data.get("output"), list):
                raise NotAnAnswer("the response has no output")
            return responses.answer(data, seconds)
        if not items(data.get("choices")):
            raise NotAnAnswer("the completion has no choices")
        return chat.answer(data, seconds)


def failure_of(error: Exception) -> Failure:
    """What an exception of the SDK says, and what to do about it."""
    failure = Failure.of(error)
    if isinstance(error, NotAnAnswer | json.JSONDecodeError | UnicodeDecodeError) and failure.status is None:
        # another number of choices does not turn a web page into an answer
        return replace(failure, advice=_NO_ANSWER, final=not isinstance(error, NotAnAnswer))
    if refused_parameter(failure) == "temperature":
        return replace(failure, advice=_NO_TEMPERATURE, final=True)
    return failure


def refused_parameter(failure: Failure) -> str:
    """The setting that an endpoint does not take, as far as it is one that can be given in another way."""
    if failure.status not in _REFUSED:
        return ""
    named = getattr(failure.error, "param", None)
    found = _PARAMETER.search(named if isinstance(named, str) and named else str(failure.error))
    return found[1] if found else ""


def _method(client: OpenAI | AsyncOpenAI, call: Call) -> Any:
    raw: Any = (client.chat.completions if call.api == "chat" else client.responses).with_raw_response
    # a class as the answer's form is something only ``parse`` takes
    form = call.arguments.get("response_format" if call.api == "chat" else "text_format")
    return raw.parse if isinstance(form, type) else raw.create


def _data(content: bytes) -> Mapping[str, Any]:
    data = json.loads(content)
    if not isinstance(data, dict):
        raise NotAnAnswer("the answer is no JSON object")
    error = mapping(data.get("error"))
    if error and not data.get("output"):
        code = error.get("code")
        raise NotAnAnswer("an error came as an answer", code if isinstance(code, int) else None)
    return data


def _outcome(future: Future[Answer | Failure]) -> Answer | Failure:
    return future.result() if future.done() else Failure.of(TimeoutError())
