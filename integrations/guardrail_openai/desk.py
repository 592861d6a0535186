"""Where calls are let through: the record of a call is found, and what its verdict and review say is obeyed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from guardrail.engine import DISPATCHER, AsyncGuard, Guard, Permit, Refusal, feedback, finished, permit, started_before
from guardrail.errors import ReviewConflict, ReviewError, StoreError
from guardrail.policy import stricter
from guardrail.review import DEADLINE, RUNS, WAITING, planned_as
from guardrail.types import DecisionType, Record, Review, ReviewState, Route, ToolSpec, Verdict
from guardrail_openai.held import Held, PlanAgain, Refused, WaitsForReview
from guardrail_openai.raw_calls import RawCall

if TYPE_CHECKING:
    from guardrail.store import Store

_PAGE: Final = 50
_MOST: Final = 1000
_RECENT: Final = 20
_TOLD: Final = frozenset({ReviewState.DECIDED, ReviewState.EXPIRED})
_NOT_SEEN: Final = "Not executed: the guard has not seen this call."
_USED: Final = "Not executed again: this call was started before. What it gave is not known here; look at what it did."


class Desk:
    """The calls of one thread, let through or held. ``wakes``: whether waiting is awaited."""

    def __init__(
        self,
        guard: Guard | AsyncGuard,
        *,
        thread_id: str,
        namespace: str = "",
        tenant: str = "",
        wakes: bool = False,
    ) -> None:
        self.store: Store = guard.store
        self.queue = guard.queue
        self._policy = guard.policy
        self.thread_id = thread_id
        self.namespace = namespace
        self._tenant = tenant
        self._wakes = wakes

    def attempt(self, answered: set[str]) -> int:
        """How often a step was sent back before, by the calls that its request answers."""
        if not answered:
            return 0
        for record in self._records(_RECENT):
            if answered & {call.id for call in record.planned.calls}:
                return record.attempt + 1 if record.verdict.route is Route.RETRY else 0
        return 0

    def find(self, raw: RawCall) -> Record | None:
        """The newest record of exactly this call, else the newest that has a call of its id."""
        named: Record | None = None
        for record in self._records(_MOST):
            verdict = record.verdict.verdict(raw.call.id)
            if verdict is None:
                continue
            if planned_as(verdict, self.thread_id, raw.call.name, raw.call.arguments):
                return record
            named = named or record
        return named

    def step(self, step_id: str, calls: list[RawCall]) -> Record | None:
        """The newest record of a step with exactly these calls."""
        for record in self._records(_MOST):
            if record.step_id == step_id and len(record.verdict.verdicts) == len(calls):
                pairs = zip(record.verdict.verdicts, calls, strict=True)
                if all(planned_as(one, self.thread_id, raw.call.name, raw.call.arguments) for one, raw in pairs):
                    return record
        return None

    def let(self, raw: RawCall, *, record_id: str = "", tool: ToolSpec | None = None) -> Permit:
        """The permit of a call, whose single use is taken by this; whoever gets it runs the call.

        Raises:
            PlanAgain, WaitsForReview, Refused: it may not run, or not yet.
            ConfigError: the key to what a reviewer typed is not there; the approval is not used up.
        """
        verdict: Verdict | None = None
        try:
            record = self.store.record(record_id) if record_id else self.find(raw)
            if record is None or (verdict := record.verdict.verdict(raw.call.id)) is None:
                raise Refused(_NOT_SEEN, raw)
            self._check(record, verdict, raw)
            given = permit(
                self.store,
                self.queue,
                record_id=record.id,
                thread_id=self.thread_id,
                call=raw.call,
                tool=tool,
            )
            if isinstance(given, Refusal):
                raise Refused(given.text, raw, verdict)
            if given.review is None and not self._first(given.key):
                raise Refused(_USED, raw, verdict)
        except (ReviewError, StoreError) as error:
            raise Refused(f"Not executed: {error}", raw, verdict) from error
        if raw.kind == "mcp_approval_request" and given.call.arguments != raw.call.arguments:
            self.done(given, note="the API cannot change the arguments of this call")
            raise Refused("Not executed: its arguments were edited, and this API cannot change them.", raw, verdict)
        return given

    def look(self, raw: RawCall) -> Record:
        """The record of a call that may run, of which nothing is used up by looking.

        Raises:
            PlanAgain, WaitsForReview, Refused: it may not run, or not yet.
        """
        try:
            record = self.find(raw)
            verdict = None if record is None else record.verdict.verdict(raw.call.id)
            if record is None or verdict is None:
                raise Refused(_NOT_SEEN, raw)
            self._check(record, verdict, raw)
        except (ReviewError, StoreError) as error:
            raise Refused(f"Not executed: {error}", raw) from error
        return record

    def done(self, permitted: Permit, *, note: str = "") -> None:
        """The tool has run, or raised."""
        finished(self.queue, permitted, note=note)

    def review_of(self, raw: RawCall) -> Review | None:
        """The review that counts for a call, brought up to date; None where none was asked for."""
        record = self.find(raw)
        verdict = None if record is None else record.verdict.verdict(raw.call.id)
        if record is None or verdict is None or verdict.route is not Route.REVIEW:
            return None
        if record.verdict.route is Route.RETRY:
            return None
        self.queue.sweep()
        return self.queue.standing(verdict.review_id)

    def _check(self, record: Record, verdict: Verdict, raw: RawCall) -> None:
        """What the engine's permit says in one word is told apart here; it decides all the same."""
        if not raw.readable:
            raise Refused("Not executed: the arguments are not readable JSON.", raw, verdict)
        if not planned_as(verdict, self.thread_id, raw.call.name, raw.call.arguments):
            raise Refused("Not executed: the call changed after it was assessed.", raw, verdict)
        if Route.RETRY in (record.verdict.route, verdict.route):
            raise PlanAgain(feedback(verdict), raw, verdict)
        if verdict.route is Route.REVIEW:
            self._check_review(record, verdict, raw)

    def _check_review(self, record: Record, verdict: Verdict, raw: RawCall) -> None:
        self.queue.sweep()
        review = self.queue.standing(verdict.review_id)
        if review.state in WAITING:
            raise self._waits(review, raw, verdict)
        decision = review.decision
        if decision is None or decision.type in RUNS:
            if (before := started_before(review)) is not None:
                raise Refused(before, raw, verdict)
            if decision is not None and decision.type is DecisionType.EDIT:
                self._check_edit(record, review, raw, verdict)
            return
        self._told(review)
        if decision.type is DecisionType.RESPOND:
            raise Refused(decision.message, raw, verdict, answered=decision.message)
        if decision.by == DEADLINE:
            raise Refused(f"Not executed: {decision.message}", raw, verdict)
        raise Refused(f"Not executed: rejected by a human. {decision.message}".strip(), raw, verdict)

    def _check_edit(self, record: Record, review: Review, raw: RawCall, verdict: Verdict) -> None:
        """An edit under a stricter rule than the call it replaces was not approved by those whom that rule asks for."""
        if review.state is not ReviewState.DECIDED or review.decision is None:
            return
        edited = self.queue.arguments(review, review.decision, raw.call.arguments)
        tool = next((one for one in record.tools if one.name == raw.call.name), None)
        after = self._policy.resolve(replace(raw.call, arguments=edited), tool)
        if stricter(after, replace(self._policy.resolve(raw.call, tool), tier=verdict.tier)):
            note = f"the edit falls under a stricter rule ({after.rule})"
            self.queue.supersede(review.id, by=DISPATCHER, note=note)
            raise Refused(
                f"Not executed: {note}: plan the call that is wanted, so that it is decided on.", raw, verdict
            )

    def _waits(self, review: Review, raw: RawCall, verdict: Verdict) -> Held:
        said = f"Not executed yet: a human has to decide on this call (review {review.id[:12]})."
        return WaitsForReview(
            said, raw, verdict, review_id=review.id, store=self.store, queue=self.queue, wakes=self._wakes
        )

    def _told(self, review: Review) -> None:
        """The agent knows that it was refused."""
        if review.state in _TOLD:
            try:
                self.queue.finish(review.id, by=DISPATCHER, note="not executed")
            except ReviewConflict:
                return  # somebody else has told it

    def _first(self, key: str) -> bool:
        """Take the single use of a call that needed nobody's approval."""
        return self.store.put_state(f"ran/{key}", datetime.now(UTC).isoformat(), revision=0)

    def _records(self, most: int) -> Iterator[Record]:
        """The thread's records, newest first."""
        before: str | None = None
        for _ in range(0, most, _PAGE):
            page = self.store.records(thread_id=self.thread_id, limit=min(_PAGE, most), before=before)
            for record in page:
                if record.namespace == self.namespace and record.tenant == self._tenant:
                    yield record
            if len(page) < _PAGE:
                return
            before = page[-1].id
