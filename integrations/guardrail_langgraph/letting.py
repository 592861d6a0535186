"""A call where its tool is started: assessed with its step, held for a person, let run once, or blocked."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final
from weakref import WeakValueDictionary

from langchain_core.messages import ToolMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall
from langgraph.errors import GraphInterrupt

from guardrail.desk.finding import Records
from guardrail.engine import Permit, Refusal, feedback, finished, permit
from guardrail.errors import ReviewConflict, ReviewError
from guardrail.review import planned_as, runs_as
from guardrail.types import PlanningStep, ReviewState, Route, StepVerdict, ToolCall, Verdict
from guardrail_langgraph.blocked import ToolCallBlocked
from guardrail_langgraph.configuration import is_alone, reviewer
from guardrail_langgraph.gate import ask
from guardrail_langgraph.once import Once
from guardrail_langgraph.release import Answered, settle
from guardrail_langgraph.requests import CapturedPlan
from guardrail_langgraph.runs import Runs, ToolStart
from guardrail_langgraph.started import Finder, Found
from guardrail_langgraph.steps import planning_step
from guardrail_langgraph.turns import Turns
from guardrail_langgraph.waiting import decided
from guardrail_langgraph.wiring import Wiring

Answers = Mapping[str, list[Answered]]
_RECENT: Final = 20
_SHARED_ID: Final = "Not executed: two calls of the step share an id, so they cannot be told apart."


@dataclass(frozen=True, kw_only=True)
class Started:
    """A call that runs. ``marked``: that it has started is written down beside its review."""

    found: Found
    permit: Permit
    marked: bool


class _Lock:
    """A lock that others may know weakly."""

    def __init__(self) -> None:
        self.lock = threading.Lock()


class Letting:
    """What stands in front of a tool. Thread-safe."""

    def __init__(self, wiring: Wiring, runs: Runs, *, tenant: str, wait: float) -> None:
        self._wiring = wiring
        self._tenant = tenant
        self._wait = wait
        self._finder = Finder(wiring, runs, Turns(), tenant=tenant)
        self._once = Once(wiring.store)
        self._locks: WeakValueDictionary[str, _Lock] = WeakValueDictionary()
        self._guarding = threading.Lock()

    def find(self, start: ToolStart) -> Found:
        """The planned call that starts.

        Raises:
            ToolCallBlocked: there is none.
        """
        return self._finder.find(start)

    def verdict(self, found: Found) -> StepVerdict:
        """The verdict on the call's step, which is paid for once."""
        verdict: StepVerdict = found.turn.verdict.get(lambda: self._assessed(found))
        return verdict

    def let(self, start: ToolStart, found: Found) -> Started:
        """Take the call's single use.

        Raises:
            ToolCallBlocked: the call must not run, or not yet.
            GraphInterrupt: a person must decide, and the graph can wait.
        """
        step = self.verdict(found)
        verdict = self._of(step, start, found)
        planned = start.given(found.call.arguments) or {}
        answers = self._answers(step, found)
        if verdict.route is Route.REVIEW:
            self._settle(verdict, planned, answers, found)
        call = ToolCall(name=start.name, arguments=planned, id=verdict.call.id)
        try:
            return self._started(step, verdict, call, found)
        except ReviewError as error:
            raise ToolCallBlocked(f"Not executed: {error}") from error

    def ended(self, started: Started, note: str = "") -> None:
        """The tool has run."""
        with suppress(ReviewConflict):  # somebody has closed it
            finished(self._wiring.queue, started.permit, note=note)
        if started.marked:
            self._once.finish(started.permit.key)

    def failed(self, started: Started, error: BaseException) -> None:
        """The tool has raised: it waits itself, and is started again when that is over, or it has failed."""
        if isinstance(error, GraphInterrupt):
            self._once.leave(started.permit.key, _task(started.found))
            return
        self.ended(started, note=f"the tool raised {type(error).__name__}")
        if started.permit.review is None:
            started.found.turn.taken.discard(started.permit.call.id)
            if started.marked:  # whoever tries again what has failed may
                self._once.leave(started.permit.key, _task(started.found))

    def _assessed(self, found: Found) -> StepVerdict:
        if found.plan is None:
            if found.record is None:
                raise ToolCallBlocked("Not executed: the guard has not seen this call.")
            return found.record.verdict
        with self._guarding:
            lock = self._locks.setdefault(found.plan.message.id or found.call.id, _Lock())
        with lock.lock:
            return self._wiring.assess(self._step(found.plan, found))

    def _step(self, plan: CapturedPlan, found: Found) -> PlanningStep:
        place, wiring = found.place, self._wiring
        thread_id, namespace = place.thread_id, place.namespace
        records = Records(store=wiring.store, thread_id=thread_id, namespace=namespace, tenant=self._tenant)
        written = wiring.written is not None
        attempt = self._tried(thread_id, namespace) if written else records.attempt(_answered(plan))
        step = planning_step(
            plan.message, wiring.capture, wiring.registered, thread_id=thread_id, namespace=namespace, attempt=attempt
        )
        # where calls are text, so are the tools that are offered
        return replace(step, tools=tuple(wiring.registered.values())) if written and not step.tools else step

    def _tried(self, thread_id: str, namespace: str) -> int:
        """Earlier tries, where requests have no messages that answer calls: the step before was to be planned again."""
        for record in self._wiring.store.records(thread_id=thread_id, limit=_RECENT) if thread_id else ():
            if record.namespace == namespace and record.tenant == self._tenant:
                return record.attempt + 1 if record.verdict.route is Route.RETRY else 0
        return 0

    def _of(self, step: StepVerdict, start: ToolStart, found: Found) -> Verdict:
        """The verdict on exactly this call."""
        call_id = found.call.id
        if sum(one.call.id == call_id for one in step.verdicts) > 1:
            raise ToolCallBlocked(_SHARED_ID)
        verdict = step.verdict(call_id)
        given = None if verdict is None else start.given(verdict.call.arguments)
        if verdict is None or given is None or not planned_as(verdict, found.place.thread_id, start.name, given):
            raise ToolCallBlocked(
                f"Not executed: the call of {start.name} is not the one that was planned and assessed."
            )
        if Route.RETRY in (step.route, verdict.route):
            raise ToolCallBlocked(feedback(verdict))
        return verdict

    def _answers(self, step: StepVerdict, found: Found) -> Answers:
        """What people said of the calls that start in this task. None of them runs before all are answered: the task
        is started anew with every answer, and answers are told apart by their order alone.
        """
        if not found.place.waits:
            return {}
        asked = [one for one in step.verdicts if one.route is Route.REVIEW]
        if is_alone(found.place.config):
            asked = [one for one in asked if one.call.id == found.call.id]
        answers: Answers = found.turn.answers.get(lambda: self._ask(asked, step, found))
        return answers

    def _ask(self, asked: list[Verdict], step: StepVerdict, found: Found) -> Answers:
        wiring, by = self._wiring, reviewer(found.place.configurable)
        return {
            one.call.id: ask(
                one,
                wiring.registered.get(one.call.name),
                wiring.policy,
                wiring.queue,
                record_id=step.record_id,
                by=by,
                coming=[later.review_id for later in asked[index + 1 :]],
            )
            for index, one in enumerate(asked)
        }

    def _settle(self, verdict: Verdict, planned: dict[str, Any], answers: Answers, found: Found) -> None:
        """Write the decision down.

        Raises:
            ToolCallBlocked: it does not let the call run.
        """
        wiring, answered = self._wiring, answers.get(verdict.call.id, [])
        if self._left(verdict, found) is not None:
            return
        if not found.place.waits:
            review = decided(wiring.store, wiring.queue, verdict.review_id, self._wait)
            if review is None or review.decision is None:
                raise ToolCallBlocked(_waits(verdict, found), review_id=verdict.review_id)
            answered = [Answered(verdict=verdict, decision=review.decision)]
        call = MessageToolCall(name=verdict.call.name, args=planned, id=verdict.call.id, type="tool_call")
        tool = wiring.registered.get(verdict.call.name)
        try:
            result = settle(call, answered, wiring.queue, by=reviewer(found.place.configurable), tool=tool)
        except ReviewError as error:
            raise ToolCallBlocked(f"Not executed: {error}") from error
        if isinstance(result, ToolMessage):
            raise ToolCallBlocked(str(result.content))

    def _started(self, step: StepVerdict, verdict: Verdict, call: ToolCall, found: Found) -> Started:
        if (again := self._left(verdict, found)) is not None and self._once.go_on(again.key, _task(found)):
            return Started(found=found, permit=again, marked=False)
        wiring, thread_id = self._wiring, found.place.thread_id
        tool = wiring.registered.get(call.name)
        given = permit(wiring.store, wiring.queue, record_id=step.record_id, thread_id=thread_id, call=call, tool=tool)
        if isinstance(given, Refusal):
            raise ToolCallBlocked(given.text)
        # what a task of its own starts anew after a crash, it starts with the same key; anything else runs once
        marked = given.review is None and not (
            found.place.waits and found.record is None and is_alone(found.place.config)
        )
        if marked and not (self._once.begin(given.key) or self._once.go_on(given.key, _task(found))):
            raise ToolCallBlocked(self._once.told(given.key) or "Not executed.")
        return Started(found=found, permit=given, marked=marked)

    def _left(self, verdict: Verdict, found: Found) -> Permit | None:
        """The permit of an approved call that this task has left because its tool itself waited for somebody."""
        if verdict.route is not Route.REVIEW or not self._once.left(verdict.review_id, _task(found)):
            return None
        with suppress(ReviewError):
            review = self._wiring.queue.standing(verdict.review_id)
            if review.state is ReviewState.EXECUTING and review.decision is not None:
                call = ToolCall(name=verdict.call.name, arguments=found.call.arguments, id=verdict.call.id)
                if runs_as(review, review.decision, call.name, call.arguments):
                    return Permit(key=review.id, call=call, review=review)
        return None


def _task(found: Found) -> str:
    """What goes on with a call that was left."""
    return found.place.task or found.place.thread_id or "run"


def _answered(plan: CapturedPlan) -> set[str]:
    """The calls that the newest messages of a request answer."""
    answered: set[str] = set()
    for message in reversed(plan.request.messages):
        if not isinstance(message, ToolMessage):
            break
        answered.add(message.tool_call_id)
    return answered


def _waits(verdict: Verdict, found: Found) -> str:
    why = (
        "the task that starts it would plan anew when it is resumed"
        if found.place.task and found.place.configurable.get("__pregel_checkpointer")
        else "the run has no checkpointer to wait with"
    )
    return f"Not executed: this call must wait for a human (review {verdict.review_id[:12]}), but {why}."
