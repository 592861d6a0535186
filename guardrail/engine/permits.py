"""Whether a call may run, decided in one place for every adapter, right where its tool would be started.

Only what the store permits runs: a call with a recorded verdict that lets it, or one that a person let run, once. Calls
are told by their digest: stored ones hold marks in place of what is hidden.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from guardrail.codec import digest
from guardrail.engine.observing import ObservedQueue
from guardrail.errors import ReviewError, StoreError
from guardrail.review import RUNS, Queue, check_arguments, planned_as, raw_digest, runs_as
from guardrail.types import Record, Review, ReviewState, Route, ToolCall, ToolSpec

if TYPE_CHECKING:
    from guardrail.store import Store

DISPATCHER: Final = "dispatch"
"""Who takes the use of an approval, in the review's history."""
_STARTED: Final = frozenset({ReviewState.EXECUTING, ReviewState.OUTCOME_UNKNOWN})
_MOST: Final = 1000
_NOT_APPROVED: Final = "the call is not the one that was approved."


@dataclass(frozen=True, kw_only=True)
class Permit:
    """That a call may run, now and once: exactly ``call``, which is the edit where a person changed it.

    ``key`` is its idempotency key. ``review`` is the one whose single use was taken, if it needed one; else ``use`` is
    the state under which its use is still to be taken in the store, and which goes with its record.
    """

    key: str
    call: ToolCall
    review: Review | None = None
    use: str = ""


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """That a call may not run, and why, in words for the agent."""

    why: str

    @property
    def text(self) -> str:
        """The whole sentence."""
        return self.why if self.why.startswith("Not executed") else f"Not executed: {self.why}"


def permit(
    store: Store,
    queue: Queue,
    *,
    record_id: str,
    thread_id: str,
    call: ToolCall,
    by: str = DISPATCHER,
    tool: ToolSpec | None = None,
) -> Permit | Refusal:
    """Let a call run, or refuse it. A reviewed call's approval is used up by this: whoever gets the permit runs it.

    ``call`` is the one that was planned, or already the edit of it, with the values as they are. ``tool`` has the
    schema that an edit with hidden values must fit as a whole; by default the one that the model was offered.

    Raises:
        ConfigError: the key to what a reviewer typed is not there; the approval is not used up.
    """
    given: Permit | Refusal
    try:
        given = _Asked(store=store, queue=queue, call=call, by=by, tool=tool).decided(record_id, thread_id)
    except (ReviewError, StoreError) as error:
        given = Refusal(why=str(error))
    if isinstance(queue, ObservedQueue):
        queue.observers.tell("permitted" if isinstance(given, Permit) else "refused", record_id, given)
    return given


def finished(queue: Queue, permitted: Permit, *, by: str = DISPATCHER, note: str = "") -> None:
    """Write down that the tool has run."""
    if permitted.review is not None:
        queue.finish(permitted.review.id, by=by, note=note)


def bound(queue: Queue, review: Review, arguments: Mapping[str, Any], *, by: str, tool: ToolSpec | None) -> Review:
    """The review, its decision bound to exactly these arguments where it is an edit with hidden values.

    Raises:
        ReviewError: with the hidden values in it, the edit does not fit the tool; it can not be used any more.
    """
    decision = review.decision
    if decision is None or decision.arguments is None or not (review.hidden or decision.hidden):
        return review
    if tool is not None and check_arguments(tool, dict(arguments)):
        note = "the edit does not fit the tool, with the hidden values in it"
        queue.supersede(review.id, by=by, note=note)
        raise ReviewError(f"{note}: have the agent plan the call again")
    return queue.bind(review.id, runs=raw_digest(review.thread_id, review.call.name, arguments), by=by)


def started_before(review: Review) -> str | None:
    """What an agent must know of a call that was started before a crash, which it must not take for one not run."""
    if review.state in _STARTED:
        return (
            "Not executed again: this call was started before its process ended, and it is not known whether it took "
            "effect. A person has to find out; do not plan it again."
        )
    if review.state is ReviewState.DONE and review.decision is not None and review.decision.type in RUNS:
        return "Not executed again: this call has run, once. What it gave is not known here; look at what it did."
    return None


@dataclass(frozen=True, kw_only=True)
class _Asked:
    """A call that is about to run."""

    store: Store
    queue: Queue
    call: ToolCall
    by: str
    tool: ToolSpec | None

    def decided(self, record_id: str, thread_id: str) -> Permit | Refusal:
        if not record_id:
            return Refusal(why="the guard has not seen this call.")
        record, call = self.store.record(record_id), self.call
        verdict = record.verdict.verdict(call.id)
        if record.id != record_id or verdict is None or record.thread_id != thread_id:
            return Refusal(why="the guard's record does not cover this call.")
        if verdict.route is Route.EXECUTE and record.verdict.route is not Route.RETRY:
            if planned_as(verdict, thread_id, call.name, call.arguments):
                key = digest("run", record.id, verdict.call.id)
                return Permit(key=key, call=call, use=f"ran/{record.id}/{key}")
            return Refusal(why="the call changed after it was assessed.")
        if verdict.route is not Route.REVIEW:
            return Refusal(why="the step is planned again.")
        return self._used(self.queue.standing(verdict.review_id), record)

    def _used(self, review: Review, record: Record) -> Permit | Refusal:
        """Take the single use of an approval, if it is one of exactly this call."""
        decision, call = review.decision, self.call
        if decision is None:
            if not planned_as(review, review.thread_id, call.name, call.arguments):
                return Refusal(why=_NOT_APPROVED)
        elif not runs_as(review, decision, call.name, call.arguments):
            arguments = self._edited(review) if started_before(review) is None else None
            if arguments is None:
                return Refusal(why=_NOT_APPROVED)
            review = bound(self.queue, review, arguments, by=self.by, tool=self.tool or _tool(record, call.name))
            call = replace(call, arguments=arguments)
        if (before := started_before(review)) is not None:
            return Refusal(why=before)
        begun = self.queue.begin(review.id, digest=review.digest, by=self.by)
        return Permit(key=review.id, call=call, review=begun)

    def _edited(self, standing: Review) -> dict[str, Any] | None:
        """What the edits of a planned call come to, one after the other, and the last was decided on where it stands;
        None: it is not the planned call.
        """
        known = self.store.reviews(record_id=standing.record_id, limit=_MOST) if standing.record_id else [standing]
        arguments: dict[str, Any] | None = None
        last = ""
        for review in known:
            if review.call.id != self.call.id or review.tenant != standing.tenant or review.decision is None:
                continue
            planned = self.call.arguments if arguments is None else arguments
            if planned_as(review, review.thread_id, self.call.name, planned):
                arguments, last = self.queue.arguments(review, review.decision, planned), review.id
        return arguments if last == standing.id else None


def _tool(record: Record, name: str) -> ToolSpec | None:
    return next((tool for tool in record.tools if tool.name == name), None)
