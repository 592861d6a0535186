"""What a reviewer is asked, and how every known form of answer is read.

The question has LangChain's HITLRequest form with one action; the evidence stands beside it under ``guard``.
Answers come as a HITLResponse, as a bare decision, in agent-inbox's older list form, or in its mixture of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from guardrail import codec
from guardrail.errors import InvalidDecision
from guardrail.review import MAX_MESSAGE, check_edit
from guardrail.types import Decision, DecisionType, Review, ToolSpec, Verdict
from guardrail.visible import plain
from guardrail_langgraph.forms import read_back, rounded, shows

_INBOX: Final = {"accept": "approve", "ignore": "reject", "response": "respond"}
_MARKUP: Final = str.maketrans({"<": "\u2039", ">": "\u203a", "[": "(", "]": ")", "`": "'", "|": "/"})
_LONGEST: Final = 2_000


def question(
    verdict: Verdict, *, record_id: str, problem: str = "", coming: Sequence[str] = (), described: str = ""
) -> dict[str, Any]:
    """The interrupt's value for one call under review, as plain JSON.

    ``coming`` are the reviews of the same step whose questions come after this one. ``described`` is what the
    agent's author says of the call; the evidence follows it.
    """
    call = verdict.call
    allowed = [decision.value for decision in verdict.decisions]
    said = f"{problem} {described}".strip()
    description = f"{said} {verdict.tier.value} stakes. {verdict.why}".strip()
    return {
        "action_requests": [{"name": call.name, "args": call.arguments, "description": _words(description)}],
        "review_configs": [
            # deep-agents-ui looks for the names of the second line, and offers everything where it finds none.
            {"action_name": call.name, "allowed_decisions": allowed}
            | {"actionName": call.name, "allowedDecisions": allowed}
        ],
        "guard": {
            "review_id": verdict.review_id,
            "record_id": record_id,
            "tool_call_id": call.id,
            "verdict": codec.to_json(verdict),
            **({"problem": problem} if problem else {}),
            **({"coming": list(coming)} if coming else {}),
        },
    }


def read_answer(
    answer: object, verdict: Verdict, tool: ToolSpec | None, *, by: str, review: Review | None = None
) -> Decision:
    """The one decision that an answer to a ``question`` carries. The ``review`` tells what is hidden of its call.

    Raises:
        InvalidDecision: not one readable decision, not allowed for this call, given to another call, or an edit that
            changes the tool or does not fit its schema.
    """
    raw = _single(_kept(answer))
    name = raw.get("type")
    allowed = ", ".join(decision.value for decision in verdict.decisions)
    try:
        kind = DecisionType(str(name))
    except ValueError:
        raise InvalidDecision(f"{name!r} is not a decision. Answer with one of: {allowed}.") from None
    if kind not in verdict.decisions:
        raise InvalidDecision(f"{kind.value} is not allowed for {verdict.call.name}. Answer with one of: {allowed}.")
    if kind is DecisionType.APPROVE:
        _check_meant(raw.get("args"), verdict)
    return Decision(
        type=kind,
        by=by,
        at=datetime.now(UTC).isoformat(),
        arguments=_edited(raw, verdict, tool, review) if kind is DecisionType.EDIT else None,
        message=_message(raw, kind),
    )


def as_answer(decision: Decision, tool_name: str) -> dict[str, Any]:
    """A decision as the HITLResponse that resumes its interrupt."""
    one: dict[str, Any] = {"type": decision.type.value}
    if decision.type is DecisionType.EDIT:
        one["edited_action"] = {"name": tool_name, "args": decision.arguments}
    elif decision.type is not DecisionType.APPROVE:
        one["message"] = decision.message
    return {"decisions": [one]}


def _words(text: str) -> str:
    """One line that shows the same as plain text, as Markdown and as HTML: pages render descriptions as all three."""
    shown = plain(text).translate(_MARKUP).replace("://", ":/ /")
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"


def _kept(value: Any) -> Any:
    """The answer as a checkpoint keeps it, half characters replaced: read again, it must not say something else."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "replace").decode()
    if isinstance(value, Mapping):
        return {_kept(name): _kept(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_kept(one) for one in value]
    return value


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
    kind = found.get("type")
    return {**found, "type": _INBOX[kind]} if isinstance(kind, str) and kind in _INBOX else found


def _check_meant(args: object, verdict: Verdict) -> None:
    """agent-inbox sends the call back that it showed: an answer that was meant for another call approves none.

    Raises:
        InvalidDecision: it is another call.
    """
    if not isinstance(args, Mapping):
        return
    given = args.get("args")
    if args.get("action") != verdict.call.name or not isinstance(given, Mapping):
        raise InvalidDecision(f"the answer approves another call, not this one of {verdict.call.name}.")
    if not shows(verdict.call.arguments, given):
        raise InvalidDecision(f"the answer approves {verdict.call.name} with other arguments than these.")


def _message(raw: Mapping[str, Any], kind: DecisionType) -> str:
    given = raw.get("message", raw.get("args"))
    message = given if isinstance(given, str) else ""
    if len(message) > MAX_MESSAGE:
        raise InvalidDecision(f"the message has {len(message)} characters, the limit is {MAX_MESSAGE}.")
    if kind is DecisionType.RESPOND and not message.strip():
        raise InvalidDecision("a response needs a message: it is what the agent reads in the tool's place.")
    return message


def _edited(raw: Mapping[str, Any], verdict: Verdict, tool: ToolSpec | None, review: Review | None) -> dict[str, Any]:
    name, given = _action(raw)
    if name != verdict.call.name:
        raise InvalidDecision(
            f"an edit may not change the tool {verdict.call.name} to {name!r}. "
            "Reject the call and say what to do instead."
        )
    planned = verdict.call.arguments
    arguments = read_back(tool, planned, given)
    if places := sorted(rounded(planned, arguments)):
        raise InvalidDecision(
            f"a number came back rounded, as browsers do above 2^53 ({', '.join(places[:5])}): "
            "edit this call in the approval queue, or approve or reject it."
        )
    if problems := check_edit(review, tool, arguments):
        raise InvalidDecision(f"the edited arguments do not fit {verdict.call.name}: {'; '.join(problems)}.")
    return arguments


def _action(raw: Mapping[str, Any]) -> tuple[object, Mapping[str, Any]]:
    """What an edit makes of the call: LangChain's ``edited_action``, or agent-inbox's ``args``."""
    for key, named in (("edited_action", "name"), ("args", "action")):
        action = raw.get(key)
        if isinstance(action, Mapping):
            arguments = action.get("args")
            if isinstance(arguments, Mapping):
                return action.get(named), arguments
    raise InvalidDecision('an edit needs {"edited_action": {"name": ..., "args": {...}}}.')
