"""The desk of a session, whose calls have no ids of their own: they are told by what they are and what came of them.

Its writes are short and synchronous.
"""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from guardrail import desk
from guardrail.codec import digest
from guardrail.desk import Held, Refused, WaitsForReview
from guardrail.engine import Permit
from guardrail.errors import GuardrailError, ReviewConflict
from guardrail.review import WAITING, planned_as
from guardrail.types import DecisionType, Review, ReviewState, ToolCall, ToolSpec, Verdict
from guardrail_mcp.answers import Said, facts

_STANDS: Final = frozenset({*WAITING, ReviewState.DECIDED, ReviewState.EXPIRED})
_PUT: Final = _STANDS | {ReviewState.SUPERSEDED}
_MOST: Final = 10_000


@dataclass(frozen=True, kw_only=True)
class Let:
    """A call that runs now; its use is taken."""

    permit: Permit
    planned: ToolCall
    known: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Waits:
    """A call that waits for a human."""

    review: Review
    known: dict[str, Any]


class Desk(desk.Desk):
    """The calls of one session thread."""

    def standing(self, call: ToolCall) -> tuple[ToolCall, str] | None:
        """The same call as it was put before a human and not used yet, with its record; the newest.

        One whose edit was put before people anew is found by what was planned, as the client has it.
        """
        self.queue.sweep()
        found = [
            review
            for review in self.store.reviews(states=_PUT, thread_id=self.thread_id, limit=_MOST)
            if review.tenant == self.tenant
            and planned_as(review, self.thread_id, call.name, call.arguments)
            and self._stands(review, call)
        ]
        if not found:
            return None
        newest = max(found, key=lambda review: review.at)
        return replace(call, id=newest.call.id), newest.record_id

    def may_have_run(self, call: ToolCall) -> bool:
        """Whether the same call was started without a review, and nobody knows whether it took effect."""
        known = self.store.state(self._place(call))
        return known is not None and bool(json.loads(known[1])["running"])

    def outcome(self, call: ToolCall, record_id: str, tool: ToolSpec | None) -> Let | Waits | Said:
        """What becomes of an assessed call now. ``Let``: its single use is taken by this, and it has to be run."""
        try:
            given = self.let(call, record_id=record_id, tool=tool)
        except WaitsForReview as waits:
            return Waits(review=waits.review, known=_facts(waits, record_id))
        except Refused as refused:
            return _said(refused, _facts(refused, record_id))
        except Held as held:
            return Said(text=held.text, facts=_facts(held, record_id))
        except GuardrailError as error:
            return Said(text=f"Not executed: {error}", facts=facts(None, record_id))
        return Let(permit=given, planned=call, known=facts(self._verdict(record_id, call), record_id))

    def close(self, let: Let) -> None:
        """The tool has answered."""
        with suppress(ReviewConflict):  # somebody has closed it
            self.done(let.permit)
        self._unmark(let.planned)

    def lose(self, let: Let, note: str) -> None:
        """The call was started, and nobody knows whether it took effect: a person has to find out."""
        with suppress(GuardrailError):  # it is still known to have been started
            self.unknown(let.permit, note=note)

    def decided(self, review: Review) -> bool:
        """Whether somebody has decided, or nobody can any more."""
        self.queue.sweep()
        return self.queue.standing(review.id).state not in WAITING

    def wait(self, review: Review, seconds: float) -> bool:
        """Wait at most so many seconds, and say whether it is decided."""
        mark = self.store.change_mark()
        if self.decided(review):
            return True
        self.store.wait_for_change(seconds, since=mark)
        return self.decided(review)

    def first(self, permitted: Permit, planned: ToolCall) -> bool:
        """Write down that the call runs; False where the same one does, or may have run."""
        known = self.store.state(self._place(planned))
        if known is not None and json.loads(known[1])["running"]:
            return False
        text = json.dumps({"running": True, "key": permitted.key})
        return self.store.put_state(self._place(planned), text, revision=0 if known is None else known[0])

    def _stands(self, review: Review, call: ToolCall) -> bool:
        """Whether the review is the one of the call as it was planned, and what counts for it can still be used."""
        if self.queue.standing(review.id).state not in _STANDS:
            return False
        verdict = self._verdict(review.record_id, review.call)
        return verdict is not None and planned_as(verdict, self.thread_id, call.name, call.arguments)

    def _verdict(self, record_id: str, call: ToolCall) -> Verdict | None:
        try:
            return self.store.record(record_id).verdict.verdict(call.id)
        except GuardrailError:
            return None

    def _place(self, call: ToolCall) -> str:
        return f"mcp/{digest(self.tenant, self.thread_id, call.name, call.arguments)}"

    def _unmark(self, call: ToolCall) -> None:
        known = self.store.state(self._place(call))
        if known is not None:
            self.store.put_state(self._place(call), json.dumps({"running": False}), revision=known[0])


def _facts(held: Held, record_id: str) -> dict[str, Any]:
    known = facts(held.verdict, record_id)
    return {**known, "review": held.review.id} if isinstance(held, WaitsForReview) else known


def _said(refused: Refused, known: dict[str, Any]) -> Said:
    if refused.answered is not None:
        text = f"A human answered in the tool's place, which did not run: {refused.answered}"
        return Said(text=text, error=False, facts={**known, "answered": True})
    refusal = {"refused": True} if refused.decision is DecisionType.REJECT else {}
    return Said(text=refused.text, facts={**known, **refusal})
