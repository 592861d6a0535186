"""Streams that are passed on event by event, and assessed as a whole before they end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, Final

from anthropic import AsyncStream, Stream

from guardrail.sampling.plain import mapping, snapshot, text
from guardrail.types import StepVerdict

_TEXTS: Final = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


class Heard:
    """The message that events come to."""

    def __init__(self) -> None:
        self._message: dict[str, Any] = {}
        self._blocks: dict[int, dict[str, Any]] = {}
        self._inputs: dict[int, str] = {}

    def add(self, event: Any) -> Mapping[str, Any] | None:
        """The next event; the whole message, once that is the last one."""
        data = mapping(snapshot(event))
        index = data.get("index")
        match data.get("type"):
            case "message_start":
                self._message = dict(mapping(data.get("message")))
            case "content_block_start" if isinstance(index, int):
                self._blocks[index] = dict(mapping(data.get("content_block")))
            case "content_block_delta" if index in self._blocks:
                self._delta(index, mapping(data.get("delta")))
            case "message_delta":
                self._message |= mapping(data.get("delta"))
            case "message_stop":
                return {**self._message, "content": [self._block(one) for one in sorted(self._blocks)]}
        return None

    def _delta(self, index: int, delta: Mapping[str, Any]) -> None:
        kind = text(delta.get("type"))
        said = text(delta.get(_TEXTS.get(kind, "")))
        if kind == "input_json_delta":
            self._inputs[index] = self._inputs.get(index, "") + said
        elif kind in _TEXTS:
            self._blocks[index][_TEXTS[kind]] = text(self._blocks[index].get(_TEXTS[kind])) + said

    def _block(self, index: int) -> dict[str, Any]:
        given = self._inputs.get(index)
        return {**self._blocks[index], "input": given} if given else self._blocks[index]


class GuardedStream(Stream[Any]):
    """The SDK's stream; its plan is assessed before the last event comes. ``verdict`` is there then."""

    def __init__(self, stream: Stream[Any], assess: Callable[[Mapping[str, Any]], StepVerdict | None]) -> None:
        self._inner = stream
        self._heard = Heard()
        self._assess = assess
        self.response = stream.response
        self.verdict: StepVerdict | None = None

    def __next__(self) -> Any:
        event = next(self._inner)
        if (whole := self._heard.add(event)) is not None:
            self.verdict = self._assess(whole)
        return event

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
        self, stream: AsyncStream[Any], assess: Callable[[Mapping[str, Any]], Awaitable[StepVerdict | None]]
    ) -> None:
        self._inner = stream
        self._heard = Heard()
        self._assess = assess
        self.response = stream.response
        self.verdict: StepVerdict | None = None

    async def __anext__(self) -> Any:
        event = await self._inner.__anext__()
        if (whole := self._heard.add(event)) is not None:
            self.verdict = await self._assess(whole)
        return event

    async def __aiter__(self) -> AsyncIterator[Any]:
        while True:
            try:
                event = await self.__anext__()
            except StopAsyncIteration:
                return
            yield event

    async def close(self) -> None:
        """As ``GuardedStream.close``."""
        await self._inner.close()


class Opening:
    """What ``messages.stream`` gives: a context whose stream is the SDK's own, its events heard on the way."""

    def __init__(self, manager: Any, guarded: Callable[[Any], Any]) -> None:
        self._manager = manager
        self._guarded = guarded

    def __enter__(self) -> Any:
        return self._heard(self._manager.__enter__())

    def __exit__(self, *error: object) -> None:
        self._manager.__exit__(*error)

    async def __aenter__(self) -> Any:
        return self._heard(await self._manager.__aenter__())

    async def __aexit__(self, *error: object) -> None:
        await self._manager.__aexit__(*error)

    def _heard(self, stream: Any) -> Any:
        stream._raw_stream = self._guarded(stream._raw_stream)  # noqa: SLF001 - read when the first event is asked for
        return stream
