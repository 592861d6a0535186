"""What a reviewer is asked, and how every known form of answer is read.

The question has LangChain's HITLRequest form with one action; the evidence stands beside it under ``guard``.
Answers come as a HITLResponse, as a bare decision, or in agent-inbox's older list form.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from guardrail import codec
from guardrail.errors import InvalidDecision
from guardrail.review import check_edit
from guardrail.types import Decision, DecisionType, Review, ToolSpec, Verdict

_INBOX = {"accept": "approve", "ignore": "reject", "response": "respond", "edit": "edit"}


def question(verdict: Verdict, *, record_id: str, problem: str = "") -> dict[str, Any]:
    """The interrupt's value for one call under review, as plain JSON."""
    call = verdict.call
    description = f"{problem} {verdict.tier.value} stakes. {verdict.why}".strip()
    return {
        "action_requests": [{"name": call.name, "args": call.arguments, "description": description}],
        "review_configs": [
            {"action_name": call.name, "allowed_decisions": [decision.value for decision in verdict.decisions]}
        ],
        "guard": {
            "review_id": verdict.review_id,
            "record_id": record_id,
            "tool_call_id": call.id,
            "verdict": codec.to_json(verdict),
            **({"problem": problem} if problem else {}),
        },
    }


def read_answer(
    answer: object, verdict: Verdict, tool: ToolSpec | None, *, by: str, review: Review | None = None
) -> Decision:
    """The one decision that an answer to a ``question`` carries. The ``review`` tells what is hidden of its call.

    Raises:
        InvalidDecision: not one readable decision, not allowed for this call, or an edit that
            changes the tool or does not fit its schema.
    """
    raw = _single(answer)
    name = raw.get("type")
    try:
        kind = DecisionType(str(name))
    except ValueError:
        allowed = ", ".join(decision.value for decision in verdict.decisions)
        raise InvalidDecision(f"{name!r} is not a decision. Answer with one of: {allowed}.") from None
    if kind not in verdict.decisions:
        allowed = ", ".join(decision.value for decision in verdict.decisions)
        raise InvalidDecision(f"{kind.value} is not allowed for {verdict.call.name}. Answer with one of: {allowed}.")
    message = raw.get("message")
    return Decision(
        type=kind,
        by=by,
        at=datetime.now(UTC).isoformat(),
        arguments=_edited(raw, verdict, tool, review) if kind is DecisionType.EDIT else None,
        message=message if isinstance(message, str) else "",
    )


def as_answer(decision: Decision, tool_name: str) -> dict[str, Any]:
    """A decision as the HITLResponse that resumes its interrupt."""
    one: dict[str, Any] = {"type": decision.type.value}
    if decision.type is DecisionType.EDIT:
        one["edited_action"] = {"name": tool_name, "args": decision.arguments}
    elif decision.type is not DecisionType.APPROVE:
        one["message"] = decision.message
    return {"decisions": [one]}


def _single(answer: object) -> Mapping[str, Any]:
    found: object = answer
    if isinstance(found, Mapping) and "decisions" in found:
        found = found["decisions"]
    if isinstance(found, list):
        if len(found) != 1:
            raise InvalidDecision(f"{len(found)} decisions were given for one call; each interrupt takes exactly one.")
        found = found[0]
    if not isinstance(found, Mapping):
        raise InvalidDecision(
            f"an answer of type {type(answer).__name__} is not readable. "
            'Resume with {"decisions": [{"type": "approve"}]} or one of the other decisions.'
        )
    return _from_inbox(found) if found.get("type") in _INBOX and "args" in found else found


def _from_inbox(found: Mapping[str, Any]) -> Mapping[str, Any]:
    kind, args = _INBOX[found["type"]], found.get("args")
    if kind == "edit" and isinstance(args, Mapping):
        return {"type": kind, "edited_action": {"name": args.get("action"), "args": args.get("args")}}
    if kind == "respond":
        return {"type": kind, "message": args}
    return {"type": kind}


def _edited(raw: Mapping[str, Any], verdict: Verdict, tool: ToolSpec | None, review: Review | None) -> dict[str, Any]:
    action = raw.get("edited_action")
    if not isinstance(action, Mapping) or not isinstance(action.get("args"), Mapping):
        raise InvalidDecision('an edit needs {"edited_action": {"name": ..., "args": {...}}}.')
    if action.get("name") != verdict.call.name:
        raise InvalidDecision(
            f"an edit may not change the tool {verdict.call.name} to {action.get('name')!r}. "
            "Reject the call and say what to do instead."
        )
    arguments = dict(action["args"])
    if problems := check_edit(review, tool, arguments):
        typed = _typed(arguments, tool)
        if typed == arguments or check_edit(review, tool, typed):
            raise InvalidDecision(f"the edited arguments do not fit {verdict.call.name}: {'; '.join(problems)}.")
        return typed
    return arguments


def _typed(arguments: dict[str, Any], tool: ToolSpec | None) -> dict[str, Any]:
    """Values that a form turned into text, read back where the schema does not want text."""
    properties = tool.parameters.get("properties") if tool else None
    found = dict(arguments)
    for name, value in arguments.items():
        schema = properties.get(name) if isinstance(properties, dict) else None
        if isinstance(value, str) and isinstance(schema, dict) and schema.get("type") not in (None, "string"):
            try:
                found[name] = json.loads(value)
            except ValueError:
                continue
    return found
