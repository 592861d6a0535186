"""The approval queue: who decided what, and that a decision is used once.

Every change is a compare-and-set on the review's revision. One that lost a race is tried again on what is
there now, and the state machine then says whether it may still happen.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from guardrail.codec import canonical, from_json, to_json
from guardrail.errors import ConfigError, InvalidDecision, NotFound, ReviewConflict, ReviewError, StoreError
from guardrail.review.edits import check_arguments
from guardrail.review.machine import WAITING, advance, allowed, describe
from guardrail.store import Store
from guardrail.types import Decision, DecisionType, Fault, Label, LabelSource, Review, ReviewState, ToolSpec

MAX_MESSAGE = 20_000
"""Characters that a message to the agent may have."""
_RACES = 20


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)


class Queue:
    """The reviews of a store. ``clock`` gives the present moment, aware of its zone.

    Ids that a person types may be shortened (``get``, ``decide`` and its kin); those that let a call run may not.
    """

    def __init__(self, store: Store, *, clock: Callable[[], datetime] = utc_now) -> None:
        self._store = store
        self._clock = clock

    def get(self, review_id: str) -> Review:
        """The review of that id.

        Raises:
            NotFound: there is none, or several ids begin so.
        """
        return self._store.review(review_id)

    def waiting(self, *, thread_id: str | None = None, limit: int = 1000) -> list[Review]:
        """The reviews that nobody has decided, oldest first."""
        return self.in_states(WAITING, thread_id=thread_id, limit=limit)

    def in_states(
        self, states: frozenset[ReviewState], *, thread_id: str | None = None, limit: int = 1000
    ) -> list[Review]:
        """The reviews that stand in one of the states, oldest first."""
        return self._store.reviews(states=states, thread_id=thread_id, limit=limit)

    def standing(self, review_id: str) -> Review:
        """The review that counts for a call: this one, or the last of those opened after it for the same call."""
        review = self._store.review(review_id)
        if not review.record_id:
            return review
        same_record = self._store.reviews(record_id=review.record_id, limit=1000)
        return [one for one in same_record if one.call.id == review.call.id][-1]

    def open(self, review: Review) -> Review:
        """Put a call before a human. The review that is already there, if one is, stays as it is.

        Raises:
            ReviewConflict: the one that is there is about another call.
            ReviewError: what a person would be shown is not what would run.
        """
        if not _survives(review):
            raise ReviewError(
                f"the call of {review.call.name} cannot be put before a human, its arguments are no JSON: do not run it"
            )
        kept = self._store.add_review(review)
        if not _same(to_json(kept.call), to_json(review.call)):
            raise ReviewConflict(
                f"{describe(kept)}, and it is about other arguments: have the agent plan the call again"
            )
        return kept

    def approve(self, review_id: str, *, by: str) -> Review:
        """Let the call run as planned. See ``decide``."""
        return self._decide_now(review_id, DecisionType.APPROVE, by=by)

    def edit(self, review_id: str, *, by: str, arguments: dict[str, Any], fault: Fault | None = None) -> Review:
        """Let the call run with these arguments in place of the planned ones. See ``decide``."""
        return self._decide_now(review_id, DecisionType.EDIT, by=by, arguments=arguments, fault=fault)

    def reject(self, review_id: str, *, by: str, message: str = "", fault: Fault | None = None) -> Review:
        """Do not let the call run; the message tells the agent why, ``fault`` the calibration. See ``decide``."""
        return self._decide_now(review_id, DecisionType.REJECT, by=by, message=message, fault=fault)

    def respond(self, review_id: str, *, by: str, message: str) -> Review:
        """Answer the agent in the tool's place. See ``decide``."""
        return self._decide_now(review_id, DecisionType.RESPOND, by=by, message=message)

    def decide(self, review_id: str, decision: Decision, tool: ToolSpec | None = None) -> Review:
        """Write a decision, if nobody did before, and keep it as a label of the call's record.

        The same decision of the same person again (a second click) changes nothing. ``tool`` is the schema that
        an edit must fit; without it, the one that the model was offered, from the record.

        Raises:
            InvalidDecision: not allowed for this call, incomplete, or an edit that does not fit the tool.
            ReviewConflict: decided otherwise, or no longer asked; the message says who and when.
        """
        for _ in range(_RACES):
            review = self._store.review(review_id)
            if _again(review, decision):
                return self._labelled(review)
            decided = advance(
                review, ReviewState.DECIDED, at=self._at(), by=decision.by, note=decision.type.value, decision=decision
            )
            self._check(review, decision, tool)
            if self._store.compare_and_set(decided):
                return self._labelled(decided)
        raise _contended(review_id)

    def begin(self, review_id: str, *, digest: str, by: str) -> Review:
        """Take the one use of an approval, right before the tool is started. Whoever gets no exception runs it.

        Raises:
            ReviewConflict: not approved, already used, called off, or the call is not the one that was approved.
        """

        def check(review: Review) -> None:
            if allowed(review, ReviewState.EXECUTING) and digest != review.digest:
                raise ReviewConflict(
                    f"{describe(review)}, but the call changed since: it may not run on that approval; "
                    "have the agent plan it again"
                )

        return self._move(review_id, ReviewState.EXECUTING, by=by, check=check)

    def finish(self, review_id: str, *, by: str, note: str = "") -> Review:
        """The tool has run, or will not because a human refused.

        Raises:
            ReviewConflict: it is neither executing nor refused.
        """
        return self._move(review_id, ReviewState.DONE, by=by, note=note)

    def unknown(self, review_id: str, *, by: str, note: str = "") -> Review:
        """The tool was started, and nobody can tell whether it ran: for a human who has looked.

        Raises:
            ReviewConflict: it is not executing.
        """
        return self._move(review_id, ReviewState.OUTCOME_UNKNOWN, by=by, note=note)

    def supersede(self, review_id: str, *, by: str, note: str) -> Review:
        """Nobody asks for this decision any more; doing so twice does no harm.

        Raises:
            ReviewConflict: the call runs, has run, or is closed.
        """
        review = self._exactly(review_id)
        if review.state is ReviewState.SUPERSEDED:
            return review
        return self._move(review_id, ReviewState.SUPERSEDED, by=by, note=note)

    def _move(
        self,
        review_id: str,
        to: ReviewState,
        *,
        by: str,
        note: str = "",
        check: Callable[[Review], None] = lambda _: None,
    ) -> Review:
        for _ in range(_RACES):
            review = self._exactly(review_id)
            check(review)
            moved = advance(review, to, at=self._at(), by=by, note=note)
            if self._store.compare_and_set(moved):
                return moved
        raise _contended(review_id)

    def _decide_now(
        self,
        review_id: str,
        kind: DecisionType,
        *,
        by: str,
        arguments: dict[str, Any] | None = None,
        message: str = "",
        fault: Fault | None = None,
    ) -> Review:
        decision = Decision(type=kind, by=by, at=self._at(), arguments=arguments, message=message, fault=fault)
        return self.decide(review_id, decision)

    def _check(self, review: Review, decision: Decision, tool: ToolSpec | None) -> None:
        name = review.call.name
        if decision.type not in review.decisions:
            permitted = ", ".join(kind.value for kind in review.decisions) or "none"
            raise InvalidDecision(f"{decision.type.value} is not allowed for this call of {name}; allowed: {permitted}")
        if not decision.by.strip():
            raise InvalidDecision("a decision needs the name of who takes it")
        if len(decision.message) > MAX_MESSAGE:
            raise InvalidDecision(f"the message has {len(decision.message)} characters, the limit is {MAX_MESSAGE}")
        if decision.type is DecisionType.RESPOND and not decision.message.strip():
            raise InvalidDecision("a response needs a message: it is what the agent reads in the tool's place")
        if decision.fault is not None and decision.type not in (DecisionType.EDIT, DecisionType.REJECT):
            raise InvalidDecision(
                f"{decision.type.value} finds no fault with the call: only an edit or a reject has one"
            )
        if (decision.arguments is not None) != (decision.type is DecisionType.EDIT):
            raise InvalidDecision("an edit needs arguments, and no other decision may have any")
        if decision.arguments is not None:
            problems = check_arguments(tool or self._tool(review), decision.arguments)
            if problems:
                raise InvalidDecision(f"the edited arguments do not fit {name}: {'; '.join(problems)}")

    def _tool(self, review: Review) -> ToolSpec | None:
        try:
            tools = self._store.record(review.record_id).tools
        except NotFound:
            return None
        return next((tool for tool in tools if tool.name == review.call.name), None)

    def _labelled(self, review: Review) -> Review:
        """Keep what the decision says about the plan. After the decision: it must not hang on its label."""
        decision = review.decision
        if decision is None or decision.type is DecisionType.RESPOND:
            return review
        try:
            planned = self._store.record(review.record_id).verdict.verdict(review.call.id)
        except NotFound:
            return review  # nothing assessed the call
        if planned is None or not _same(to_json(planned.call), to_json(review.call)):
            return review  # it is about an edit, and says nothing about the plan
        unchanged = decision.arguments is not None and _same(decision.arguments, review.call.arguments)
        correct = decision.type is DecisionType.APPROVE or unchanged
        label = Label(
            call_id=review.call.id,
            correct=correct,
            source=LabelSource.REVIEW,
            by=decision.by,
            at=decision.at,
            note=decision.type.value,
            fault=None if correct else decision.fault,
        )
        self._store.add_label(review.record_id, label)
        return review

    def _exactly(self, review_id: str) -> Review:
        review = self._store.review(review_id)
        if review.id != review_id:
            raise NotFound(f"there is no review {review_id!r}: a whole id is needed here")
        return review

    def _at(self) -> str:
        return self._clock().isoformat()


def _again(review: Review, decision: Decision) -> bool:
    """Whether this is the decision that was taken, and it still holds."""
    taken = review.decision
    if taken is None or review.state is ReviewState.SUPERSEDED:
        return False
    said = (decision.type, decision.by, decision.message, decision.fault)
    return said == (taken.type, taken.by, taken.message, taken.fault) and _same(decision.arguments, taken.arguments)


def _same(one: object, other: object) -> bool:
    """Equal as JSON: true is not 1, and 1 is not 1.0. What is no JSON equals nothing."""
    try:
        return canonical(one) == canonical(other)
    except (ValueError, TypeError, RecursionError):
        return False


def _survives(review: Review) -> bool:
    """Whether the review can be kept as JSON and comes back as it was."""
    try:
        return from_json(Review, to_json(review)) == review
    except (ConfigError, ValueError, TypeError, RecursionError):
        return False


def _contended(review_id: str) -> StoreError:
    return StoreError(f"review {review_id[:12]} kept changing while it was written: try again")
