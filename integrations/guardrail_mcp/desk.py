"""Where calls are let through, once: records, reviews, and what was started. Its writes are short and synchronous."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from guardrail.codec import digest
from guardrail.engine import DISPATCHER, Permit, Refusal, feedback, finished, permit, started_before
from guardrail.errors import GuardrailError, ReviewConflict
from guardrail.policy import Policy, stricter
from guardrail.review import RUNS, WAITING, Queue, planned_as
from guardrail.types import (
    DecisionType,
    Principal,
    PrincipalKind,
    Review,
    ReviewState,
    Route,
    ToolCall,
    ToolSpec,
    Verdict,
)
from guardrail_mcp.answers import Said, facts

if TYPE_CHECKING:
    from guardrail.store import Store

_STANDS: Final = frozenset({*WAITING, ReviewState.DECIDED, ReviewState.EXPIRED})
_TOLD: Final = frozenset({ReviewState.DECIDED, ReviewState.EXPIRED})
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


class Desk:
    """The calls of one session thread."""

    def __init__(self, store: Store, queue: Queue, policy: Policy, *, thread_id: str, tenant: str = "") -> None:
        self.store = store
        self.queue = queue
        self.thread_id = thread_id
        self._policy = policy
        self._system = Principal(name=DISPATCHER, kind=PrincipalKind.SYSTEM, tenant=tenant)
        self._tenant = tenant

    def standing(self, call: ToolCall) -> tuple[ToolCall, str] | None:
        """The same call as it was put before a human and not used yet, with its record; the newest."""
        self.queue.sweep()
        found = [
            review
            for review in self.store.reviews(states=_STANDS, thread_id=self.thread_id, limit=_MOST)
            if review.tenant == self._tenant and planned_as(review, self.thread_id, call.name, call.arguments)
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
        verdict: Verdict | None = None
        try:
            record = self.store.record(record_id)
            verdict = record.verdict.verdict(call.id)
            known = facts(verdict, record_id)
            if verdict is None or verdict.route is Route.RETRY:
                text = "Not executed: the guard has not seen this call." if verdict is None else feedback(verdict)
                return Said(text=text, facts=known)
            if verdict.route is Route.REVIEW:
                held = self._reviewed(verdict.review_id, call, tool, known)
                if held is not None:
                    return held
            given = permit(self.store, self.queue, record_id=record_id, thread_id=self.thread_id, call=call, tool=tool)
            if isinstance(given, Refusal):
                return Said(text=given.text, facts=known)
            if given.review is None and not self._mark(call, given.key):
                return Said(text="Not executed: the same call was started elsewhere just now.", facts=known)
            return Let(permit=given, planned=call, known=known)
        except GuardrailError as error:
            return Said(text=f"Not executed: {error}", facts=facts(verdict, record_id))

    def done(self, let: Let) -> None:
        """The tool has answered."""
        with suppress(ReviewConflict):  # somebody has closed it
            finished(self.queue, let.permit)
        self._unmark(let.planned)

    def unknown(self, let: Let, note: str) -> None:
        """The call was started, and nobody knows whether it took effect: a person has to find out."""
        if let.permit.review is not None:
            with suppress(GuardrailError):  # it is still known to have been started
                self.queue.unknown(let.permit.review.id, by=self._system, note=note)

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

    def _reviewed(
        self, review_id: str, call: ToolCall, tool: ToolSpec | None, known: dict[str, Any]
    ) -> Waits | Said | None:
        self.queue.sweep()
        review = self.queue.standing(review_id)
        known = {**known, "review": review.id}
        decision = review.decision
        if review.state in WAITING:
            return Waits(review=review, known=known)
        if decision is None:
            self._told(review)
            text = "Not executed: no human decided on this call in time, which counts as a refusal."
            expired = review.state is ReviewState.EXPIRED
            return Said(text=text if expired else "Not executed: it was called off.", facts=known)
        if decision.type in RUNS:
            if (before := started_before(review)) is not None:
                return Said(text=before, facts=known)
            return self._stricter(review, call, tool, known)
        self._told(review)
        if decision.type is DecisionType.RESPOND:
            text = f"A human answered in the tool's place, which did not run: {decision.message}"
            return Said(text=text, error=False, facts={**known, "answered": True})
        text = f"Not executed: a human refused this call. {decision.message}".strip()
        return Said(text=text, facts={**known, "refused": True})

    def _stricter(self, review: Review, call: ToolCall, tool: ToolSpec | None, known: dict[str, Any]) -> Said | None:
        """An edit that meets a stricter rule than the call it replaces needs the people whom that rule names."""
        decision = review.decision
        if decision is None or decision.arguments is None:
            return None
        arguments = self.queue.arguments(review, decision, call.arguments)
        before = self._policy.resolve(call, tool)
        if not stricter(self._policy.resolve(replace(call, arguments=arguments), tool), before):
            return None
        self.queue.supersede(review.id, by=self._system, note="the edit meets a stricter rule than the call")
        text = "Not executed: a human changed this call to one of higher stakes. Make that call yourself: a human "
        return Said(text=text + "decides on it anew.", facts=known)

    def _told(self, review: Review) -> None:
        if review.state in _TOLD:
            with suppress(ReviewConflict):  # somebody else has told it
                self.queue.finish(review.id, by=self._system, note="not executed")

    def _place(self, call: ToolCall) -> str:
        return f"mcp/{digest(self._tenant, self.thread_id, call.name, call.arguments)}"

    def _mark(self, call: ToolCall, key: str) -> bool:
        known = self.store.state(self._place(call))
        if known is not None and json.loads(known[1])["running"]:
            return False
        text = json.dumps({"running": True, "key": key})
        return self.store.put_state(self._place(call), text, revision=0 if known is None else known[0])

    def _unmark(self, call: ToolCall) -> None:
        known = self.store.state(self._place(call))
        if known is not None:
            self.store.put_state(self._place(call), json.dumps({"running": False}), revision=known[0])
