"""From verdicts and reviewers' answers to what the graph does next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall

from guardrail.desk import superseded_by
from guardrail.engine import bound, feedback, started_before
from guardrail.errors import ReviewError
from guardrail.review import Queue, planned_as, runs_as
from guardrail.types import Decision, DecisionType, Review, ReviewState, Route, StepVerdict, ToolSpec, Verdict
from guardrail_langgraph.history import answer_message, unreadable, with_calls


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One review of a call and its decision; two where an edit met a stricter rule and was reviewed again."""

    verdict: Verdict
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class Approved:
    """A call that a human lets run, as it shall run, and the review whose single use is still to be taken."""

    call: MessageToolCall
    review: Review


@dataclass(frozen=True, kw_only=True)
class Released:
    """The plan as it now stands, answers for calls that do not run, and the calls that do.

    ``approvals`` goes from call id to the review whose single use the call still has to take.
    """

    plan: AIMessage
    answers: tuple[ToolMessage, ...]
    run: tuple[MessageToolCall, ...]
    approvals: Mapping[str, str]


def release(
    plan: AIMessage,
    open_calls: Sequence[MessageToolCall],
    step: StepVerdict,
    answered: Mapping[str, Sequence[Answered]],
    queue: Queue,
    *,
    attempt: int,
    by: str,
    tools: Mapping[str, ToolSpec] | None = None,
    later: bool = False,
) -> Released:
    """Apply every verdict and decision. The single use of an approval is taken later, nearer to the tool.

    With ``later`` so is the decision: a call that needs one goes on to where its tool starts, and waits there.
    """
    answers = [
        answer_message(call, "Not executed: the arguments are not readable JSON.", "refused")
        for call in unreadable(plan)
    ]
    run: dict[str, MessageToolCall] = {}
    approvals: dict[str, str] = {}
    for call in open_calls:
        verdict = step.verdict(call["id"] or "")
        if verdict is None:
            answers.append(answer_message(call, "Not executed: this call was not assessed.", "refused"))
        elif verdict.route is Route.RETRY:
            answers.append(answer_message(call, feedback(verdict), "retry", attempt=attempt))
        elif verdict.route is Route.EXECUTE or later:
            run[verdict.call.id] = call
        else:
            tool = (tools or {}).get(call["name"])
            result = settle(call, answered.get(verdict.call.id, ()), queue, by=by, tool=tool)
            if isinstance(result, ToolMessage):
                answers.append(result)
            else:
                run[verdict.call.id] = result.call
                approvals[verdict.call.id] = result.review.id
    calls = [run.get(call["id"] or "", call) for call in plan.tool_calls]
    return Released(
        plan=with_calls(plan, calls, record_id=step.record_id, route=step.route),
        answers=tuple(answers),
        run=tuple(run.values()),
        approvals=approvals,
    )


def settle(
    call: MessageToolCall, answered: Sequence[Answered], queue: Queue, *, by: str, tool: ToolSpec | None = None
) -> ToolMessage | Approved:
    """Write the decision, and say what the call becomes. ``call`` is the one that was planned, as the graph has it.

    Raises:
        ConfigError: the key to what a reviewer typed is not there; with it, the decision can be used later.
    """
    if not answered:
        return answer_message(call, "Not executed: no human has decided on this call.", "refused")
    for earlier, later in pairwise(answered):
        if queue.get(earlier.verdict.review_id).state is not ReviewState.SUPERSEDED:
            _decide(earlier, queue)
            note = superseded_by(later.verdict.review_id)
            queue.supersede(earlier.verdict.review_id, by=by, note=note)
    last = answered[-1]
    review = _decide(last, queue)
    decision = review.decision
    if decision is None or not _usable(review, decision):
        used = f"Not executed: this call's review is {review.state.value}; a decision is used once."
        return answer_message(call, started_before(review) or used, "refused")
    if decision.type in (DecisionType.REJECT, DecisionType.RESPOND):
        if review.state in (ReviewState.DECIDED, ReviewState.EXPIRED):
            queue.finish(review.id, by=by, note="not executed")
        return _refused(call, decision)
    try:
        arguments = arguments_of(call, answered, queue)
        review = bound(queue, review, arguments, by=by, tool=tool)
    except ReviewError as error:
        return answer_message(call, f"Not executed: {error}", "refused")
    return Approved(call={**call, "args": arguments}, review=review)


def arguments_of(call: MessageToolCall, answered: Sequence[Answered], queue: Queue) -> dict[str, Any]:
    """What runs: the planned arguments, and on them one edit after the other.

    Raises:
        ReviewError: a call is not the one that was put before a human, or it cannot be told what was approved.
    """
    arguments: dict[str, Any] = call["args"]
    for one in answered:
        review = queue.get(one.verdict.review_id)
        if not planned_as(review, review.thread_id, call["name"], arguments):
            raise ReviewError("the call is not the one that was approved")
        if review.decision is None:
            raise ReviewError("no human has decided on this call")
        arguments = queue.arguments(review, review.decision, arguments, typed=one.decision.arguments)
    return arguments


def take(released: Released, queue: Queue, *, by: str) -> Released:
    """Take the single use of every approval; a call whose approval was used before does not run."""
    refused: dict[str, ToolMessage] = {}
    for call in released.run:
        review_id = released.approvals.get(call["id"] or "")
        if review_id is None:
            continue
        try:
            _begin(queue.get(review_id), call, queue, by=by)
        except ReviewError as error:
            refused[call["id"] or ""] = answer_message(call, f"Not executed: {error}", "refused")
    return replace(
        released,
        answers=(*released.answers, *refused.values()),
        run=tuple(call for call in released.run if call["id"] not in refused),
    )


def _begin(review: Review, call: MessageToolCall, queue: Queue, *, by: str) -> None:
    if review.decision is not None and not runs_as(review, review.decision, call["name"], call["args"]):
        raise ReviewError("the call is not the one that was approved")
    queue.begin(review.id, digest=review.digest, by=by)


def _decide(answered: Answered, queue: Queue) -> Review:
    """The review with the decision that counts: the first one written."""
    review = queue.get(answered.verdict.review_id)
    if review.state in (ReviewState.PENDING, ReviewState.CLAIMED):
        return queue.decide(review.id, answered.decision, held=True)
    return review


def _usable(review: Review, decision: Decision) -> bool:
    if decision.type in (DecisionType.REJECT, DecisionType.RESPOND):
        return review.state in (ReviewState.DECIDED, ReviewState.EXPIRED, ReviewState.DONE)
    return review.state is ReviewState.DECIDED


def _refused(call: MessageToolCall, decision: Decision) -> ToolMessage:
    if decision.type is DecisionType.RESPOND:
        return answer_message(call, decision.message, "responded", status="success")
    text = f"Not executed: rejected by a human. {decision.message}".strip()
    return answer_message(call, text, "rejected")
