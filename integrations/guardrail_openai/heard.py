"""Streams that are passed on chunk by chunk, and assessed as a whole when they end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Protocol

from openai import AsyncStream, Stream

from guardrail.sampling.plain import items, mapping, snapshot, text
from guardrail.types import StepVerdict

_ENDS = frozenset({"response.completed", "response.incomplete", "response.failed"})


class Heard(Protocol):
    """What was heard of a stream."""

    def add(self, chunk: Any) -> None:
        """The next chunk."""

    def response(self) -> Mapping[str, Any] | None:
        """The response that the chunks come to; None where they come to no single one."""


class HeardChat:
    """Chunks of a chat completion."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}
        self._choices: dict[int, _Choice] = {}

    def add(self, chunk: Any) -> None:
        """The next chunk."""
        data = mapping(snapshot(chunk))
        for key in ("id", "model"):
            self._head.setdefault(key, data.get(key))
        for choice in items(data.get("choices")):
            index = choice.get("index")
            self._choices.setdefault(index if isinstance(index, int) else 0, _Choice()).add(choice)

    def response(self) -> Mapping[str, Any] | None:
        """The whole completion; None where several choices came: merged, they are no plan of the model's."""
        if len(self._choices) != 1:
            return None
        ((index, choice),) = self._choices.items()
        return {**self._head, "choices": [{"index": index, **choice.whole()}]}


class HeardResponse:
    """Events of the Responses API: the last one has the response."""

    def __init__(self) -> None:
        self._response: Mapping[str, Any] | None = None

    def add(self, event: Any) -> None:
        """The next event."""
        if getattr(event, "type", None) in _ENDS:
            self._response = mapping(snapshot(event)).get("response")

    def response(self) -> Mapping[str, Any] | None:
        """The response of the last event."""
        return self._response


class _Choice:
    def __init__(self) -> None:
        self._content = ""
        self._refusal = ""
        self._finish: object = None
        self._tokens: list[Any] = []
        self._calls: list[dict[str, Any]] = []
        self._at: dict[object, int] = {}

    def add(self, choice: Mapping[str, Any]) -> None:
        delta = mapping(choice.get("delta"))
        self._content += text(delta.get("content"))
        self._refusal += text(delta.get("refusal"))
        self._finish = choice.get("finish_reason") or self._finish
        self._tokens += items(mapping(choice.get("logprobs")).get("content"))
        for part in items(delta.get("tool_calls")):
            self._call(part)

    def _call(self, part: Mapping[str, Any]) -> None:
        """A part of a call. Some servers number every call 0: another id begins another call."""
        place, call_id = part.get("index"), text(part.get("id"))
        at = self._at.get(place)
        if at is None or (call_id and self._calls[at]["id"] not in ("", call_id)):
            at = self._at[place] = len(self._calls)
            self._calls.append({"id": "", "type": "function", "said": {}})
        call = self._calls[at]
        call["id"] = call["id"] or call_id
        kind = "custom" if "custom" in part else "function"
        if kind in part:
            call["type"] = kind
        for key, value in mapping(part.get(kind)).items():
            if key in ("arguments", "input"):
                call["said"][key] = text(call["said"].get(key)) + text(value)
            elif value is not None:
                call["said"][key] = value

    def whole(self) -> dict[str, Any]:
        calls = [{"id": one["id"], "type": one["type"], one["type"]: one["said"]} for one in self._calls]
        message = {"role": "assistant", "content": self._content or None, "refusal": self._refusal or None}
        return {
            "message": {**message, **({"tool_calls": calls} if calls else {})},
            "finish_reason": self._finish,
            "logprobs": {"content": self._tokens} if self._tokens else None,
        }


class GuardedStream(Stream[Any]):
    """The SDK's stream; its plan is assessed before it ends. ``verdict`` is there afterwards."""

    def __init__(
        self, stream: Stream[Any], heard: Heard, assess: Callable[[Mapping[str, Any] | None], StepVerdict | None]
    ) -> None:
        self._inner = stream
        self._heard = heard
        self._assess = assess
        self._ended = False
        self.response = stream.response
        self.verdict: StepVerdict | None = None

    def __next__(self) -> Any:
        try:
            chunk = next(self._inner)
        except StopIteration:
            if not self._ended:
                self._ended = True
                self.verdict = self._assess(self._heard.response())
            raise
        self._heard.add(chunk)
        return chunk

    def __iter__(self) -> Iterator[Any]:
        while True:
            try:
                yield self.__next__()
            except StopIteration:
                return

    def close(self) -> None:
        """Give the connection back; a stream that is closed before its end has no verdict, and nothing of it runs."""
        self._inner.close()


class GuardedAsyncStream(AsyncStream[Any]):
    """The same, asynchronously."""

    def __init__(
        self,
        stream: AsyncStream[Any],
        heard: Heard,
        assess: Callable[[Mapping[str, Any] | None], Awaitable[StepVerdict | None]],
    ) -> None:
        self._inner = stream
        self._heard = heard
        self._assess = assess
        self._ended = False
        self.response = stream.response
        self.verdict: StepVerdict | None = None

    async def __anext__(self) -> Any:
        try:
            chunk = await self._inner.__anext__()
        except StopAsyncIteration:
            if not self._ended:
                self._ended = True
                self.verdict = await self._assess(self._heard.response())
            raise
        self._heard.add(chunk)
        return chunk

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            try:
                chunk = await self.__anext__()
            except StopAsyncIteration:
                return
            yield chunk

    async def close(self) -> None:
        """As ``GuardedStream.close``."""
        await self._inner.close()
