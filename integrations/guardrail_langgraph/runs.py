"""The runs that a callback handler has heard of: what was started within what, and which plan a tool's start is of."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from langchain_core.messages import AIMessage

_SIZE: Final = 16384


@dataclass
class _Run:
    parent: UUID | None
    is_tool: bool
    used: bool = False


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a planning request was sent: in which run, and of which graph's thread, namespace and task."""

    run_id: UUID
    parent_run_id: UUID | None = None
    thread_id: str = ""
    namespace: str = ""
    task: str = ""


@dataclass(frozen=True, kw_only=True)
class ToolStart:
    """A tool that is about to run, as LangChain tells of it."""

    name: str
    call_id: str
    inputs: Mapping[str, Any] | None
    text: str
    run_id: UUID
    parent_run_id: UUID | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def given(self, planned: Mapping[str, Any]) -> dict[str, Any] | None:
        """The planned arguments among what the tool is started with; None where one is not there.

        A graph may inject more; a tool of one argument may be given it alone.
        """
        if self.inputs is None:
            return dict.fromkeys(planned, self.text) if len(planned) == 1 else None
        return {name: self.inputs[name] for name in planned} if planned.keys() <= self.inputs.keys() else None


class Runs:
    """The last runs, also those that have ended. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: OrderedDict[UUID, _Run] = OrderedDict()

    def started(self, run_id: UUID, parent: UUID | None, *, is_tool: bool = False) -> None:
        """A run has started."""
        with self._lock:
            self._runs[run_id] = _Run(parent, is_tool)
            if parent is not None and (above := self._runs.get(parent)) is not None:
                above.used = True
            while len(self._runs) > _SIZE:
                self._runs.popitem(last=False)

    def heard(self, run_id: UUID) -> bool:
        """Whether this run was heard of."""
        with self._lock:
            return run_id in self._runs

    def used(self, run_id: UUID) -> bool:
        """Whether anything was heard of within this run."""
        with self._lock:
            run = self._runs.get(run_id)
            return run is not None and run.used

    def within(self, run_id: UUID | None) -> list[UUID]:
        """The runs around one, itself first, up to the tool that it is part of, or the outermost one."""
        return list(self._around(run_id))

    def in_tool(self, run_id: UUID | None) -> bool:
        """Whether a run is part of a tool that was heard of."""
        around = self.within(run_id)
        with self._lock:
            run = self._runs.get(around[-1]) if around else None
            return run is not None and run.is_tool

    def conversation(self, origin: Origin) -> str:
        """What tells the runs of one conversation apart from others, where it has no thread: the outermost run."""
        around = self.within(origin.parent_run_id)
        return f"run/{around[-1]}" if around and self.heard(around[-1]) else ""

    def distance(self, start: ToolStart, origin: Origin) -> int | None:
        """How far above a tool the run is within which the request was sent, too; None if there is none."""
        planned = set(self.within(origin.parent_run_id))
        around = self.within(start.parent_run_id)
        return next((index for index, run_id in enumerate(around) if run_id in planned), None)

    def _around(self, run_id: UUID | None) -> Iterator[UUID]:
        with self._lock:
            while run_id is not None:
                yield run_id
                run = self._runs.get(run_id)
                if run is None or run.is_tool:
                    return
                run_id = run.parent


def calls_of(outputs: Any) -> set[str]:
    """The names of tools that were called in what a run came to."""
    found: set[str] = set()
    if isinstance(outputs, Mapping):
        for action, _ in outputs.get("intermediate_steps") or ():
            found.add(str(getattr(action, "tool", "")))
        outputs = outputs.get("messages") or ()
    for message in outputs if isinstance(outputs, list | tuple) else (outputs,):
        if isinstance(message, AIMessage):
            found |= {call["name"] for call in message.tool_calls}
    return found
