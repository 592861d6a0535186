"""What serves the model of a conversation: it plays a script in the words of an API, and counts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Self

from tests.adapters.script import Played, Script, Turn
from tests.support.guarded_loops import answered, last
from tests.support.openai_server import Body, Fault, Message, OpenAIServer, calls, say


class Served(ABC):
    """One for all conversations of a process; ``play`` begins anew."""

    played: Played
    prompt_tokens = 50
    """What every request costs."""
    completion_tokens = 7
    """What every choice costs."""

    @abstractmethod
    def play(self, script: Script, *, n: str = "honour") -> None:
        """Serve this script from now on. ``n``: "honour", or "ignore" as servers do that give one choice."""

    @property
    @abstractmethod
    def plans(self) -> int:
        """How many requests were no samples."""

    @property
    @abstractmethod
    def choices(self) -> int:
        """How many choices were given to requests for samples."""

    @property
    @abstractmethod
    def requests(self) -> int:
        """How many requests asked for samples."""

    @property
    @abstractmethod
    def streamed(self) -> int:
        """How many of these wanted a stream."""

    def __enter__(self) -> Self:
        return self

    def __exit__(  # noqa: B027 - nothing is open
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close it."""


def is_sample(body: Body) -> bool:
    """Samples are drawn at temperature 1, and no door plans at that."""
    return body.get("temperature") == 1.0


class OpenAIServed(Served):
    """Chat completions and Responses, by the counting server."""

    def __init__(self) -> None:
        self.server = _Server()
        self._open: AbstractContextManager[Any] = self.server

    def __enter__(self) -> Self:
        self._open.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._open.__exit__(*error)  # type: ignore[arg-type]

    @property
    def url(self) -> str:
        """Where it is."""
        return self.server.url

    def play(self, script: Script, *, n: str = "honour") -> None:
        self.played = Played(script)
        self.server.played = self.played
        self.server.reset(self._reply, n=n)  # type: ignore[arg-type]

    def _reply(self, body: Body, _index: int) -> Message | list[Message]:
        said = answered(body) if last(body) else ""
        is_answer = last(body).get("role") == "tool" or str(last(body).get("type", "")).endswith("_output")
        turn = self.played.turn(sample=is_sample(body), told=said if is_answer else None)
        besides = self.played.besides
        if besides is not None and turn is not None and turn.calls and not is_sample(body):
            return [message(turn), message(besides)]
        return message(turn or Turn(text="nothing"))

    @property
    def plans(self) -> int:
        return len([body for body in self.server.requests if not is_sample(body)])

    @property
    def choices(self) -> int:
        return self.played.drawn

    @property
    def requests(self) -> int:
        return len(self.server.drawn)

    @property
    def streamed(self) -> int:
        return len([body for body in self.server.drawn if body.get("stream")])


class _Server(OpenAIServer):
    """Fails for samples where the script says so."""

    played: Played | None = None

    def arrived(self, path: str, body: Body, headers: dict[str, str]) -> Fault | None:
        found = super().arrived(path, body, headers)
        if self.played is not None and is_sample(body) and self.played.fails:
            return Fault(status=500)
        return found


def message(turn: Turn) -> Message:
    """A turn as a message of chat completions."""
    if not turn.calls:
        return say(turn.text)
    made = calls(*[(one[0], one[1]) for one in turn.calls], content=turn.text or None)
    for given, one in zip(turn.calls, made["tool_calls"], strict=True):
        if len(given) > 2:
            one["id"] = given[2]
    return made
