"""Who is told of what a guard decides, and cannot change it.

A guard carries its observers in its queue, which is what every adapter hands to ``permit``: so they hear of every call
without a word of the adapter. They are told after the fact, of what is already written down, and nothing is read from
the store for them.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol

from guardrail.review import Queue
from guardrail.review.changing import Change, Who
from guardrail.types import PlanningStep, Review, StepVerdict

if TYPE_CHECKING:
    from guardrail.engine.permits import Permit, Refusal
    from guardrail.store import Store

_LOG: Final = logging.getLogger("guardrail.observers")


class Observer(Protocol):
    """Is told what was decided. Calls come from any thread, in the agent's way: one that sends something queues it.

    What it is given holds arguments and the conversation; observers of ``guardrail.telemetry`` pass none of them on.
    """

    def assessed(self, step: PlanningStep, verdict: StepVerdict, record_id: str) -> None:
        """A step was measured and its record kept; a step that is assessed again is not told again."""

    def permitted(self, record_id: str, permit: Permit) -> None:
        """A call may run, once."""

    def refused(self, record_id: str, refusal: Refusal) -> None:
        """A call that was about to run may not. ``record_id`` is as the adapter gave it, perhaps empty."""

    def reviewed(self, review: Review) -> None:
        """A decision was written through the guard's own queue; of decisions elsewhere ``permitted`` tells."""


class Observers:
    """All the observers of a guard. What one raises is logged by its kind, without its words, and changes nothing."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple(observers)

    def tell(self, event: str, *told: Any) -> None:
        """Call that method of each."""
        for observer in self._observers:
            try:
                getattr(observer, event)(*told)
            except Exception as error:  # noqa: BLE001 - nothing that an observer does may change what may run
                # the words of an exception may hold arguments
                _LOG.error("observer %s failed in %s: %s", type(observer).__name__, event, type(error).__name__)


class ObservedQueue(Queue):
    """A guard's queue, which tells its observers of decisions."""

    def __init__(self, store: Store, *, tenant: str, observers: Observers) -> None:
        super().__init__(store, tenant=tenant)
        self.observers = observers

    def _change(self, review_id: str, by: Who, change: Change) -> Review:
        before: list[Review] = []

        def seen(review: Review, *more: Any) -> Review:
            before[:] = [review]
            return change(review, *more)

        after = super()._change(review_id, by, seen)
        if before[0].decision is None and after.decision is not None:
            self.observers.tell("reviewed", after)
        return after
