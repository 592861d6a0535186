"""The loop: each task in its time, whatever becomes of the others; several processes share the work."""

from __future__ import annotations

import json
import logging
import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, ClassVar, Final

from guardrail.errors import GuardrailError, StoreError
from guardrail.store import Store
from guardrail.types.forms import type_config
from guardrail.upkeep.tasks import Task

LEASE: Final = 300.0
"""Seconds after which the task of a process that died is taken up by another."""
_BEAT: Final = 60.0
"""How often a task that did nothing is written down as done."""
_LONGEST: Final = 300
_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TaskState:
    """When a task last ran, in any process, and how that went. Times are seconds since 1970.

    ``until``: whoever runs it now has so long. ``note`` is what it last did, ``error`` what went wrong the last time,
    ``failures`` how often in a row.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    name: str
    last: float = 0.0
    by: str = ""
    until: float = 0.0
    note: str = ""
    error: str = ""
    failures: int = 0


@dataclass(frozen=True, kw_only=True)
class Done:
    """What became of a task: what it did in a few words, or the error."""

    name: str
    note: str = ""
    error: str = ""


class Loop:
    """Runs tasks until it is stopped. See ``Upkeep``."""

    def __init__(self, store: Store, tasks: Sequence[Task], clock: Callable[[], datetime]) -> None:
        self._store = store
        self._tasks = tasks
        self._clock = clock
        self._name = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._next = dict.fromkeys((task.name for task in tasks), 0.0)
        self._written: dict[str, float] = {}
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def once(self) -> list[Done]:
        """Run each task once, but those that another process runs or has just run; say what each did."""
        return [done for task in self._tasks if (done := self._run(task)) is not None]

    def run(self) -> None:
        """Run the tasks in their times until ``stop``."""
        while not self._stopping.is_set():
            for task in self._tasks:
                if self._stopping.is_set():
                    return
                if time.monotonic() >= self._next[task.name]:
                    self._run(task)
                    self._next[task.name] = time.monotonic() + task.every
            soonest = min(self._next.values(), default=time.monotonic() + _BEAT)
            self._stopping.wait(max(0.0, soonest - time.monotonic()))

    def start(self) -> None:
        """Run in a thread of its own."""
        if self._thread is None:
            self._thread = threading.Thread(target=self.run, name="guardrail-upkeep", daemon=True)
            self._thread.start()

    def stop(self, timeout: float = 20.0) -> None:
        """End after the task that runs, and wait for that, at most so many seconds. Stopping twice does no harm."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(timeout)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Started, and stopped at the end."""
        self.start()
        try:
            yield
        finally:
            self.stop()

    def _run(self, task: Task) -> Done | None:
        try:
            if task.alone and not self._take(task):
                return None
            done = self._did(task)
            self._write(task, done)
        except StoreError as error:  # the store is away: whoever looks at the log learns it
            _log.warning("upkeep: %s was not done: %s", task.name, error)
            return Done(name=task.name, error=str(error)[:_LONGEST])
        return done

    def _did(self, task: Task) -> Done:
        try:
            return Done(name=task.name, note=task.run())
        except GuardrailError as error:
            why = str(error)[:_LONGEST]
        except Exception as error:  # noqa: BLE001 - one task's bug must not stop the others; its text may hold anything
            why = f"it failed ({type(error).__name__})"
        _log.warning("upkeep: %s failed: %s", task.name, why)
        return Done(name=task.name, error=why)

    def _take(self, task: Task) -> bool:
        now = self._clock().timestamp()
        revision, state = self._read(task.name)
        # a little early is in time: the clocks of processes are not one
        if now < state.until or now < state.last + 0.9 * task.every:
            return False
        return self._put(replace(state, by=self._name, until=now + LEASE), revision)

    def _write(self, task: Task, done: Done) -> None:
        now = self._clock().timestamp()
        revision, state = self._read(task.name)
        told = bool(done.note or done.error) or bool(state.error)
        if not (task.alone or told) and now - self._written.get(task.name, 0.0) < _BEAT:
            return
        self._written[task.name] = now
        after = replace(
            state,
            last=now,
            by=self._name,
            until=0.0,
            note=done.note or state.note,
            error=done.error,
            failures=state.failures + 1 if done.error else 0,
        )
        self._put(after, revision)  # where another process was faster, what it wrote is as true

    def _read(self, name: str) -> tuple[int, TaskState]:
        return read_state(self._store, name)

    def _put(self, state: TaskState, revision: int) -> bool:
        kept = {name: value for name, value in asdict(state).items() if name != "name"}
        return self._store.put_state(_key(state.name), json.dumps(kept), revision=revision)


def read_state(store: Store, name: str) -> tuple[int, TaskState]:
    """What is kept of a task, and its revision."""
    revision, text = store.state(_key(name)) or (0, "{}")
    try:
        return revision, TaskState(name=name, **json.loads(text))
    except (ValueError, TypeError):  # of another version: it starts anew
        return revision, TaskState(name=name)


def _key(name: str) -> str:
    return f"upkeep/{name}"
