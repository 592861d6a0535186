"""The calls of one step where they are started, one pass of a graph's task at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from langgraph.errors import GraphInterrupt

T = TypeVar("T")
_SIZE: Final = 1024
_SCRATCHPAD: Final = "__pregel_scratchpad"


class Waits(GraphInterrupt):
    """An interrupt that shows nothing of its question: LangChain logs what a handler raises."""

    def __repr__(self) -> str:
        return "Waits()"


class First(Generic[T]):
    """What the first thread that asks finds out, for all of them; what it raised is raised for all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: T | None = None
        self._error: BaseException | None = None
        self._done = False

    def get(self, find: Callable[[], T]) -> T:
        with self._lock:
            if not self._done:
                try:
                    self._found = find()
                except GraphInterrupt as error:
                    self._error = Waits(*error.args)
                except BaseException as error:  # noqa: BLE001 - raised below
                    self._error = error
                self._done = True
        if self._error is not None:
            raise self._error
        return self._found  # type: ignore[return-value]  # it was found


class Turn:
    """The step whose calls are started: its verdict, people's answers, and which of its calls were started."""

    def __init__(self, scratchpad: Any) -> None:
        self.scratchpad = scratchpad
        self.verdict: First[Any] = First()
        self.answers: First[Any] = First()
        self.taken: set[str] = set()


class Turns:
    """The last turns. A graph that is resumed starts a task anew, and with it the turn."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._turns: OrderedDict[tuple[str, ...], Turn] = OrderedDict()

    def at(self, configurable: Mapping[str, Any], *key: str) -> Turn:
        """The turn of a step, in this pass of the task that runs."""
        scratchpad = configurable.get(_SCRATCHPAD)
        with self._lock:
            turn = self._turns.get(key)
            if turn is None or turn.scratchpad is not scratchpad:
                turn = self._turns[key] = Turn(scratchpad)
            self._turns.move_to_end(key)
            while len(self._turns) > _SIZE:
                self._turns.popitem(last=False)
            return turn
