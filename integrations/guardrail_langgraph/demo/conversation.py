"""One task, from the clerk's words to the end of the run: drives the graph and tells the view."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langgraph.types import Command, Interrupt

from guardrail.store import Store
from guardrail.types import Usage
from guardrail_langgraph.demo.recorded import REPLAY, SECONDS
from guardrail_langgraph.demo.reviewer import Reviewer, verdict_of
from guardrail_langgraph.demo.tally import Tally
from guardrail_langgraph.demo.tasks import Task
from guardrail_langgraph.demo.view import View
from guardrail_langgraph.history import MARK


class Conversation:
    """Runs the graph on one thread; ``reviewer`` answers its interrupts, ``by`` is the name that goes on record."""

    def __init__(self, graph: Any, *, store: Store, view: View, tally: Tally, reviewer: Reviewer, by: str) -> None:
        self._graph = graph
        self._store = store
        self._view = view
        self._tally = tally
        self._reviewer = reviewer
        self._by = by
        self._shown: set[str] = set()

    def run(self, task: Task, thread_id: str) -> None:
        """Run a task until it ends or waits for a decision that nobody takes now."""
        self._view.begin(task)
        self._tally.tasks += 1
        config: dict[str, Any] = {
            "configurable": {"thread_id": thread_id, "reviewer": self._by},
            "recursion_limit": 100,
        }
        work: Any = {"messages": [("user", task.text)]}
        while True:
            for update in self._timed(self._graph.stream(work, config, stream_mode="updates")):
                self._tell(update)
            waiting: tuple[Interrupt, ...] = self._graph.get_state(config).interrupts
            if not waiting:
                return
            for interrupt in waiting:
                self._assessed(interrupt.value["guard"]["record_id"])
            answers = self._reviewer(waiting, self._view)
            self._tally.decisions.update(_kind(answer) for answer in answers.values())
            if not answers:
                pending = [verdict_of(interrupt).review_id for interrupt in waiting]
                self._tally.pending += pending
                self._view.pending(pending)
                return
            work = Command(resume=dict(answers))

    def _timed(self, updates: Any) -> Any:
        """The updates; the time until the agent's own turns is counted as planning."""
        started = time.perf_counter()
        for update in updates:
            if "agent" in update:
                self._tally.planning += Usage(seconds=time.perf_counter() - started)
            yield update
            started = time.perf_counter()

    def _tell(self, update: Mapping[str, Any]) -> None:
        for change in update.values():
            for message in change.get("messages", ()) if isinstance(change, Mapping) else ():
                if isinstance(message, ToolMessage):
                    self._view.answered(message)
                elif MARK in message.additional_kwargs:
                    self._assessed(message.additional_kwargs[MARK]["record_id"])
                else:
                    self._planned(message)

    def _planned(self, message: AIMessage) -> None:
        usage = message.usage_metadata
        if usage:
            counted = Usage(requests=1, prompt_tokens=usage["input_tokens"], completion_tokens=usage["output_tokens"])
            self._tally.planning += counted
        self._tally.recorded_seconds += message.response_metadata.get(SECONDS, 0.0)
        if message.response_metadata.get(REPLAY) == "other words":
            self._view.replayed_in_other_words()
        if not message.tool_calls:
            self._view.said(message)

    def _assessed(self, record_id: str) -> None:
        if record_id in self._shown:
            return
        self._shown.add(record_id)
        record = self._store.record(record_id)
        self._tally.add(record)
        self._view.step(record)


def _kind(answer: Mapping[str, Any]) -> str:
    kind = str(answer["decisions"][0]["type"])
    return {"approve": "approved", "edit": "edited", "reject": "rejected", "respond": "answered"}.get(kind, kind)
