"""Questions about a planned call, put to a LangChain chat model."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.runnables import Runnable

from guardrail.errors import ConfigError
from guardrail.sampling import Answer, Failure, Letters, Query, inquire
from guardrail.types import PlanningStep, Question, Reply, ReplyBatch, SampleStatus
from guardrail_langgraph.calls import Call, ChatCaller
from guardrail_langgraph.models import asking_copy, model_name, own_copy, questionable, replayable, takes_logprobs
from guardrail_langgraph.requests import PlanningRequest

_NO_LOGPROBS: Final = Reply(
    status=SampleStatus.FAILED,
    detail="log-probabilities are not to be had from this model, and a letter alone tells nothing",
)
_OF_THE_REQUEST: Final = frozenset({"model", "extra_body", "model_kwargs", "options"})

_Rounds = Generator[list[Call], Sequence[Answer | Failure], ReplyBatch]


class ChatModelAsker:
    """Asks a chat model about planned calls; implements ``Asker`` and ``AsyncAsker``.

    Each question is a request of its own: a system and a user message, no tools, no cache, and heard by no
    callback of the run. Settings that the endpoint refuses are left out (a temperature; 20, then 5 log-probabilities)
    and that is remembered; letters without log-probabilities are not asked for again.

    Args:
        model: any chat model; it is copied, never changed, and what is bound to it is not used.
        concurrency: requests at the same time.
        timeout: seconds for one request.
        retries: how often a request is sent again after a transient failure.

    Raises:
        ConfigError: an argument cannot be used.
    """

    def __init__(
        self, model: Runnable[Any, Any], *, concurrency: int = 8, timeout: float = 60.0, retries: int = 2
    ) -> None:
        if concurrency < 1 or retries < 0 or timeout <= 0:
            raise ConfigError("concurrency must be at least 1, retries at least 0, timeout more than 0 seconds")
        self.model = model_name(model)
        self._source = model
        self._caller = ChatCaller(
            own_copy(model, temperature=None, timeout=timeout), timeout=timeout, concurrency=concurrency
        )
        self._timeout = timeout
        self._retries = retries
        self._letters = Letters() if takes_logprobs(model) else Letters(())
        self._takes_temperature = True
        self._copies: dict[tuple[float | None, int, int], BaseChatModel] = {}
        self._lock = threading.Lock()

    def ask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """A reply to each question, in order; one that could not be had has its status and the reason.

        Raises:
            AskingError: no question could be asked; the cause is what the provider said.
        """
        started = time.perf_counter()
        rounds = self._rounds(step, questions)
        try:
            calls = next(rounds)
            while True:
                calls = rounds.send(self._caller.send(calls))
        except StopIteration as end:
            return _finish(end.value, started)

    async def aask(self, step: PlanningStep, questions: Sequence[Question]) -> ReplyBatch:
        """The same, asynchronously."""
        started = time.perf_counter()
        rounds = self._rounds(step, questions)
        try:
            calls = next(rounds)
            while True:
                calls = rounds.send(await self._caller.asend(calls))
        except StopIteration as end:
            return _finish(end.value, started)

    def _rounds(self, step: PlanningStep, questions: Sequence[Question]) -> _Rounds:
        hopeful = [k for k, question in enumerate(questions) if not question.letters or self._letters.most]
        temperature = self._takes_temperature

        def adapt(failure: Failure) -> bool:
            if temperature and "temperature" in str(failure.error).lower():
                self._takes_temperature = False
            return temperature and not self._takes_temperature

        inquiry = inquire(
            [questions[k] for k in hopeful], self._letters, retries=self._retries, patience=self._timeout, adapt=adapt
        )
        try:
            queries = next(inquiry)
            while True:
                outcomes = yield [self._call(step, query, temperature=temperature) for query in queries]
                queries = inquiry.send(outcomes)
                temperature = self._takes_temperature
        except StopIteration as end:
            batch: ReplyBatch = end.value
        answered = dict(zip(hopeful, batch.replies, strict=True))
        return replace(batch, replies=tuple(answered.get(k, _NO_LOGPROBS) for k in range(len(questions))))

    def _call(self, step: PlanningStep, query: Query, *, temperature: bool) -> Call:
        question = query.question
        degree = question.temperature if temperature else None
        key = (degree, question.max_tokens, query.top)
        with self._lock:
            if key not in self._copies:
                self._copies[key] = asking_copy(
                    self._source,
                    temperature=degree,
                    max_tokens=question.max_tokens,
                    top=query.top,
                    timeout=self._timeout,
                )
            model = self._copies[key]
        return Call(
            messages=(SystemMessage(question.system), HumanMessage(question.user)),
            model=model,
            settings=_settings(step, degree),
            wait=query.wait,
        )


def _settings(step: PlanningStep, temperature: float | None) -> Mapping[str, Any]:
    """What the planning request set of the model that answers: its name, and switches of its chat template."""
    if not isinstance(step.request, PlanningRequest):
        return {}
    kept = {name: value for name, value in step.request.settings.items() if name in _OF_THE_REQUEST}
    return questionable(replayable(kept, temperature))


def _finish(batch: ReplyBatch, started: float) -> ReplyBatch:
    return replace(batch, usage=replace(batch.usage, seconds=time.perf_counter() - started))
