"""Tools that only read may run while the samples of their step arrive; what they gave is held back until the verdict.

A result that the verdict lets through is kept in the guard's checkpoint, so that an interrupt, a resume or a restart
does not run the tool again. What it drops is gone: an approved call runs when it has been approved.
"""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.messages import ToolMessage
from langchain_core.runnables import RunnableConfig
from langgraph.errors import GraphBubbleUp
from langgraph.prebuilt import ToolNode
from langgraph.types import Command

from guardrail.policy import Policy
from guardrail.types import PlanningStep, Route, StepVerdict, Tier, ToolCall, ToolSpec

_MOST_HELD: Final = 512

Output = ToolMessage | Command[Any]
Outcome = list[Output] | BaseException
_Key = tuple[str, str, str, int, str]

outer_state: contextvars.ContextVar[Any] = contextvars.ContextVar("guardrail_outer_state", default=None)
"""State of the graph that the guard stands in, for tools that are given it."""


@dataclass(frozen=True, kw_only=True)
class Running:
    """The calls of a step that run ahead, by call id."""

    step: PlanningStep
    outcomes: Mapping[str, Future[Outcome]]


class RunAhead:
    """Runs calls of low stakes whose tools are annotated ``readOnlyHint: true``, each at most once.

    Outcomes are held in memory, the last ones of all threads, until they are delivered or dropped. A tool that
    interrupts, or that was cut off, is run as usual when its turn comes.
    """

    def __init__(
        self, tools: Sequence[Any], policy: Policy, registered: Mapping[str, ToolSpec], messages_key: str
    ) -> None:
        self._node = ToolNode([tool for tool in tools if not isinstance(tool, Mapping)], messages_key=messages_key)
        self._policy = policy
        self._registered = registered
        self._messages_key = messages_key
        self._begun: OrderedDict[_Key, Future[Outcome]] = OrderedDict()
        self._ready: OrderedDict[tuple[str, str], Outcome] = OrderedDict()
        self._tasks: dict[Future[Outcome], asyncio.Task[None]] = {}
        self._lock = threading.Lock()

    def permits(self, step: PlanningStep, call: ToolCall) -> bool:
        """Whether a call may run before it is decided: readable, offered, annotated as read-only, of low stakes."""
        offered, own = step.tool(call.name), self._registered.get(call.name)
        if not step.planned.valid or step.request is None or offered is None or own is None:
            return False
        hints = own.annotations
        reads = hints.get("readOnlyHint") is True and not hints.get("destructiveHint")
        return reads and call.name in self._node.tools_by_name and self._policy.resolve(call, own).tier is Tier.LOW

    def start(self, step: PlanningStep, open_ids: Sequence[str], config: RunnableConfig) -> Running:
        """Begin the calls that may run, each in a thread."""
        outcomes = {}
        for call in self._chosen(step, open_ids):
            outcome, new = self._begin(step, call)
            outcomes[call.id] = outcome
            if new:
                context = contextvars.copy_context()
                arguments = (self._run, outcome, self._input(call), config)
                threading.Thread(target=context.run, args=arguments, name="guardrail-ahead", daemon=True).start()
        return Running(step=step, outcomes=outcomes)

    async def astart(self, step: PlanningStep, open_ids: Sequence[str], config: RunnableConfig) -> Running:
        """The same, as tasks."""
        outcomes = {}
        for call in self._chosen(step, open_ids):
            outcome, new = self._begin(step, call)
            outcomes[call.id] = outcome
            if new:
                self._tasks[outcome] = asyncio.create_task(self._arun(outcome, self._input(call), config))
        return Running(step=step, outcomes=outcomes)

    def finish(self, running: Running, verdict: StepVerdict) -> dict[str, ToolMessage]:
        """Results of the calls that the verdict lets run, by call id; the others are dropped."""
        kept = self._kept(running, verdict)
        wait(kept.values())
        return self._delivered(kept, verdict)

    async def afinish(self, running: Running, verdict: StepVerdict) -> dict[str, ToolMessage]:
        """The same, asynchronously."""
        kept = self._kept(running, verdict)
        if kept:
            await asyncio.wait([asyncio.wrap_future(outcome) for outcome in kept.values()])
        return self._delivered(kept, verdict)

    def take(self, record_id: str, call_id: str) -> Outcome | None:
        """What is no plain result (an error, a command) and has to be delivered where the tool is dispatched; once."""
        with self._lock:
            return self._ready.pop((record_id, call_id), None)

    def _chosen(self, step: PlanningStep, open_ids: Sequence[str]) -> list[ToolCall]:
        return [call for call in step.planned.calls if call.id in open_ids and self.permits(step, call)]

    def _begin(self, step: PlanningStep, call: ToolCall) -> tuple[Future[Outcome], bool]:
        """The call's outcome, and whether it is still to be run."""
        key = (step.thread_id, step.namespace, step.id, step.attempt, call.id)
        with self._lock:
            known = self._begun.get(key)
            if known is not None:
                return known, False
            outcome: Future[Outcome] = Future()
            outcome.set_running_or_notify_cancel()
            self._begun[key] = outcome
            while len(self._begun) > _MOST_HELD:
                self._begun.popitem(last=False)
            return outcome, True

    @staticmethod
    def _input(call: ToolCall) -> dict[str, Any]:
        planned = {"name": call.name, "args": call.arguments, "id": call.id, "type": "tool_call"}
        return {"__type": "tool_call_with_context", "tool_call": planned, "state": outer_state.get()}

    def _run(self, outcome: Future[Outcome], given: dict[str, Any], config: RunnableConfig) -> None:
        try:
            outcome.set_result(self._flat(self._node.invoke(given, config)))
        except BaseException as error:  # noqa: BLE001 - delivered, or dropped, with the verdict
            outcome.set_result(error)

    async def _arun(self, outcome: Future[Outcome], given: dict[str, Any], config: RunnableConfig) -> None:
        try:
            outcome.set_result(self._flat(await self._node.ainvoke(given, config)))
        except BaseException as error:
            outcome.set_result(error)
            if isinstance(error, asyncio.CancelledError):
                raise
        finally:
            self._tasks.pop(outcome, None)

    def _flat(self, result: Any) -> list[Output]:
        items = [result] if isinstance(result, Mapping) else result
        return [one for item in items for one in (item[self._messages_key] if isinstance(item, Mapping) else [item])]

    def _kept(self, running: Running, verdict: StepVerdict) -> dict[str, Future[Outcome]]:
        kept: dict[str, Future[Outcome]] = {}
        for call_id, outcome in running.outcomes.items():
            one = verdict.verdict(call_id)
            if verdict.route is not Route.RETRY and one is not None and one.route is Route.EXECUTE:
                kept[call_id] = outcome
            elif (task := self._tasks.get(outcome)) is not None and not task.get_loop().is_closed():
                task.cancel()
        return kept

    def _delivered(self, kept: Mapping[str, Future[Outcome]], verdict: StepVerdict) -> dict[str, ToolMessage]:
        messages: dict[str, ToolMessage] = {}
        for call_id, future in kept.items():
            outcome = future.result()
            if isinstance(outcome, list) and len(outcome) == 1 and isinstance(outcome[0], ToolMessage):
                messages[call_id] = outcome[0]
            elif isinstance(outcome, list) or (
                isinstance(outcome, Exception) and not isinstance(outcome, GraphBubbleUp)
            ):
                with self._lock:
                    self._ready[verdict.record_id, call_id] = outcome
                    while len(self._ready) > _MOST_HELD:
                        self._ready.popitem(last=False)
        return messages
