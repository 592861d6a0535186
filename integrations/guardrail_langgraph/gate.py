"""The human's turn: one interrupt, and what must be true of the answer.

Before ``interrupt()`` nothing happens that could come out differently when the node is run again.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from langgraph.types import interrupt

from guardrail.engine import review_under
from guardrail.errors import InvalidDecision
from guardrail.policy import Policy, Resolution, stricter
from guardrail.review import RUNS, WAITING, Queue, call_digest, review_id
from guardrail.types import Decision, DecisionType, Review, ToolCall, ToolSpec, Verdict
from guardrail_langgraph.answers import question, read_answer
from guardrail_langgraph.release import Answered


def ask(
    verdict: Verdict, tool: ToolSpec | None, policy: Policy, queue: Queue, *, record_id: str, by: str
) -> list[Answered]:
    """Interrupt until a readable, permitted decision is given; an answer that is neither is asked again.

    An edit that meets a stricter rule than the call it replaces goes before a human once more.
    """
    answered: list[Answered] = []
    problem = ""
    while True:
        reply: Any = interrupt(question(verdict, record_id=record_id, problem=problem))
        try:
            decision = read_answer(reply, verdict, tool, by=by)
        except InvalidDecision as error:
            problem = f"The last answer was not used: {error}"
            continue
        review = queue.get(verdict.review_id)
        if problem := _not_here(review, decision):
            continue
        # Somebody may have decided elsewhere; that is what will run, so it is what has to be looked at.
        decision = decision if review.state in WAITING else review.decision or decision
        answered.append(Answered(verdict=verdict, decision=decision))
        again = _stricter(verdict, decision, tool, policy)
        if again is None:
            return answered
        _reopen(verdict, again, tool, policy, queue)
        verdict = again


def _not_here(review: Review, decision: Decision) -> str:
    """Why an answer cannot decide: a run's configuration tells one name, without roles, and not who answered before."""
    if review.state not in WAITING or not (review.roles or (review.quorum > 1 and decision.type in RUNS)):
        return ""
    wanted = f"somebody with the role {' or '.join(review.roles)}" if review.roles else f"{review.quorum} people"
    return f"The last answer was not used: {wanted} must decide, in the queue (guardrail reviews approve ...)."


def _stricter(verdict: Verdict, decision: Decision, tool: ToolSpec | None, policy: Policy) -> Verdict | None:
    if decision.type is not DecisionType.EDIT or decision.arguments is None:
        return None
    call = ToolCall(name=verdict.call.name, arguments=decision.arguments, id=verdict.call.id)
    resolution = policy.resolve(call, tool)
    before = replace(policy.resolve(verdict.call, tool), tier=verdict.tier)
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


def _reopen(verdict: Verdict, again: Verdict, tool: ToolSpec | None, policy: Policy, queue: Queue) -> None:
    """Queue the edited call; doing so twice changes nothing."""
    first = queue.get(verdict.review_id)
    now = datetime.now(UTC)
    review = Review(
        id=again.review_id,
        record_id=first.record_id,
        thread_id=first.thread_id,
        namespace=first.namespace,
        step_id=first.step_id,
        call=again.call,
        digest=call_digest(again.call, first.thread_id, policy.version, tool),
        tier=again.tier,
        why=again.why,
        at=now.isoformat(),
        decisions=again.decisions,
        tenant=first.tenant,
        requester=first.requester,
    )
    queue.open(review_under(review, policy.resolve(again.call, tool), now))
