"""The human's turn: one interrupt, and what must be true of the answer.

Before ``interrupt()`` nothing happens that could come out differently when the node is run again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from langchain_core.runnables import RunnableConfig
from langgraph.types import interrupt

from guardrail.desk import edit_of, review_of_edit
from guardrail.errors import InvalidDecision
from guardrail.policy import Policy
from guardrail.review import RUNS, WAITING, Queue
from guardrail.types import Decision, Review, ToolSpec, Verdict
from guardrail_langgraph.answers import question, read_answer
from guardrail_langgraph.release import Answered

_RESUMING: Final = "__pregel_scratchpad"
"""Where LangGraph keeps the answers of a run that is resumed."""


def ask(
    verdict: Verdict,
    tool: ToolSpec | None,
    policy: Policy,
    queue: Queue,
    *,
    record_id: str,
    by: str,
    planned: Mapping[str, Any] | None = None,
    coming: Sequence[str] = (),
    described: str = "",
    problem: str = "",
) -> list[Answered]:
    """Interrupt until a readable, permitted decision is given; an answer that is neither is asked again.

    An edit that meets a stricter rule than the call it replaces goes before a human once more. ``planned`` are the
    call's arguments as the graph's state has them, of which the verdict may show some as marks. ``coming`` are the
    reviews that are asked about after this one; ``described`` is what the agent's author says of the call, and
    ``problem`` what was wrong with an answer that was given before.
    """
    arguments = verdict.call.arguments if planned is None else planned
    answered: list[Answered] = []
    while True:
        asked = question(verdict, record_id=record_id, problem=problem, coming=coming, described=described)
        reply: Any = interrupt(asked)
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
        edited = edit_of(review, decision, arguments, queue)
        again = None if edited is None else review_of_edit(review, edited, arguments, policy=policy, tool=tool)
        if again is None or edited is None:
            return answered
        arguments = edited.arguments
        queue.open(queue.keep(again, arguments))  # doing so twice changes nothing
        verdict = _under(verdict, again)


def unaddressed(config: RunnableConfig) -> str:
    """Take away an answer that names no interrupt, and say so; empty where there is none.

    LangGraph before 1.2.24 takes all calls of one step for one question, and gives such an answer to each of them: one
    approval would run them all.
    """
    resuming: Any = (config.get("configurable") or {}).get(_RESUMING)
    if resuming is None or resuming.get_null_resume(True) is None:
        return ""
    return "The last answer was not used: several calls wait, and it did not say by an interrupt's id for which it was."


def _not_here(review: Review, decision: Decision) -> str:
    """Why an answer cannot decide: a run's configuration tells one name, without roles, and not who answered before."""
    if review.state not in WAITING or not (review.roles or (review.quorum > 1 and decision.type in RUNS)):
        return ""
    wanted = f"somebody with the role {' or '.join(review.roles)}" if review.roles else f"{review.quorum} people"
    return f"The last answer was not used: {wanted} must decide, in the queue (guardrail reviews approve ...)."


def _under(verdict: Verdict, review: Review) -> Verdict:
    """The verdict as it is asked about in that review."""
    return replace(
        verdict,
        call=review.call,
        tier=review.tier,
        rule=review.rule,
        decisions=review.decisions,
        why=review.why,
        review_id=review.id,
        hidden=review.hidden,
        raw=review.raw,
    )
