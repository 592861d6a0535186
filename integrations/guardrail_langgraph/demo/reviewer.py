"""Who answers when a call waits for a human: the viewer, the queue, or nobody."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from langgraph.types import Interrupt
from rich.padding import Padding

from guardrail.cli.render import call_block
from guardrail.cli.safe_text import plain
from guardrail.codec import from_json
from guardrail.review import Queue
from guardrail.types import DecisionType, ReviewState, Verdict
from guardrail_langgraph.answers import as_answer
from guardrail_langgraph.demo.view import INDENT, View

_KEYS = {"a": DecisionType.APPROVE, "e": DecisionType.EDIT, "r": DecisionType.REJECT, "s": DecisionType.RESPOND}
_OPEN = frozenset({ReviewState.PENDING, ReviewState.CLAIMED})


class Reviewer(Protocol):
    """Answers interrupts."""

    def __call__(self, waiting: Sequence[Interrupt], view: View) -> Mapping[str, Any]:
        """Answers by interrupt id, for as many of the waiting ones as there are decisions."""


def verdict_of(interrupt: Interrupt) -> Verdict:
    """The verdict on the call that an interrupt of the guard is about."""
    return from_json(Verdict, interrupt.value["guard"]["verdict"])


def nobody(waiting: Sequence[Interrupt], view: View) -> Mapping[str, Any]:
    """Leaves every review pending."""
    del waiting, view
    return {}


class Asked:
    """Asks the viewer. ``read`` shows a prompt and returns a line; at the end of input the review stays pending."""

    def __init__(self, read: Callable[[str], str]) -> None:
        self._read = read

    def __call__(self, waiting: Sequence[Interrupt], view: View) -> Mapping[str, Any]:
        answers: dict[str, Any] = {}
        for interrupt in waiting:
            problem = interrupt.value["guard"].get("problem")
            if problem:
                view.note(plain(problem))
            try:
                decision = self._decide(verdict_of(interrupt), view)
            except EOFError:
                decision = None
            if decision is not None:
                answers[interrupt.id] = {"decisions": [decision]}
        return answers

    def _decide(self, verdict: Verdict, view: View) -> dict[str, Any] | None:
        keys = {key: kind for key, kind in _KEYS.items() if kind in verdict.decisions}
        view.console.print(Padding(call_block(verdict.call, full=True), (0, 0, 0, INDENT)))
        choices = ", ".join(f"[{key}] {kind.value}" for key, kind in keys.items())
        while True:
            given = self._read(f"{plain(verdict.call.name)}: {choices}, [l] leave it pending > ").strip().lower()
            if given == "l":
                return None
            kind = keys.get(given)
            if kind is None:
                view.note("Nothing was decided: type one of the letters.")
                continue
            decision = self._details(kind, verdict, view)
            if decision is not None:
                return decision

    def _details(self, kind: DecisionType, verdict: Verdict, view: View) -> dict[str, Any] | None:
        if kind is DecisionType.APPROVE:
            return {"type": "approve"}
        if kind is DecisionType.REJECT:
            return {"type": "reject", "message": self._read("why (the agent is told; may be empty) > ").strip()}
        if kind is DecisionType.RESPOND:
            message = self._read("answer to the agent, in the tool's place > ").strip()
            if not message:
                view.note("Nothing was decided: the answer was empty.")
                return None
            return {"type": "respond", "message": message}
        try:
            arguments = json.loads(self._read("all arguments, as JSON > "))
        except ValueError as error:
            view.note(f"Nothing was decided: that is not JSON ({error}).")
            return None
        return {"type": "edit", "edited_action": {"name": verdict.call.name, "args": arguments}}


class Queued:
    """Waits until every review is decided elsewhere: ``guardrail reviews approve ID`` in another terminal."""

    def __init__(self, queue: Queue, *, every: float = 0.5, sleep: Callable[[float], None] = time.sleep) -> None:
        self._queue = queue
        self._every = every
        self._sleep = sleep

    def __call__(self, waiting: Sequence[Interrupt], view: View) -> Mapping[str, Any]:
        reviews = {interrupt.id: verdict_of(interrupt).review_id for interrupt in waiting}
        for review_id in reviews.values():
            view.note(f"waiting for a decision; in another terminal: {view.command} reviews approve {review_id[:12]}")
        while any(self._queue.get(review_id).state in _OPEN for review_id in reviews.values()):
            self._sleep(self._every)
        answers: dict[str, Any] = {}
        for interrupt_id, review_id in reviews.items():
            review = self._queue.get(review_id)
            if review.decision is not None:
                view.note(f"{review.decision.type.value} by {plain(review.decision.by)}")
                answers[interrupt_id] = as_answer(review.decision, review.call.name)
        return answers
