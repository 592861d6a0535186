"""Samples from chat completions or Responses, through the OpenAI SDK."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import replace
from typing import TypeVar
from urllib.parse import urlsplit

from openai import AsyncOpenAI, OpenAI

from guardrail.errors import AskingError, ConfigError, SamplingError
from guardrail.sampling import Answer, Ask, Failure, Letters, Limit, Query, draw, inquire, inspect, shaping
from guardrail.types import PlanningStep, Question, ReplyBatch, SampleBatch
from guardrail_openai.asking import Questioner
from guardrail_openai.requests import OpenAIRequest
from guardrail_openai.sending import Call, Caller

A = TypeVar("A")
B = TypeVar("B")
_Rounds = Generator[tuple[A, ...], Sequence[Answer | Failure], B]
_OPENAI_HOSTS = (".api.openai.com", ".azure.com", ".azure.us", ".azure.cn")
_UNKNOWN = (
    "the request that planned this step is not known, so it cannot be sent again: "
    "give planning_step the keyword arguments that were sent"
)
_ONLY_ASYNC = "this sampler has only an AsyncOpenAI client: use AsyncGuard, or give it an OpenAI client too"


class OpenAISampler:
    """Draws a planning step again, and asks about its calls; implements ``Sampler``, ``Asker`` and their asynchronous
    forms.

    ``step.request`` must be an ``OpenAIRequest`` (``planning_step`` makes it). It is sent again as it was, but for
    temperature, seed, streaming, storing and caches of whole answers; prompt caches are kept. Chat completions are
    asked for all samples in one request (``n``); what an endpoint refuses is split, what it leaves out is topped
    up, and both are remembered. The Responses API has no ``n``: its samples are concurrent requests.

    Args:
        clients: ``OpenAI`` (or ``AzureOpenAI``, with any ``base_url``), ``AsyncOpenAI``, or one of each for the same
            endpoint. They are copied, never changed; the copies do not retry by themselves.
        temperature: of the samples; None keeps the planning request's, for models that take none.
        use_n: False for endpoints that count ``n`` but do not draw independently.
        prefix_first: whether, where several requests are needed, the first is answered before the rest are sent, so
            that a server that keeps prompts reads this one once. It costs the time of one request. None: yes, but for
            the endpoints of OpenAI and Azure, which take ``n``.
        concurrency: requests at the same time, for one step.
        timeout: seconds for one request, and the longest wait that a server's Retry-After may ask for.
        retries: how often a request is sent again after a transient failure.

    Raises:
        ConfigError: an argument cannot be used.
    """

    name = "openai"

    def __init__(
        self,
        *clients: OpenAI | AsyncOpenAI,
        temperature: float | None = 1.0,
        use_n: bool = True,
        prefix_first: bool | None = None,
        concurrency: int = 8,
        timeout: float = 60.0,
        retries: int = 2,
    ) -> None:
        if temperature is not None and temperature <= 0:
            raise ConfigError(f"temperature is {temperature}: samples at temperature 0 are all the same; use 1.0")
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise ConfigError("concurrency must be at least 1, retries at least 0, timeout more than 0 seconds")
        self._caller = Caller(clients, timeout=timeout, concurrency=concurrency)
        openai = _is_openai(self._caller.base_url)
        self._temperature = temperature
        self._prefix_first = not openai if prefix_first is None else prefix_first
        self._limits = {"chat": Limit(None if use_n else 1), "responses": Limit(1)}
        self._letters = {"chat": Letters(), "responses": Letters()}
        self._questioner = Questioner(openai=openai)
        self._timeout = timeout
        self._retries = retries

    @property
    def rate_limits(self) -> dict[str, str]:
        """The rate-limit headers that the endpoint sent last."""
        return dict(self._caller.limits)

    @property
    def most_choices(self) -> int | None:
        """How many samples one chat completion gives, as far as the endpoint has shown; None: no limit met."""
        return self._limits["chat"].most

    def sample(self, step: PlanningStep, n: int) -> SampleBatch:
        """At most ``n`` samples of the step.

        Raises:
            SamplingError: nothing could be drawn; the cause is what the provider said.
        """
        started = time.perf_counter()
        if self._caller.sync is None:
            raise SamplingError(_ONLY_ASYNC)
        call, rounds = self._drawing(step, n)
        return _drawn(self._drive(rounds, lambda ask: _at(call, ask)), started)

    async def asample(self, step: PlanningStep, n: int) -> SampleBatch:
        """The same, asynchronously."""
        started = time.perf_counter()
        call, rounds = self._drawing(step, n)
        return _drawn(await self._adrive(rounds, lambda ask: _at(call, ask)), started)

    def ask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """One reply to each question, with the likeliest first tokens where letters are wanted and the endpoint has
        them.

        Raises:
            AskingError: nothing could be asked; the cause is what the provider said.
        """
        started = time.perf_counter()
        if self._caller.sync is None:
            raise AskingError(_ONLY_ASYNC)
        request, rounds = self._inquiry(step, questions)
        return _replied(self._drive(rounds, lambda query: self._questioner.call(request, query)), started)

    async def aask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """The same, asynchronously."""
        started = time.perf_counter()
        request, rounds = self._inquiry(step, questions)
        return _replied(await self._adrive(rounds, lambda query: self._questioner.call(request, query)), started)

    def settings(self, step: PlanningStep) -> dict[str, str]:
        """What shapes the samples of a step: the settings of its request, at this sampler's temperature."""
        request = step.request
        return shaping(request.arguments if isinstance(request, OpenAIRequest) else {}, self._temperature)

    def _drawing(self, step: PlanningStep, n: int) -> tuple[Call, _Rounds[Ask, SampleBatch]]:
        if n < 1:
            raise ValueError(f"n is {n}: at least one sample must be asked for")
        request = step.request
        if not isinstance(request, OpenAIRequest):
            raise SamplingError(_UNKNOWN)
        call = Call(api=request.api, arguments=request.replay(self._temperature))
        rounds = draw(
            n,
            self._limits[request.api],
            retries=self._retries,
            patience=self._timeout,
            first_alone=self._prefix_first,
        )
        return call, rounds

    def _inquiry(
        self, step: PlanningStep, questions: Sequence[Question]
    ) -> tuple[OpenAIRequest, _Rounds[Query, ReplyBatch]]:
        request = step.request
        if not isinstance(request, OpenAIRequest):
            raise AskingError(_UNKNOWN)
        rounds = inquire(
            questions,
            self._letters[request.api],
            retries=self._retries,
            patience=self._timeout,
            adapt=self._questioner.adapt,
        )
        return request, rounds

    def _drive(self, rounds: _Rounds[A, B], call_of: Callable[[A], Call]) -> B:
        outcomes: Sequence[Answer | Failure] | None = None
        try:
            while True:
                asked = next(rounds) if outcomes is None else rounds.send(outcomes)
                outcomes = self._caller.send([call_of(one) for one in asked])
        except StopIteration as end:
            result: B = end.value
            return result

    async def _adrive(self, rounds: _Rounds[A, B], call_of: Callable[[A], Call]) -> B:
        outcomes: Sequence[Answer | Failure] | None = None
        try:
            while True:
                asked = next(rounds) if outcomes is None else rounds.send(outcomes)
                outcomes = await self._caller.asend([call_of(one) for one in asked])
        except StopIteration as end:
            result: B = end.value
            return result


def _at(call: Call, ask: Ask) -> Call:
    number = {"n": ask.choices} if ask.choices > 1 else {}
    return replace(call, arguments={**call.arguments, **number}, wait=ask.wait)


def _drawn(batch: SampleBatch, started: float) -> SampleBatch:
    usage = replace(batch.usage, seconds=time.perf_counter() - started)
    return SampleBatch(samples=inspect(batch.samples), usage=usage)


def _replied(batch: ReplyBatch, started: float) -> ReplyBatch:
    return replace(batch, usage=replace(batch.usage, seconds=time.perf_counter() - started))


def _is_openai(base_url: str) -> bool:
    host = urlsplit(base_url).hostname or ""
    return host == "api.openai.com" or host.endswith(_OPENAI_HOSTS)
