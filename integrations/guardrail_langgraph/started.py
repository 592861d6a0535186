"""Of which planned call a tool's start is, by its id and by where it was started."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from langchain_core.runnables import RunnableConfig

from guardrail.desk.finding import Records
from guardrail.review import WAITING, planned_as
from guardrail.types import Record, ReviewState, ToolCall
from guardrail_langgraph.blocked import ToolCallBlocked
from guardrail_langgraph.configuration import can_wait, configurable, placed, running_config
from guardrail_langgraph.requests import CapturedPlan
from guardrail_langgraph.runs import Runs, ToolStart
from guardrail_langgraph.turns import Turn, Turns
from guardrail_langgraph.wiring import Wiring

_PAGE: Final = 20
_MOST: Final = 10_000
_STANDING: Final = frozenset({*WAITING, ReviewState.DECIDED})


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a tool starts. ``waits``: whether the run can be interrupted there, and resumed."""

    config: RunnableConfig
    thread_id: str
    namespace: str
    task: str
    waits: bool

    @property
    def configurable(self) -> Mapping[str, Any]:
        """Of the graph that runs."""
        return configurable(self.config)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The planned call that starts: its plan, or where that is not what counts, its record.

    ``call_id`` is the one that was planned; ``call`` may have that of an earlier one which is the same.
    """

    place: Place
    turn: Turn
    call_id: str
    call: ToolCall
    plan: CapturedPlan | None = None
    record: Record | None = None


class Finder:
    """Finds what was planned. A call without an id is one of those planned nearby, and of the same arguments."""

    def __init__(self, wiring: Wiring, runs: Runs, turns: Turns, *, tenant: str) -> None:
        self._wiring = wiring
        self._runs = runs
        self._turns = turns
        self._tenant = tenant

    def find(self, start: ToolStart) -> Found:
        """The planned call of a start.

        Raises:
            ToolCallBlocked: there is none.
        """
        place = _place(start)
        for plan, call in self._planned(start, place):
            found = self._found(place, call, plan)
            if start.call_id or found.turn.taken.isdisjoint({call.id}):
                found.turn.taken.add(call.id)
                return self._standing(start, found) or found
        if place.waits and (known := self._recorded(start, place)) is not None:
            record, call = known
            turn = self._turns.at(place.configurable, place.thread_id, place.namespace, place.task, record.step_id)
            if start.call_id or turn.taken.isdisjoint({call.id}):
                turn.taken.add(call.id)
                return Found(place=place, turn=turn, call_id=call.id, call=call, record=record)
        raise ToolCallBlocked(self._why(start))

    def _found(self, place: Place, call: ToolCall, plan: CapturedPlan) -> Found:
        origin = plan.origin
        thread_id = place.thread_id
        if not thread_id and origin is not None:
            thread_id = origin.thread_id or self._runs.conversation(origin)
        again = origin is not None and bool(place.task) and origin.task == place.task
        # a task that plans and starts tools itself plans anew when it is resumed: an answer would be of another call
        place = Place(
            config=place.config,
            thread_id=thread_id,
            namespace=place.namespace,
            task=place.task,
            waits=place.waits and not again,
        )
        key = (thread_id, place.namespace, place.task, plan.message.id or call.id)
        turn = self._turns.at(place.configurable, *key)
        return Found(place=place, turn=turn, call_id=call.id, call=call, plan=plan)

    def _standing(self, start: ToolStart, found: Found) -> Found | None:
        """Where a run cannot wait, its agent plans the call again: the one that was put before a human, until its
        decision is used. Nothing is measured twice for one decision.
        """
        place, store = found.place, self._wiring.store
        if place.waits or not place.thread_id:
            return None
        given = start.given(found.call.arguments) or {}
        reviews = [
            review
            for review in store.reviews(states=_STANDING, thread_id=place.thread_id, limit=_MOST)
            if (review.tenant, review.namespace) == (self._tenant, place.namespace)
            and planned_as(review, place.thread_id, start.name, given)
        ]
        if not reviews:
            return None
        newest = max(reviews, key=lambda review: review.at)
        record = store.record(newest.record_id)
        turn = self._turns.at(place.configurable, place.thread_id, place.namespace, place.task, record.step_id)
        call = ToolCall(name=start.name, arguments=given, id=newest.call.id)
        return Found(place=place, turn=turn, call_id=found.call_id, call=call, record=record)

    def _planned(self, start: ToolStart, place: Place) -> Iterator[tuple[CapturedPlan, ToolCall]]:
        """The plans that a start may be of, the likeliest first."""
        capture = self._wiring.capture
        if start.call_id and (message := capture.plan_of(start.call_id)) is not None:
            plan = capture.lookup(message)
            if plan is not None:
                yield from ((plan, call) for call in plan.planned.calls if call.id == start.call_id)
            return
        near = [(self._distance(start, place, plan), plan) for plan in capture.plans()]
        least = min((distance for distance, _ in near if distance is not None), default=None)
        for distance, plan in near:
            if distance is not None and distance == least:
                yield from ((plan, call) for call in plan.planned.calls if _is_of(start, call))

    def _distance(self, start: ToolStart, place: Place, plan: CapturedPlan) -> int | None:
        origin = plan.origin
        if origin is None or not plan.planned.calls:
            return None
        if place.waits and place.task:
            if (origin.thread_id, origin.namespace) != (place.thread_id, place.namespace):
                return None
            if self._runs.in_tool(start.parent_run_id) and not self._runs.in_tool(origin.parent_run_id):
                return None  # a tool that starts another one uses up no call that was planned beside it
            return 0 if origin.task == place.task else 1
        return self._runs.distance(start, origin)

    def _recorded(self, start: ToolStart, place: Place) -> tuple[Record, ToolCall] | None:
        """What an earlier process has written down of a call that is started again here."""
        thread_id, namespace, store = place.thread_id, place.namespace, self._wiring.store
        if start.call_id:
            call = ToolCall(name=start.name, arguments=dict(start.inputs or {}), id=start.call_id)
            records = Records(store=store, thread_id=thread_id, namespace=namespace, tenant=self._tenant)
            record = records.find(call)
            verdict = None if record is None else record.verdict.verdict(call.id)
            given = None if verdict is None else start.given(verdict.call.arguments)
            if record is None or given is None:
                return None
            return record, ToolCall(name=start.name, arguments=given, id=call.id)
        if self._runs.in_tool(start.parent_run_id):
            return None
        seen = {plan.message.id for plan in self._wiring.capture.plans()}
        for record in store.records(thread_id=thread_id, limit=_PAGE):
            if record.namespace != namespace or record.tenant != self._tenant:
                continue
            for one in record.verdict.verdicts if record.step_id not in seen else ():
                given = start.given(one.call.arguments)
                if given is not None and planned_as(one, thread_id, start.name, given):
                    return record, ToolCall(name=start.name, arguments=given, id=one.call.id)
            return None  # only the newest step can be under way
        return None

    def _why(self, start: ToolStart) -> str:
        if start.call_id:
            return f"Not executed: the request that planned this call of {start.name} was not seen."
        plans = self._wiring.capture.plans()
        if self._wiring.written is None and plans and not any(plan.planned.calls for plan in plans):
            return (
                f"Not executed: {start.name} was started, and the model planned no call in a form that the guard "
                "reads. An agent that writes its calls as text needs reads=, its output parser."
            )
        return f"Not executed: {start.name} was started without a planned call of these arguments."


def _place(start: ToolStart) -> Place:
    config = running_config()
    thread_id, namespace, task = placed(start.metadata)
    waits = can_wait(configurable(config))
    return Place(config=config, thread_id=thread_id, namespace=namespace, task=task, waits=waits)


def _is_of(start: ToolStart, call: ToolCall) -> bool:
    if start.call_id and call.id != start.call_id:
        return False
    same = call.name == start.name and start.given(call.arguments) == call.arguments
    return same and (bool(start.call_id) or start.inputs is None or start.inputs.keys() == call.arguments.keys())
