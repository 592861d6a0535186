"""Calls that were answered without their tool: nobody has to decide on them any more."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from typing import Final

from guardrail.desk.desk import Desk
from guardrail.engine import DISPATCHER
from guardrail.errors import ReviewConflict
from guardrail.review import WAITING
from guardrail.types import Route

_RECENT: Final = 20


def follow(desk: Desk, answered: Collection[str]) -> int:
    """The ``attempt`` of the step whose request answers these calls (ids), as ``Desk.attempt``; and reviews of them
    that still wait are called off.

    A framework answers a call by itself that no tool takes, and one that waits where somebody speaks in between.
    """
    if not answered:
        return 0
    for record in desk.store.records(thread_id=desk.thread_id, limit=_RECENT):
        if (record.namespace, record.tenant) != (desk.namespace, desk.tenant):
            continue
        waits = record.verdict.route is not Route.RETRY
        for verdict in record.verdict.verdicts:
            if waits and verdict.route is Route.REVIEW and verdict.call.id in answered:
                review = desk.queue.standing(verdict.review_id)
                if review.state in WAITING:
                    with suppress(ReviewConflict):  # decided at this moment; it has been answered all the same
                        desk.queue.supersede(review.id, by=DISPATCHER, note="answered without the tool")
        break
    return desk.attempt(answered)
