"""Waiting for a person in the thread of a tool, where the run cannot be interrupted."""

from __future__ import annotations

import time
from typing import Final

from guardrail.review import WAITING, Queue
from guardrail.store import Store
from guardrail.types import Review

_SLICE: Final = 1.0


def decided(store: Store, queue: Queue, review_id: str, seconds: float) -> Review | None:
    """The review once it is decided; None if it still waits after so many seconds."""
    until = time.monotonic() + seconds
    while True:
        mark = store.change_mark()
        queue.sweep()
        review = queue.standing(review_id)
        if review.state not in WAITING:
            return review
        left = until - time.monotonic()
        if left <= 0:
            return None
        store.wait_for_change(min(left, _SLICE), since=mark)
