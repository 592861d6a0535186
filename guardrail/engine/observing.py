"""Who is told of what a guard decides, and cannot change it.

A guard carries its observers in its queue, which is what every adapter hands to ``permit``: so they hear of every call
without a word of the adapter. They are told after the fact, of what is already written down, and nothing is read from
the store for them.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import OrderedDict
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol

from guardrail.review import Queue
from guardrail.review.changing import Change, Who
from guardrail.types import PlanningStep, Review, StepVerdict

if TYPE_CHECKING:
    from guardrail.engine.permits import Permit, Refusal
    from guardrail.store import Store

_LOG: Final = logging.getLogger("guardrail.observers")
_REMEMBERED: Final = 10_000


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
        """Somebody has decided: told when it was written through the guard's own queue, or where that was elsewhere,
        by a page, the API or another process, when the guard next looks at the review. Once for each process.
        """


class _Told:
    """The decisions that an observer was told of, as long as it remembers: by all guards that have this observer."""

    _known: ClassVar[dict[int, tuple[weakref.ref[Observer], _Told]]] = {}
    _lock: ClassVar[threading.Lock] = threading.Lock()

    def __init__(self) -> None:
        self._told: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._telling = threading.Lock()

    @classmethod
    def of(cls, observer: Observer) -> _Told:
        """The one of that observer. One that cannot be known weakly has one for each guard."""
        key = id(observer)
        with cls._lock:
            found = cls._known.get(key)
            if found is not None and found[0]() is observer:
                return found[1]
            made = cls()
            with suppress(TypeError):
                cls._known[key] = (weakref.ref(observer, lambda gone: cls._forget(key, gone)), made)
            return made

    @classmethod
    def _forget(cls, key: int, gone: weakref.ref[Observer]) -> None:
        found = cls._known.get(key)
        if found is not None and found[0] is gone:
            cls._known.pop(key, None)

    def is_new(self, review: Review, at: str) -> bool:
        """Whether it was not told of this decision before; now it is."""
        key = (review.id, at)
        with self._telling:
            new = key not in self._told
            self._told[key] = None
            self._told.move_to_end(key)
            while len(self._told) > _REMEMBERED:
                self._told.popitem(last=False)
        return new


class Observers:
    """All the observers of a guard. What one raises is logged by its kind, without its words, and changes nothing."""

    def __init__(self, observers: Sequence[Observer] = ()) -> None:
        self._observers = tuple((observer, _Told.of(observer)) for observer in observers)

    def decided(self, review: Review) -> None:
        """Tell of a decision those that were not told of it before, by whatever guard of this process."""
        if review.decision is not None:
            for observer, told in self._observers:
                if told.is_new(review, review.decision.at):
                    self._tell(observer, "reviewed", review)

    def tell(self, event: str, *told: Any) -> None:
        """Call that method of each."""
        for observer, _ in self._observers:
            self._tell(observer, event, *told)

    def _tell(self, observer: Observer, event: str, *told: Any) -> None:
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

    def get(self, review_id: str, *, by: Who | None = None) -> Review:
        """As ``Queue.get``."""
        return self._seen(super().get(review_id, by=by))

    def standing(self, review_id: str) -> Review:
        """As ``Queue.standing``."""
        return self._seen(super().standing(review_id))

    def _change(self, review_id: str, by: Who, change: Change) -> Review:
        return self._seen(super()._change(review_id, by, change))

    def _seen(self, review: Review) -> Review:
        self.observers.decided(review)
        return review
