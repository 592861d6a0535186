"""The human's turn: one interrupt, and what must be true of the answer.

Before ``interrupt()`` nothing happens that could come out differently when the node is run again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from langgraph.types import interrupt

from guardrail.engine import review_under
from guardrail.errors import ConfigError, InvalidDecision, ReviewError
from guardrail.policy import Policy, Resolution, stricter
from guardrail.review import RUNS, WAITING, Queue, call_digest, hide, raw_digest, review_id
from guardrail.types import Decision, DecisionType, Review, ToolCall, ToolSpec, Verdict
from guardrail_langgraph.answers import question, read_answer
from guardrail_langgraph.release import Answered


def ask(
    verdict: Verdict,
    tool: ToolSpec | None,
    policy: Policy,
    queue: Queue,
    *,
    record_id: str,
    by: str,
    planned: Mapping[str, Any] | None = None,
) -> list[Answered]:
    """Interrupt until a readable, permitted decision is given; an answer that is neither is asked again.

    An edit that meets a stricter rule than the call it replaces goes before a human once more. ``planned`` are the
    call's arguments as the graph's state has them, of which the verdict may show some as marks.
    """
    arguments = verdict.call.arguments if planned is None else planned
    answered: list[Answered] = []
    problem = ""
    while True:
        reply: Any = interrupt(question(verdict, record_id=record_id, problem=problem))
        review = queue.get(verdict.review_id)
        taken = None if review.state in WAITING else review.decision
        try:
            # What was decided elsewhere with something hidden comes back with marks that no answer may have.
            marked = taken is not None and bool(taken.hidden)
            decision = taken if marked and taken else read_answer(reply, verdict, tool, by=by, review=review)
        except InvalidDecision as error:
            problem = f"The last answer was not used: {error}"
            continue
        if problem := _not_here(review, decision):
            continue
        # Somebody may have decided elsewhere; that is what will run, so it is what has to be looked at.
        decision = taken or decision
        answered.append(Answered(verdict=verdict, decision=decision))
        edited = _edited(review, decision, arguments, queue)
        again = None if edited is None else _stricter(verdict, edited, arguments, tool, policy)
        if again is None or edited is None:
            return answered
        arguments = edited.arguments
        again = replace(again, hidden=edited.hidden, raw=raw_digest(review.thread_id, again.call.name, arguments))
        _reopen(verdict, again, tool, policy, queue, arguments=arguments)
        verdict = again


def _not_here(review: Review, decision: Decision) -> str:
    """Why an answer cannot decide: a run's configuration tells one name, without roles, and not who answered before."""
    if review.state not in WAITING or not (review.roles or (review.quorum > 1 and decision.type in RUNS)):
        return ""
    wanted = f"somebody with the role {' or '.join(review.roles)}" if review.roles else f"{review.quorum} people"
    return f"The last answer was not used: {wanted} must decide, in the queue (guardrail reviews approve ...)."


@dataclass(frozen=True, kw_only=True)
class _Edited:
    """The arguments that an edit lets run, and how they are written down."""

    arguments: Mapping[str, Any]
    shown: dict[str, Any]
    hidden: tuple[str, ...]


def _edited(review: Review, decision: Decision, planned: Mapping[str, Any], queue: Queue) -> _Edited | None:
    """What an edit lets run; None: it is none, or it cannot be told, and then ``settle`` refuses it and says why."""
    if decision.type is not DecisionType.EDIT or decision.arguments is None:
        return None
    try:
        arguments = queue.arguments(review, decision, planned)
        hidden, shown = decision.hidden, decision.arguments
        if not decision.hidden:  # as it was answered here, and nothing of it is written down yet
            edit = hide(review, decision.arguments)
            hidden, shown = edit.hidden, edit.arguments
    except (ReviewError, ConfigError):
        return None
    return _Edited(arguments=arguments, shown=shown, hidden=hidden)


def _stricter(
    verdict: Verdict, edited: _Edited, planned: Mapping[str, Any], tool: ToolSpec | None, policy: Policy
) -> Verdict | None:
    """The verdict under which the edit is reviewed again. Rules look at the values as they are."""
    call = ToolCall(name=verdict.call.name, arguments=edited.shown, id=verdict.call.id)
    resolution = policy.resolve(replace(call, arguments=dict(edited.arguments)), tool)
    before = replace(policy.resolve(replace(call, arguments=dict(planned)), tool), tier=verdict.tier)
    if not stricter(resolution, before):
        return None
    return replace(
        verdict,
        call=call,
        tier=resolution.tier,
        rule=resolution.rule,
        decisions=resolution.decisions,
        why=f"the edit is {resolution.tier.value} stakes by {resolution.rule}, the call it replaces was "
        f"{verdict.tier.value}{_people(resolution, before)}: a human decides on it again.",
        review_id=review_id(
            thread_id=verdict.review_id, namespace="edit", step_id="", call_id=call.id, attempt=verdict.tier.rank
        ),
    )


def _people(resolution: Resolution, before: Resolution) -> str:
    return "" if resolution.reviewers == before.reviewers else ", and other people decide on it"


def _reopen(
    verdict: Verdict,
    again: Verdict,
    tool: ToolSpec | None,
    policy: Policy,
    queue: Queue,
    *,
    arguments: Mapping[str, Any],
) -> None:
    """Queue the edited call; doing so twice changes nothing."""
    first = queue.get(verdict.review_id)
    now = datetime.now(UTC)
    call = replace(again.call, arguments=dict(arguments))
    review = Review(
        id=again.review_id,
        record_id=first.record_id,
        thread_id=first.thread_id,
        namespace=first.namespace,
        step_id=first.step_id,
        call=again.call,
        digest=call_digest(call, first.thread_id, policy.version, tool),
        tier=again.tier,
        why=again.why,
        at=now.isoformat(),
        decisions=again.decisions,
        tenant=first.tenant,
        requester=first.requester,
        raw=again.raw,
        hidden=again.hidden,
        hiding=first.hiding,
    )
    queue.open(queue.keep(review_under(review, policy.resolve(call, tool), now), arguments))
