"""A person's edit that falls under a stricter rule than the call it replaces: it is put before people once more.

It was not approved by those whom that rule asks for. Graphs that interrupt and desks that are asked share this.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from guardrail.engine import review_under
from guardrail.errors import ConfigError, ReviewError
from guardrail.policy import Policy, Resolution, stricter
from guardrail.review import Queue, call_digest, hide, planned_as, raw_digest, review_id
from guardrail.types import Decision, DecisionType, Review, ReviewState, ToolCall, ToolSpec

if TYPE_CHECKING:
    from guardrail.store import Store

_MOST: Final = 1000


@dataclass(frozen=True, kw_only=True)
class Edited:
    """The arguments that an edit lets run, and as they are written down: ``shown``, with marks at ``hidden`` places."""

    arguments: dict[str, Any]
    shown: dict[str, Any]
    hidden: tuple[str, ...]


def edit_of(review: Review, decision: Decision, planned: Mapping[str, Any], queue: Queue) -> Edited | None:
    """What an edit of a review's call lets run; None: it is none, or it cannot be told what was approved.

    ``planned`` are the arguments that were put before the human, with the values as they are.
    """
    if decision.type is not DecisionType.EDIT or decision.arguments is None:
        return None
    try:
        arguments = queue.arguments(review, decision, planned)
        hidden, shown = decision.hidden, decision.arguments
        if not decision.hidden:  # as it was answered, and nothing of it may be written down yet
            edit = hide(review, decision.arguments)
            hidden, shown = edit.hidden, edit.arguments
    except (ReviewError, ConfigError):
        return None
    return Edited(arguments=arguments, shown=shown, hidden=hidden)


def review_of_edit(
    review: Review, edited: Edited, planned: Mapping[str, Any], *, policy: Policy, tool: ToolSpec | None
) -> Review | None:
    """The review that an edit needs, to be opened; None where the edit falls under no stricter rule than the call.

    Its id follows from that of ``review``, so that it is one and the same however often it is asked for. Rules look at
    the values as they are.
    """
    shown = replace(review.call, arguments=edited.shown)
    call = replace(shown, arguments=edited.arguments)
    resolution = policy.resolve(call, tool)
    before = replace(policy.resolve(replace(shown, arguments=dict(planned)), tool), tier=review.tier)
    if not stricter(resolution, before):
        return None
    now = datetime.now(UTC)
    new = Review(
        id=review_id(thread_id=review.id, namespace="edit", step_id="", call_id=shown.id, attempt=review.tier.rank),
        record_id=review.record_id,
        thread_id=review.thread_id,
        namespace=review.namespace,
        step_id=review.step_id,
        call=shown,
        digest=call_digest(call, review.thread_id, policy.version, tool),
        tier=resolution.tier,
        why=f"the edit is {resolution.tier.value} stakes by {resolution.rule}, the call it replaces was "
        f"{review.tier.value}{_people(resolution, before)}: a human decides on it again.",
        at=now.isoformat(),
        decisions=resolution.decisions,
        tenant=review.tenant,
        requester=review.requester,
        raw=raw_digest(review.thread_id, shown.name, edited.arguments),
        hidden=edited.hidden,
        hiding=review.hiding,
    )
    return review_under(new, resolution, now)


def superseded_by(review_id: str) -> str:
    """The note in the history of the review whose edit goes on as the one of that id."""
    return f"the edit is reviewed as {review_id[:12]}"


def put_again(
    review: Review, call: ToolCall, *, store: Store, queue: Queue, policy: Policy, tool: ToolSpec | None, by: str
) -> Review | None:
    """Put the edit that a review came to before people anew, where a stricter rule asks for that; else None.

    The compare-and-set of ``review`` to superseded, with the note that names the new one, decides; only then the new
    one is opened. Whoever finds it superseded so, and no new one, opens it: a crash in between loses nothing, and of
    the two only one can ever let the call run.

    Raises:
        ReviewConflict: the call runs, or has run.
    """
    decision = review.decision
    if decision is None or review.state not in (ReviewState.DECIDED, ReviewState.SUPERSEDED):
        return None
    planned = _put_before(review, call, store, queue)
    edited = edit_of(review, decision, planned, queue)
    new = None if edited is None else review_of_edit(review, edited, planned, policy=policy, tool=tool)
    if new is None or edited is None:
        return None
    note = superseded_by(new.id)
    if review.state is ReviewState.DECIDED:
        review = queue.supersede(review.id, by=by, note=note)
    if not any(event.note == note for event in review.history):  # it was called off for another reason
        return None
    return queue.open(queue.keep(new, edited.arguments))


def _put_before(review: Review, call: ToolCall, store: Store, queue: Queue) -> dict[str, Any]:
    """The arguments that a review is about, as they are: the planned ones, with the edits of the reviews before it."""
    arguments = call.arguments
    for one in store.reviews(record_id=review.record_id, limit=_MOST) if review.record_id else ():
        if one.id == review.id:
            break
        if one.call.id != call.id or one.tenant != review.tenant or one.decision is None:
            continue
        if planned_as(one, one.thread_id, call.name, arguments):
            arguments = queue.arguments(one, one.decision, arguments)
    return arguments


def _people(resolution: Resolution, before: Resolution) -> str:
    return "" if resolution.reviewers == before.reviewers else ", and other people decide on it"
