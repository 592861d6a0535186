"""What a decision has to be, what it makes of a review, and the label that it leaves."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from guardrail.codec import to_json
from guardrail.errors import InvalidDecision, NotFound
from guardrail.redaction import HiddenEdit
from guardrail.review.edits import check_arguments
from guardrail.review.hidden import hide
from guardrail.review.machine import advance, noted
from guardrail.review.votes import decides, missing, same_answer, same_json, voted
from guardrail.store import Store
from guardrail.types import Decision, DecisionType, Label, LabelSource, Review, ReviewState, ToolSpec

MAX_MESSAGE: Final = 20_000
"""Characters that a message to the agent may have."""
MAX_COMMENT: Final = 5_000
"""Characters that a comment may have."""
MAX_COMMENTS: Final = 200
"""Comments that a review may have."""


def check(
    store: Store, review: Review, decision: Decision, tool: ToolSpec | None, hidden: HiddenEdit | None = None
) -> None:
    """Whether the decision can be taken on this call. ``tool`` is what an edit must fit; None: as the record has it.

    What is ``hidden`` of an edit is checked where it is known, and told in no message.

    Raises:
        InvalidDecision: no.
    """
    name = review.call.name
    if decision.type not in review.decisions:
        permitted = ", ".join(kind.value for kind in review.decisions) or "none"
        raise InvalidDecision(f"{decision.type.value} is not allowed for this call of {name}; allowed: {permitted}")
    _check_text(decision.message, "the message", MAX_MESSAGE)
    if decision.type is DecisionType.RESPOND and not decision.message.strip():
        raise InvalidDecision("a response needs a message: it is what the agent reads in the tool's place")
    if decision.fault is not None and decision.type not in (DecisionType.EDIT, DecisionType.REJECT):
        raise InvalidDecision(f"{decision.type.value} finds no fault with the call: only an edit or a reject has one")
    if (decision.arguments is not None) != (decision.type is DecisionType.EDIT):
        raise InvalidDecision("an edit needs arguments, and no other decision may have any")
    if decision.arguments is not None:
        problems = _problems(tool or _tool(store, review), decision.arguments, hidden)
        if problems:
            raise InvalidDecision(f"the edited arguments do not fit {name}: {'; '.join(problems)}")


def check_comment(review: Review, text: str) -> None:
    """Whether a comment can be kept.

    Raises:
        InvalidDecision: no.
    """
    if not text.strip():
        raise InvalidDecision("a comment needs words")
    _check_text(text, "the comment", MAX_COMMENT)
    if len(review.comments) >= MAX_COMMENTS:
        raise InvalidDecision(f"review {review.id[:12]} has {MAX_COMMENTS} comments, and takes no more")


def again(review: Review, decision: Decision) -> bool:
    """Whether this is the decision that was taken, and it still holds."""
    taken = review.decision
    if taken is None or review.state in (ReviewState.SUPERSEDED, ReviewState.EXPIRED):
        return False
    return _same(taken, decision)


def taken(review: Review, decision: Decision, now: datetime) -> Review:
    """The review with the decision; or with one more vote, where more people have to agree.

    Somebody's vote that is there already leaves the review as it is.

    Raises:
        ReviewConflict: it does not wait any more.
    """
    at, by = now.isoformat(), decision.by
    if review.quorum <= 1:
        return advance(review, ReviewState.DECIDED, at=at, by=by, note=decision.type.value, decision=decision)
    if any(_same(vote, decision) for vote in review.votes):
        return review
    votes = voted(review, decision)
    counted = noted(review, at=at, by=by, note="", votes=votes)
    if decides(counted, decision):
        return advance(
            review, ReviewState.DECIDED, at=at, by=by, note=decision.type.value, decision=decision, votes=votes
        )
    note = f"voted {decision.type.value}; {missing(counted, decision)} more of the same needed"
    if review.state is ReviewState.CLAIMED:
        return advance(review, ReviewState.PENDING, at=at, by=by, note=note, votes=votes)
    return noted(review, at=at, by=by, note=note, votes=votes)


def labelled(store: Store, review: Review) -> Review:
    """Keep what the decision says about the plan. After the decision: it must not hang on its label."""
    decision = review.decision
    if decision is None or decision.type is DecisionType.RESPOND or review.state is ReviewState.EXPIRED:
        return review
    try:
        planned = store.record(review.record_id).verdict.verdict(review.call.id)
    except NotFound:
        return review  # nothing assessed the call
    if planned is None or not same_json(to_json(planned.call), to_json(review.call)):
        return review  # it is about an edit, and says nothing about the plan
    unchanged = decision.arguments is not None and same_json(decision.arguments, review.call.arguments)
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
    store.add_label(review.record_id, label)
    return review


def check_edit(review: Review | None, tool: ToolSpec | None, arguments: dict[str, Any]) -> list[str]:
    """As ``check_arguments``, of an edit of a call of which something may be hidden: what is, is told in no phrase.

    Raises:
        InvalidDecision: a mark stands where it does not belong.
    """
    if review is None:
        return check_arguments(tool, arguments)
    return _problems(tool, arguments, hide(review, arguments))


def _problems(tool: ToolSpec | None, arguments: dict[str, Any], hidden: HiddenEdit | None) -> list[str]:
    if hidden is None or not hidden.hidden:
        return check_arguments(tool, arguments)
    problems = check_arguments(tool, hidden.arguments, hidden=hidden.hidden)
    if not problems and check_arguments(tool, arguments, hidden=hidden.kept):
        typed = ", ".join(place for place in hidden.hidden if place not in hidden.kept)
        return [f"a hidden value is not what its schema asks for ({typed})"]
    return problems


def _same(one: Decision, other: Decision) -> bool:
    """The same answer of the same person, word by word."""
    said = (one.by, one.message, one.fault)
    return said == (other.by, other.message, other.fault) and same_answer(one, other)


def _check_text(text: str, what: str, limit: int) -> None:
    if len(text) > limit:
        raise InvalidDecision(f"{what} has {len(text)} characters, the limit is {limit}")
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InvalidDecision(f"{what} holds half a character (a lone surrogate): write it anew") from error


def _tool(store: Store, review: Review) -> ToolSpec | None:
    try:
        tools = store.record(review.record_id).tools
    except NotFound:
        return None
    return next((tool for tool in tools if tool.name == review.call.name), None)
