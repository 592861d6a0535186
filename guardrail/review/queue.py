"""The approval queue: who may decide what, until when, and that a decision is used once.

Every change is a compare-and-set on the review's revision. One that lost a race is tried again on what is
there now, and the rules then say whether it may still happen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from guardrail.codec import from_text, to_json, to_text
from guardrail.errors import ConfigError, GuardrailError, NotFound, NotPermitted, ReviewConflict, ReviewError
from guardrail.policy import Floods
from guardrail.redaction import masked_text
from guardrail.review import deadlines, decisions, hidden, leases, people
from guardrail.review.batches import Outcome, check_batch
from guardrail.review.changing import Who
from guardrail.review.floods import admit
from guardrail.review.machine import advance, allowed, describe, noted
from guardrail.review.running import Running
from guardrail.review.votes import same_json
from guardrail.types import (
    Comment,
    Decision,
    DecisionType,
    Fault,
    Principal,
    PrincipalKind,
    Review,
    ReviewState,
    ToolCall,
    ToolSpec,
)


class Queue(Running):
    """The reviews of one tenant of a store; with ``tenant`` None of all, which is for the worker and for sweeping.

    ``clock`` gives the present moment, aware of its zone. Reviews of another tenant are not there, and neither are they
    for a ``Principal`` of another one. ``by`` is who acts: a ``Principal``, or the name of a person at this machine,
    who has no roles. Ids that a person types may be shortened (``get``, ``decide`` and its kin); those that let a call
    run may not.
    """

    def open(self, review: Review, *, floods: Floods | None = None) -> Review:
        """Put a call before a human. See ``open_all``."""
        return self.open_all([review], floods=floods)[0]

    def open_all(self, reviews: Sequence[Review], *, floods: Floods | None = None) -> list[Review]:
        """Put the calls of a step before humans. A review that is already there stays as it is.

        Raises:
            ReviewConflict: the one that is there is about another call.
            TooManyReviews: new ones are over the requester's limits; none of them was opened.
            ReviewError: what a person would be shown is not what would run, or a deadline is no time.
        """
        for review in reviews:
            self._check_new(review)
        if floods is not None and floods.any:
            new = [review for review in reviews if not self._known(review)]
            if new:
                admit(self._store, new, floods, self._clock())
        return [self._opened(review) for review in reviews]

    def claim(self, review_id: str, *, by: Who, lease: float = leases.LEASE, override: bool = False) -> Review:
        """Take a review to look at it, for ``lease`` seconds, in which nobody else decides on it.

        ``override`` takes it from somebody else, which the role ``reviews:override`` may.

        Raises:
            ReviewConflict: somebody else holds it (who, until when), or it does not wait any more.
            NotPermitted: who may not decide on it may not claim it.
        """

        def change(review: Review, who: Principal, now: datetime) -> Review:
            people.check_reviewer(who, review, "claim it")
            self._check_waiting(review, ReviewState.CLAIMED, now)
            leases.check_free(review, who, now, override=override)
            return leases.claimed(review, who, now, lease)

        return self._change(review_id, by, change)

    def renew(self, review_id: str, *, by: Who, lease: float = leases.LEASE) -> Review:
        """Prolong one's own claim, also one that ran out if nobody took it.

        Raises:
            ReviewConflict: it is not claimed by this one, or does not wait any more.
        """

        def change(review: Review, who: Principal, now: datetime) -> Review:
            self._check_waiting(review, ReviewState.CLAIMED, now)
            leases.check_own(review, who)
            renewed = leases.claimed(review, who, now, lease)
            return replace(renewed, history=review.history)  # a page that stays open must not fill it

        return self._change(review_id, by, change)

    def release(self, review_id: str, *, by: Who, override: bool = False) -> Review:
        """Give a claim back; the review is pending again. One that nobody holds stays as it is.

        Raises:
            ReviewConflict: somebody else holds it, or it does not wait any more.
        """

        def change(review: Review, who: Principal, now: datetime) -> Review:
            people.check_person(who, "release claims")
            if review.state is ReviewState.PENDING:
                return review
            self._check_waiting(review, ReviewState.PENDING, now)
            leases.check_free(review, who, now, override=override)
            return advance(review, ReviewState.PENDING, at=now.isoformat(), by=who.name, note="released")

        return self._change(review_id, by, change)

    def comment(self, review_id: str, *, by: Who, text: str) -> Review:
        """Write something beside a review, whatever its state. It decides nothing, and the agent does not read it.

        Raises:
            InvalidDecision: it is empty or too long, or there are too many.
            NotPermitted: not a person, or credentials without the scope.
        """

        def change(review: Review, who: Principal, now: datetime) -> Review:
            people.check_person(who, "comment")
            decisions.check_comment(review, text)
            comment = Comment(at=now.isoformat(), by=who.name, text=masked_text(text))
            return noted(review, at=comment.at, by=who.name, note="commented", comments=(*review.comments, comment))

        return self._change(review_id, by, change)

    def approve(self, review_id: str, *, by: Who, seen_digest: str | None = None, override: bool = False) -> Review:
        """Let the call run as planned. See ``decide``."""
        return self._decide_now(review_id, by, DecisionType.APPROVE, seen_digest=seen_digest, override=override)

    def edit(
        self,
        review_id: str,
        *,
        by: Who,
        arguments: dict[str, Any],
        fault: Fault | None = None,
        seen_digest: str | None = None,
        override: bool = False,
    ) -> Review:
        """Let the call run with these arguments in place of the planned ones. See ``decide``."""
        return self._decide_now(
            review_id,
            by,
            DecisionType.EDIT,
            arguments=arguments,
            fault=fault,
            seen_digest=seen_digest,
            override=override,
        )

    def reject(
        self,
        review_id: str,
        *,
        by: Who,
        message: str = "",
        fault: Fault | None = None,
        seen_digest: str | None = None,
        override: bool = False,
    ) -> Review:
        """Do not let the call run; the message tells the agent why, ``fault`` the calibration. See ``decide``."""
        return self._decide_now(
            review_id,
            by,
            DecisionType.REJECT,
            message=message,
            fault=fault,
            seen_digest=seen_digest,
            override=override,
        )

    def respond(
        self, review_id: str, *, by: Who, message: str, seen_digest: str | None = None, override: bool = False
    ) -> Review:
        """Answer the agent in the tool's place. See ``decide``."""
        return self._decide_now(
            review_id, by, DecisionType.RESPOND, message=message, seen_digest=seen_digest, override=override
        )

    def decide(
        self,
        review_id: str,
        decision: Decision,
        tool: ToolSpec | None = None,
        *,
        by: Who | None = None,
        seen_digest: str | None = None,
        override: bool = False,
        held: bool = False,
    ) -> Review:
        """Write a decision, if nobody did before, and keep it as a label of the call's record.

        Where a quorum is asked for, an approval or edit is a vote, and the review waits on (``pending``) until so many
        different people voted for the same; whoever votes again changes the vote. One reject or response ends it.
        The same decision of the same person again (a second click) changes nothing. ``by`` stands in for the
        decision's own name and time. ``tool`` is the schema that an edit must fit; without it, the one that the model
        was offered, from the record. ``seen_digest`` is that of the review as it was shown. Marks of hidden values that
        an edit leaves as they were shown keep the planned values. What it has instead that may not be written down is
        sealed, unless it is ``held`` by the caller, who runs the call.

        Raises:
            InvalidDecision: not allowed for this call, incomplete, an edit that does not fit the tool, or one with a
                hidden value that nobody could keep.
            NotPermitted: an agent, the requester, or somebody without the role or scope.
            ReviewConflict: decided otherwise, out of time, no longer asked, claimed by somebody else, or not what was
                shown; the message says who and when.
        """
        if isinstance(by, Principal):
            decision = replace(decision, by=by.name, at=self._clock().isoformat())
        given = decision
        if (decision.hidden, decision.typed, decision.runs) != ((), "", ""):
            given = replace(decision, hidden=(), typed="", runs="")

        def change(review: Review, who: Principal, now: datetime) -> Review:
            written, edit = hidden.written(review, given)
            if decisions.again(review, written):
                return review
            people.check_reviewer(who, review, "decide")
            self._check_waiting(review, ReviewState.DECIDED, now)
            if seen_digest is not None and seen_digest != review.digest:
                raise ReviewConflict(f"{describe(review)}, and it is not the call that was shown: look at it again")
            leases.check_free(review, who, now, override=override)
            decisions.check(self._store, review, given, tool, edit)
            if edit is not None and edit.typed and not held:
                hidden.seal_edit(self._store, review, given, edit, now.isoformat())
            return decisions.taken(review, written, now)

        return decisions.labelled(self._store, self._change(review_id, by or decision.by, change))

    def decide_all(
        self,
        review_ids: Sequence[str],
        decision: Decision,
        *,
        by: Who | None = None,
        seen_digests: Mapping[str, str] | None = None,
    ) -> list[Outcome]:
        """Decide alike on equal low-tier calls, each by its own compare-and-set.

        Returns:
            What became of each, in the order given: the review, or why it could not be decided.

        Raises:
            InvalidDecision: they are not equal (tool and canonical arguments), not all of the low tier, too many, or
                the decision is an edit; none of them was decided.
            NotFound: one of them is not there; none was decided.
        """
        who = by or decision.by
        found = [self._visible(review_id, who) for review_id in review_ids]
        check_batch(found, decision)
        seen = seen_digests or {}
        return [self._outcome(review, decision, by, seen.get(review.id, review.digest)) for review in found]

    def begin(self, review_id: str, *, digest: str, by: Who) -> Review:
        """Take the one use of an approval, right before the tool is started. Whoever gets no exception runs it.

        Raises:
            ReviewConflict: not approved, already used, called off, given too long ago, or the call is not the one that
                was approved.
        """
        review = self._exactly(review_id, by)
        if until := deadlines.stale(review, self._clock()):
            self.supersede(review.id, by=deadlines.DEADLINE, note=f"the approval was not used before {until}")
            raise ReviewConflict(
                f"{describe(review)}, and that had to be used before {until}: it may not run on it any more; have the "
                "agent plan the call again"
            )
        return self._move(review_id, ReviewState.EXECUTING, by=by, digest=digest)

    def finish(self, review_id: str, *, by: Who, note: str = "") -> Review:
        """The tool has run, or will not because a human refused or nobody decided, and the agent knows.

        Raises:
            ReviewConflict: it is neither executing nor refused.
        """
        return self._move(review_id, ReviewState.DONE, by=by, note=note)

    def unknown(self, review_id: str, *, by: Who, note: str = "") -> Review:
        """The tool was started, and nobody can tell whether it ran: for a human who has looked.

        Raises:
            ReviewConflict: it is not executing.
            NotPermitted: an agent cannot tell.
        """
        if isinstance(by, Principal) and by.kind is PrincipalKind.AGENT:
            raise NotPermitted(f"{by.name} is an agent: a person has to find out whether the call took effect")
        return self._move(review_id, ReviewState.OUTCOME_UNKNOWN, by=by, note=note)

    def supersede(self, review_id: str, *, by: Who, note: str) -> Review:
        """Nobody asks for this decision any more; doing so twice does no harm.

        Raises:
            ReviewConflict: the call runs, has run, or is closed.
        """

        def change(review: Review, who: Principal, now: datetime) -> Review:
            if review.state is ReviewState.SUPERSEDED:
                return review
            return advance(review, ReviewState.SUPERSEDED, at=now.isoformat(), by=who.name, note=note)

        return self._change(self._exactly(review_id, by).id, by, change)

    def _move(self, review_id: str, to: ReviewState, *, by: Who, note: str = "", digest: str | None = None) -> Review:
        """Go on with a call after the decision; where a digest is given, only if the review is about it."""

        def change(review: Review, who: Principal, now: datetime) -> Review:
            if digest not in (None, review.digest) and allowed(review, to):
                raise ReviewConflict(
                    f"{describe(review)}, but the call changed since: it may not run on that approval; "
                    "have the agent plan it again"
                )
            return advance(review, to, at=now.isoformat(), by=who.name, note=masked_text(note))

        return self._change(self._exactly(review_id, by).id, by, change)

    def _decide_now(self, review_id: str, by: Who, kind: DecisionType, **said: Any) -> Review:
        checks = {name: said.pop(name) for name in ("seen_digest", "override")}
        name = by.name if isinstance(by, Principal) else by
        decision = Decision(type=kind, by=name, at=self._clock().isoformat(), **said)
        return self.decide(review_id, decision, by=by, **checks)

    def _outcome(self, review: Review, decision: Decision, by: Who | None, seen: str) -> Outcome:
        try:
            return Outcome(review_id=review.id, review=self.decide(review.id, decision, by=by, seen_digest=seen))
        except GuardrailError as error:
            return Outcome(review_id=review.id, error=error)

    def _check_new(self, review: Review) -> None:
        name = review.call.name
        if not _survives(review):
            raise ReviewError(
                f"the call of {name} cannot be put before a human, its arguments are no JSON: do not run it"
            )
        if self._tenant not in (None, review.tenant):
            raise ReviewError(f"the call of {name} belongs to another tenant than this queue: do not run it")
        told = (review.state, review.decision, review.votes, review.claim, review.history, review.revision)
        if review.quorum < 1 or told != (ReviewState.PENDING, None, (), None, (), 0):
            raise ReviewError(f"the review of {name} is not a new one: open it pending, and let people decide")
        deadlines.moment(review.due)
        deadlines.moment(review.escalate_at)

    def _known(self, review: Review) -> bool:
        try:
            return self._store.review(review.id).id == review.id
        except NotFound:
            return False

    def _opened(self, review: Review) -> Review:
        kept = self._store.add_review(review)
        if kept.tenant != review.tenant:
            raise ReviewConflict(
                f"the call of {review.call.name} has the id of another one: have the agent plan it again"
            )
        if kept.raw not in ("", review.raw) or not _same_call(kept.call, review.call):
            raise ReviewConflict(
                f"{describe(kept)}, and it is about other arguments: have the agent plan the call again"
            )
        return kept


def _same_call(one: ToolCall, other: ToolCall) -> bool:
    """Equal as JSON, which equal texts tell at once."""
    return to_text(one) == to_text(other) or same_json(to_json(one), to_json(other))


def _survives(review: Review) -> bool:
    """Whether the review can be kept as JSON and comes back as it was."""
    try:
        return from_text(Review, to_text(review)) == review
    except (ConfigError, ValueError, TypeError, RecursionError):
        return False
