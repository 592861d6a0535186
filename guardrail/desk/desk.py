"""Where calls are let through: the record of a call is found, and what its verdict and review say is obeyed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from guardrail.desk.edits import put_again
from guardrail.desk.finding import Records
from guardrail.desk.held import Held, Kinds, Planned
from guardrail.engine import DISPATCHER, AsyncGuard, Guard, Permit, Refusal, feedback, finished, permit, started_before
from guardrail.errors import ReviewConflict, ReviewError, StoreError
from guardrail.review import DEADLINE, RUNS, WAITING, planned_as
from guardrail.types import (
    DecisionType,
    Principal,
    PrincipalKind,
    Record,
    Review,
    ReviewState,
    Route,
    ToolCall,
    ToolSpec,
    Verdict,
)

if TYPE_CHECKING:
    from guardrail.store import Store

_TOLD: Final = frozenset({ReviewState.DECIDED, ReviewState.EXPIRED})
_NOT_SEEN: Final = "Not executed: the guard has not seen this call."
_USED: Final = "Not executed again: this call was started before. What it gave is not known here; look at what it did."


class Desk:
    """The calls of one conversation, let through or held. Its writes are short and synchronous: asynchronous adapters
    call it in a thread.

    Calls are handed in as ``ToolCall`` with their values as they are, or as ``Planned`` where there is more to say.

    Args:
        guard: which assessed them.
        thread_id: which conversation this is.
        namespace: where in the conversation, if several agents share it.
        tenant: the guard's.
        wakes: whether ``WaitsForReview.wait`` is awaited.
        kinds: the exceptions to raise.
    """

    def __init__(
        self,
        guard: Guard | AsyncGuard,
        *,
        thread_id: str,
        namespace: str = "",
        tenant: str = "",
        wakes: bool = False,
        kinds: Kinds | None = None,
    ) -> None:
        self.store: Store = guard.store
        self.queue = guard.queue
        self.policy = guard.policy
        self.thread_id = thread_id
        self.namespace = namespace
        self.tenant = tenant
        self.kinds = kinds or Kinds()
        self._wakes = wakes
        self._records = Records(store=guard.store, thread_id=thread_id, namespace=namespace, tenant=tenant)

    def attempt(self, answered: Collection[str]) -> int:
        """The ``attempt`` of a step whose request answers these calls (ids): how often it was sent back before."""
        return self._records.attempt(answered)

    def find(self, call: ToolCall) -> Record | None:
        """The newest record of exactly this call, else the newest that has a call of its id."""
        return self._records.find(call)

    def step(self, step_id: str, calls: Sequence[ToolCall]) -> Record | None:
        """The newest record of a step with exactly these calls."""
        return self._records.step(step_id, calls)

    def let(self, call: ToolCall | Planned, *, record_id: str = "", tool: ToolSpec | None = None) -> Permit:
        """The permit of a call, whose single use is taken by this; whoever gets it runs ``permit.call``, and says so.

        Args:
            call: as it was planned.
            record_id: of which record it is; by default the newest of exactly this call.
            tool: has the schema that an edit with hidden values must fit; by default the one that the model was
                offered.

        Raises:
            PlanAgain, WaitsForReview, Refused: it may not run, or not yet.
            ConfigError: the key to what a reviewer typed is not there; the approval is not used up.
        """
        planned = Planned.plain(call)
        verdict: Verdict | None = None
        try:
            record = self.store.record(record_id) if record_id else self.find(planned.call)
            if record is None or (verdict := record.verdict.verdict(planned.call.id)) is None:
                raise self.kinds.refused(_NOT_SEEN, planned)
            self._check(record, verdict, planned, tool)
            given = permit(
                self.store,
                self.queue,
                record_id=record.id,
                thread_id=self.thread_id,
                call=planned.call,
                tool=tool,
            )
            if isinstance(given, Refusal):
                raise self.kinds.refused(given.text, planned, verdict)
            if given.review is None and not self.first(given, planned.call):
                raise self.kinds.refused(_USED, planned, verdict)
        except (ReviewError, StoreError) as error:
            raise self.kinds.refused(f"Not executed: {error}", planned, verdict) from error
        if planned.fixed and given.call.arguments != planned.call.arguments:
            self.done(given, note="the arguments of this call cannot be changed")
            text = "Not executed: its arguments were edited, and this API cannot change them."
            raise self.kinds.refused(text, planned, verdict)
        return given

    def look(self, call: ToolCall | Planned, *, record_id: str = "") -> Record:
        """The record of a call that may run, of which nothing is used up by looking.

        Raises:
            PlanAgain, WaitsForReview, Refused: it may not run, or not yet.
        """
        planned = Planned.plain(call)
        try:
            record = self.store.record(record_id) if record_id else self.find(planned.call)
            verdict = None if record is None else record.verdict.verdict(planned.call.id)
            if record is None or verdict is None:
                raise self.kinds.refused(_NOT_SEEN, planned)
            self._check(record, verdict, planned, None)
        except (ReviewError, StoreError) as error:
            raise self.kinds.refused(f"Not executed: {error}", planned) from error
        return record

    def done(self, permitted: Permit, *, note: str = "") -> None:
        """The tool has run, or raised."""
        finished(self.queue, permitted, note=note)

    def unknown(self, permitted: Permit, *, note: str = "") -> None:
        """The tool was started, and nobody knows whether it took effect: a person has to find out."""
        if permitted.review is not None:
            by = Principal(name=DISPATCHER, kind=PrincipalKind.SYSTEM, tenant=self.tenant)
            self.queue.unknown(permitted.review.id, by=by, note=note)

    def review_of(self, call: ToolCall) -> Review | None:
        """The review that counts for a call, brought up to date; None where none was asked for."""
        record = self.find(call)
        verdict = None if record is None else record.verdict.verdict(call.id)
        if record is None or verdict is None or verdict.route is not Route.REVIEW:
            return None
        if record.verdict.route is Route.RETRY:
            return None
        self.queue.sweep()
        return self.queue.standing(verdict.review_id)

    def first(self, permitted: Permit, planned: ToolCall) -> bool:  # noqa: ARG002 - for those who tell calls otherwise
        """Take the single use of a call that needed nobody's approval; False where it was taken before."""
        return self.store.put_state(permitted.use, datetime.now(UTC).isoformat(), revision=0)

    def _check(self, record: Record, verdict: Verdict, planned: Planned, tool: ToolSpec | None) -> None:
        """What the engine's permit says in one word is told apart here; it decides all the same."""
        call = planned.call
        if not planned.readable:
            raise self.kinds.refused("Not executed: the arguments are not readable JSON.", planned, verdict)
        if not planned_as(verdict, self.thread_id, call.name, call.arguments):
            raise self.kinds.refused("Not executed: the call changed after it was assessed.", planned, verdict)
        if Route.RETRY in (record.verdict.route, verdict.route):
            raise self.kinds.plan_again(feedback(verdict), planned, verdict)
        if verdict.route is Route.REVIEW:
            self._check_review(record, verdict, planned, tool)

    def _check_review(self, record: Record, verdict: Verdict, planned: Planned, tool: ToolSpec | None) -> None:
        self.queue.sweep()
        review = self.queue.standing(verdict.review_id)
        if review.state in WAITING:
            raise self._waits(review, planned, verdict)
        decision = review.decision
        if decision is None or decision.type in RUNS:
            if (before := started_before(review)) is not None:
                raise self.kinds.refused(before, planned, verdict)
            tool = tool or next((one for one in record.tools if one.name == planned.call.name), None)
            if (again := self._again(review, planned.call, tool)) is not None:
                raise self._waits(again, planned, verdict)
            return
        self._told(review)
        if decision.type is DecisionType.RESPOND:
            said, answered = decision.message, decision.message
        else:
            answered = None
            said = f"Not executed: rejected by a human. {decision.message}".strip()
            if decision.by == DEADLINE:
                said = f"Not executed: {decision.message}"
        raise self.kinds.refused(said, planned, verdict, decision=decision.type, answered=answered)

    def _again(self, review: Review, call: ToolCall, tool: ToolSpec | None) -> Review | None:
        """The review of an edit that was not approved by those whom its own rule asks for."""
        return put_again(review, call, store=self.store, queue=self.queue, policy=self.policy, tool=tool, by=DISPATCHER)

    def _waits(self, review: Review, planned: Planned, verdict: Verdict) -> Held:
        said = f"Not executed yet: a human has to decide on this call (review {review.id[:12]})."
        return self.kinds.waits(
            said, planned, verdict, review=review, store=self.store, queue=self.queue, wakes=self._wakes
        )

    def _told(self, review: Review) -> None:
        """The agent knows that it was refused."""
        if review.state in _TOLD:
            with suppress(ReviewConflict):  # somebody else has told it
                self.queue.finish(review.id, by=DISPATCHER, note="not executed")
