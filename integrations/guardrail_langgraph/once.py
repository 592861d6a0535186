"""Which calls have been started, where LangGraph alone would run them again.

A step that waits for people is left and taken up again: from a saved state, from an old one, by two processes. What
needed nobody has then run already, or has stopped in the middle because its own tool waits for somebody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from guardrail.store import Store

_STARTED: Final = "started"
_DONE: Final = "done"


@dataclass(frozen=True)
class Once:
    """Takes down, in the store and by compare-and-set, what has become of a call; ``key`` is its idempotency key."""

    store: Store

    def begin(self, key: str) -> bool:
        """Whether the call may start: nobody has started it before."""
        return self.store.put_state(_name(key), _STARTED, revision=0)

    def go_on(self, key: str, task: str) -> bool:
        """Whether this task may go on with the call, which it left because the tool itself waited; once."""
        revision, text = self.store.state(_name(key)) or (0, "")
        return bool(task) and text == _left(task) and self.store.put_state(_name(key), _STARTED, revision=revision)

    def left(self, key: str, task: str) -> bool:
        """Whether this task has left the call because the tool itself waited."""
        return bool(task) and (self.store.state(_name(key)) or (0, ""))[1] == _left(task)

    def leave(self, key: str, task: str) -> None:
        """Write down that the tool itself waits for somebody, so that this task runs it again."""
        self._write(key, _left(task))

    def finish(self, key: str) -> None:
        """Write down that the call has run."""
        self._write(key, _DONE)

    def told(self, key: str) -> str | None:
        """What an agent must know of a call whose answer was lost; None if it was not started."""
        found = self.store.state(_name(key))
        if found is None:
            return None
        if found[1] == _DONE:
            return "Not executed again: this call has run, once. What it gave is not known here; look at what it did."
        return (
            "Not executed again: this call was started before, and it is not known whether it took effect. "
            "A person has to find out; do not plan it again."
        )

    def _write(self, key: str, text: str) -> None:
        revision, _ = self.store.state(_name(key)) or (0, "")
        self.store.put_state(_name(key), text, revision=revision)


def _name(key: str) -> str:
    return f"once/{key}"


def _left(task: str) -> str:
    return f"left by {task}"
