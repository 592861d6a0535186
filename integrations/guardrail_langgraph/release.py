"""From verdicts and reviewers' answers to what the graph does next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from langchain_core.messages import AIMessage, ToolMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall

from guardrail.engine import feedback
from guardrail.review import Queue
from guardrail.types import Decision, DecisionType, Review, ReviewState, Route, StepVerdict, Verdict
from guardrail_langgraph.history import answer_message, with_calls


@dataclass(frozen=True, kw_only=True)
class Answered:
    """One review of a call and its decision; two where an edit met a stricter rule and was reviewed again."""

    verdict: Verdict
    decision: Decision


@dataclass(frozen=True, kw_only=True)
class Released:
    """The plan as it now stands, answers for calls that do not run, and the calls that do."""

    plan: AIMessage
    answers: tuple[ToolMessage, ...]
    run: tuple[MessageToolCall, ...]


def release(
    plan: AIMessage,
    open_calls: Sequence[MessageToolCall],
    step: StepVerdict,
    answered: Mapping[str, Sequence[Answered]],
    queue: Queue,
    *,
    attempt: int,
    begin: bool,
    by: str,
) -> Released:
    """Apply every verdict and decision.

    ``begin`` takes the single use of an approval here; without it the dispatcher of the tools does.
    """
    answers: list[ToolMessage] = []
    run: dict[str, MessageToolCall] = {}
    for call in open_calls:
        verdict = step.verdict(call["id"] or "")
        if verdict is None:
            answers.append(answer_message(call, "Not executed: this call was not assessed.", "refused"))
        elif verdict.route is Route.RETRY:
            answers.append(answer_message(call, feedback(verdict), "retry", attempt=attempt))
        elif verdict.route is Route.EXECUTE:
            run[verdict.call.id] = call
        else:
            result = settle(call, answered.get(verdict.call.id, ()), queue, begin=begin, by=by)
            if isinstance(result, ToolMessage):
                answers.append(result)
            else:
                run[verdict.call.id] = result
    calls = [run.get(call["id"] or "", call) for call in plan.tool_calls]
    return Released(
        plan=with_calls(plan, calls, record_id=step.record_id), answers=tuple(answers), run=tuple(run.values())
    )


def settle(
    call: MessageToolCall, answered: Sequence[Answered], queue: Queue, *, begin: bool, by: str
) -> ToolMessage | MessageToolCall:
    """Write the decision, take its single use, and say what the call becomes."""
    if not answered:
        return answer_message(call, "Not executed: no human has decided on this call.", "refused")
    for earlier, later in pairwise(answered):
        if queue.get(earlier.verdict.review_id).state is not ReviewState.SUPERSEDED:
            _decide(earlier, queue)
            queue.supersede(
                earlier.verdict.review_id, by=by, note=f"the edit is reviewed as {later.verdict.review_id[:12]}"
            )
    last = answered[-1]
    review = _decide(last, queue)
    decision = review.decision
    if decision is None or not _usable(review, decision):
        return answer_message(
            call, f"Not executed: this call's review is {review.state.value}; a decision is used once.", "refused"
        )
    if decision.type in (DecisionType.REJECT, DecisionType.RESPOND):
        if review.state is ReviewState.DECIDED:
            queue.finish(review.id, by=by, note="not executed")
        return _refused(call, decision)
    if begin:
        queue.begin(review.id, digest=review.digest, by=by)
    arguments = decision.arguments if decision.arguments is not None else review.call.arguments
    return {**call, "args": arguments}


def _decide(answered: Answered, queue: Queue) -> Review:
    """The review with the decision that counts: the first one written."""
    review = queue.get(answered.verdict.review_id)
    if review.state in (ReviewState.PENDING, ReviewState.CLAIMED):
        return queue.decide(review.id, answered.decision)
    return review


def _usable(review: Review, decision: Decision) -> bool:
    if decision.type in (DecisionType.REJECT, DecisionType.RESPOND):
        return review.state in (ReviewState.DECIDED, ReviewState.DONE)
    return review.state is ReviewState.DECIDED


def _refused(call: MessageToolCall, decision: Decision) -> ToolMessage:
    if decision.type is DecisionType.RESPOND:
        return answer_message(call, decision.message, "responded", status="success")
    text = f"Not executed: rejected by a human. {decision.message}".strip()
    return answer_message(call, text, "rejected")
