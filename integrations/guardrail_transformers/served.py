"""An NLI model served over HTTP as judge of whether two texts mean the same. Needs httpx, neither torch nor a GPU."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from typing import Any

from guardrail.clustering import TextPair
from guardrail.errors import ConfigError, EntailmentError, MissingExtra
from guardrail_transformers.batching import Tally, Work
from guardrail_transformers.bidirectional import Belief, Direction, Rule
from guardrail_transformers.predictions import allowed_batch, checked_url, excerpt, read

_TRANSIENT = frozenset((408, 425, 429, 500, 502, 503, 504))
_TOO_LARGE = 413
FIRST_WAIT_SECONDS = 0.25


@dataclass(frozen=True, kw_only=True)
class _Request:
    """Directions to ask about after a wait, or, without any, what the server allows."""

    directions: tuple[Direction, ...] = ()
    attempt: int = 0
    wait: float = 0.0

    def halves(self) -> list[_Request]:
        middle = len(self.directions) // 2
        return [_Request(directions=part) for part in (self.directions[:middle], self.directions[middle:])]


@dataclass(frozen=True, kw_only=True)
class _Reply:
    """A status and a body, or what went wrong on the way."""

    status: int = 0
    body: bytes = b""
    error: Exception | None = None


_Rounds = Generator[list[_Request], Sequence[_Reply], list[bool]]


class ServedNLIEntailment:
    """Judges texts with an NLI model behind ``/predict``; implements ``Entailment`` and ``AsyncEntailment``.

    The form is the one of text-embeddings-inference: ``{"inputs": [[premise, hypothesis], ...]}`` is
    answered by a list of ``{"label", "score"}`` for each pair; ``examples/ray_serve_nli.py`` speaks it
    too. The rule and what needs no model are those of ``NLIEntailment``. Both directions of all pairs go
    out together, in requests of as many as the server's ``/info`` allows. Nothing is cut: a pair that the
    server calls too large, alone, differs.

    httpx carries the requests: the standard library has no asynchronous client, and threads around its
    other one cannot be cancelled.

    Args:
        url: the server's address; ``/predict`` is added.
        threshold: probability of entailment asked for in both directions, in [0.5, 1].
        veto: probability of contradiction, in either direction, that separates.
        question: put an argument's description before both texts where it is a question.
        labels: what the model's labels mean, for a model that calls them LABEL_0 and so on.
        name: what verdicts call this judge; by default it has the address.
        headers: sent with every request, such as an authorization; never in a message or a name.
        batch_size: premise-hypothesis pairs in one request; None for what the server allows.
        concurrency: requests at the same time.
        timeout: seconds to wait for a connection, and for each part of an answer.
        retries: how often a request is sent again after a transient failure.

    Raises:
        ConfigError: an argument cannot be used.
        MissingExtra: httpx is not installed.
    """

    def __init__(
        self,
        url: str,
        *,
        threshold: float = 0.85,
        veto: float = 0.1,
        question: bool = False,
        labels: Mapping[str, str] | None = None,
        name: str | None = None,
        headers: Mapping[str, str] | None = None,
        batch_size: int | None = None,
        concurrency: int = 4,
        timeout: float = 30.0,
        retries: int = 2,
    ) -> None:
        self._rule = Rule(threshold=threshold, veto=veto, question=question)
        if (batch_size is not None and batch_size < 1) or concurrency < 1 or retries < 0 or not timeout > 0:
            raise ConfigError("batch_size and concurrency must be at least 1, retries at least 0, timeout more than 0")
        self._url = checked_url(url)
        if find_spec("httpx") is None:
            raise MissingExtra("ServedNLIEntailment", "served")
        self.name = name or f"nli-served:{self._url}"
        self._labels = labels
        self._headers = dict(headers or {})
        self._size = batch_size
        self._concurrency = concurrency
        self._timeout = timeout
        self._retries = retries
        self._tally = Tally()

    @property
    def stats(self) -> Work:
        """What the server has judged so far; a batch is a request, and tokens are not known here."""
        return self._tally.total

    def equivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        """Whether each pair means the same, in the pairs' order.

        Raises:
            ConfigError: the server's labels do not tell entailment and contradiction.
            EntailmentError: the server could not be asked, or its answer could not be read.
        """
        import httpx

        rounds = self._rounds(pairs)
        try:
            requests = next(rounds)
            with httpx.Client(**self._options) as client, ThreadPoolExecutor(self._concurrency) as pool:
                while True:
                    requests = rounds.send(list(pool.map(lambda request: self._send(client, request), requests)))
        except StopIteration as end:
            answers: list[bool] = end.value
            return answers

    async def aequivalent(self, pairs: Sequence[TextPair]) -> list[bool]:
        """The same, asynchronously."""
        import httpx

        rounds = self._rounds(pairs)
        turns = asyncio.Semaphore(self._concurrency)
        try:
            requests = next(rounds)
            async with httpx.AsyncClient(**self._options) as client:
                while True:
                    replies = await asyncio.gather(*(self._asend(client, turns, request) for request in requests))
                    requests = rounds.send(replies)
        except StopIteration as end:
            answers: list[bool] = end.value
            return answers

    def _rounds(self, pairs: Sequence[TextPair]) -> _Rounds:
        asked = self._rule.asked(pairs)
        beliefs: dict[Direction, Belief] = {}
        if asked and self._size is None:
            (info,) = yield [_Request()]
            self._size = allowed_batch(info.status, info.body)
        size = self._size or 1
        waiting = [_Request(directions=tuple(asked[k : k + size])) for k in range(0, len(asked), size)]
        while waiting:
            replies = yield waiting
            again: list[_Request] = []
            for request, reply in zip(waiting, replies, strict=True):
                if reply.status == 200:
                    found = read(reply.body, len(request.directions), self._labels, self.name)
                    beliefs.update(zip(request.directions, found, strict=True))
                    self._tally.add(Work(inputs=len(found), batches=1))
                elif reply.status == _TOO_LARGE:
                    again += request.halves() if len(request.directions) > 1 else []
                else:
                    again.append(self._repeated(request, reply))
            waiting = again
        if asked:
            self._tally.add(Work(rounds=1, pairs=len(asked) // 2))
        return self._rule.decide(pairs, beliefs)

    def _repeated(self, request: _Request, reply: _Reply) -> _Request:
        if request.attempt < self._retries and (reply.error is not None or reply.status in _TRANSIENT):
            wait = FIRST_WAIT_SECONDS * 2**request.attempt
            return _Request(directions=request.directions, attempt=request.attempt + 1, wait=wait)
        what = f"{type(reply.error).__name__}: {reply.error}" if reply.error else f"status {reply.status}"
        raise EntailmentError(f"{self.name} could not compare texts: {what} {excerpt(reply.body)}") from reply.error

    @cached_property
    def _options(self) -> dict[str, Any]:
        secure = self._url.startswith("https://")
        # made once: reading the trusted certificates takes longer than a request
        return {
            "headers": self._headers,
            "timeout": self._timeout,
            "verify": ssl.create_default_context() if secure else False,
        }

    def _call(self, request: _Request) -> dict[str, Any]:
        if not request.directions:
            return {"method": "GET", "url": f"{self._url}/info"}
        inputs = [[_sendable(text) for text in direction] for direction in request.directions]
        return {"method": "POST", "url": f"{self._url}/predict", "json": {"inputs": inputs, "truncate": False}}

    def _send(self, client: Any, request: _Request) -> _Reply:
        import httpx

        time.sleep(request.wait)
        try:
            response = client.request(**self._call(request))
        except httpx.HTTPError as error:
            return _Reply(error=error)
        return _Reply(status=response.status_code, body=response.content)

    async def _asend(self, client: Any, turns: asyncio.Semaphore, request: _Request) -> _Reply:
        import httpx

        await asyncio.sleep(request.wait)
        async with turns:
            try:
                response = await client.request(**self._call(request))
            except httpx.HTTPError as error:
                return _Reply(error=error)
        return _Reply(status=response.status_code, body=response.content)


def _sendable(text: str) -> str:
    """The text, with half surrogate pairs, which no encoding has, written out."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
