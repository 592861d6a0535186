"""Why a call does not run, as exceptions: whoever runs the agent's loop tells the model their words, or waits."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from guardrail.errors import CallBlocked
from guardrail.review import WAITING, Queue
from guardrail.types import DecisionType, Review, ToolCall, Verdict

if TYPE_CHECKING:
    from guardrail.store import Store

_SLICE_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True)
class Planned:
    """A call as an adapter hands it in, its values as they are.

    ``readable``: whether its arguments could be read; a call of which they could not never runs. ``fixed``: whether its
    arguments cannot be changed any more, so that a person's edit of them cannot run. An adapter that answers in shapes
    of its API makes a subclass with what it needs for that; ``Held.planned`` gives it back.
    """

    call: ToolCall
    readable: bool = True
    fixed: bool = False

    @classmethod
    def plain(cls, given: ToolCall | Planned) -> Planned:
        """The call with nothing more to say of it, where it is only that."""
        return cls(call=given) if isinstance(given, ToolCall) else given


class Held(CallBlocked):
    """A call that may not run now.

    ``text`` is for the model, ``verdict`` what was decided, where anything was, ``planned`` what was handed in.
    """

    def __init__(self, text: str, planned: Planned, verdict: Verdict | None = None) -> None:
        super().__init__(text)
        self.text = text
        self.planned = planned
        self.verdict = verdict

    @property
    def call(self) -> ToolCall:
        """The call, with its values as they are."""
        return self.planned.call


class PlanAgain(Held):
    """The model was not sure: none of the step's calls may run, and the model plans it again."""


class Refused(Held):
    """The call does not run: a person rejected or answered it, or it cannot be told what was approved.

    ``decision`` is what a person, or the end of their time, decided, None where it was refused for another reason.
    ``answered`` is what a person said in the tool's place, None where nobody did.
    """

    def __init__(
        self,
        text: str,
        planned: Planned,
        verdict: Verdict | None = None,
        *,
        decision: DecisionType | None = None,
        answered: str | None = None,
    ) -> None:
        super().__init__(text, planned, verdict)
        self.decision = decision
        self.answered = answered


class WaitsForReview(Held):
    """A person has to decide. Once ``review`` is decided, asking again says what it came to; nothing is lost before."""

    def __init__(
        self, text: str, planned: Planned, verdict: Verdict, *, review: Review, store: Store, queue: Queue, wakes: bool
    ) -> None:
        super().__init__(text, planned, verdict)
        self.review = review
        self._store = store
        self._queue = queue
        self._wakes = wakes

    @property
    def review_id(self) -> str:
        """The review's id."""
        return self.review.id

    def wait(self, timeout: float) -> Any:
        """Wait at most so many seconds for a decision, or for the end of its time, and say whether it came.

        Of an asynchronous adapter it is awaited.
        """
        return self.await_decision(timeout) if self._wakes else self.wait_for_decision(timeout)

    def wait_for_decision(self, timeout: float) -> bool:
        """``wait``, synchronously."""
        until = time.monotonic() + timeout
        while True:
            mark = self._store.change_mark()
            if self.decided():
                return True
            left = until - time.monotonic()
            if left <= 0:
                return False
            # a deadline may pass without any change
            self._store.wait_for_change(min(left, _SLICE_SECONDS), since=mark)

    async def await_decision(self, timeout: float) -> bool:  # noqa: ASYNC109 - as the synchronous form
        """``wait``, asynchronously: threads are held for a second at most, so it can be cancelled."""
        until = time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            if await asyncio.to_thread(self.wait_for_decision, max(0.0, min(left, _SLICE_SECONDS))):
                return True
            if left <= 0:
                return False

    def decided(self) -> bool:
        """Whether a person has decided, or nobody can any more."""
        self._queue.sweep()
        return self._queue.standing(self.review.id).state not in WAITING


@dataclass(frozen=True, kw_only=True)
class Kinds:
    """The exceptions that a desk raises: subclasses, where an adapter's have more to say than words."""

    plan_again: type[PlanAgain] = PlanAgain
    refused: type[Refused] = Refused
    waits: type[WaitsForReview] = WaitsForReview
