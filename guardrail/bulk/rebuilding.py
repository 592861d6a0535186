"""The request that planned a recorded step: as it was kept, or put together again from the conversation.

A conversation is text: calls stand in it as JSON after the words of a turn, and results as turns of their own. So the
messages can be put together again, but for what text does not hold; such a step is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from guardrail.codec import canonical
from guardrail.engine.fingerprint import tools_digest
from guardrail.errors import ConfigError
from guardrail.redaction import holds_mark
from guardrail.types import Case, ToolSpec, Turn

_PART: Final = re.compile(r"\[[a-z_]{1,40}\]")
_ELSEWHERE: Final = "[earlier turns are kept by the provider]"
_TOOL_NAMES: Final = ("tool", "call", "name")
_PLAIN: Final = frozenset({"system", "developer", "user"})
_WAY_OUT: Final = "record the step again with `guardrail record`, which keeps the whole request"


def replayable(case: Case) -> Case:
    """The case with its request.

    Raises:
        ConfigError: the request was not kept and cannot be put together again; the message says what is missing.
    """
    if case.request is not None:
        if not (case.request.get("messages") or case.request.get("input")):
            raise ConfigError("its request has neither messages nor input: there is nothing to plan from")
        return case
    if not case.conversation:
        raise ConfigError(f"it has neither request nor conversation: there is nothing to plan from; {_WAY_OUT}")
    if not case.tools:
        raise ConfigError("it has no tools: give those that the model was offered with --tools")
    if case.fingerprint and case.fingerprint.get("tools") != tools_digest(case.tools):
        raise ConfigError(
            "the record keeps only the tools that were called: give all that the model was offered with --tools"
        )
    request = {"messages": _messages(case.conversation), "tools": [_tool(tool) for tool in case.tools]}
    return replace(case, request=request)


def offered(case: Case, tools: Sequence[ToolSpec]) -> Case:
    """The case with all tools that the model was offered, which its record does not keep.

    Raises:
        ConfigError: the model was offered others.
    """
    if case.request is not None or not tools:
        return case
    known = case.fingerprint.get("tools")
    if known is not None and known != tools_digest(tools):
        raise ConfigError(
            "the tools given are not those that the model was offered then (names, descriptions, parameters and order "
            "are compared): give those of that time"
        )
    return replace(case, tools=tuple(tools), fingerprint={**case.fingerprint, "tools": tools_digest(tools)})


def _messages(turns: Sequence[Turn]) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    waiting: list[str] = []
    for number, turn in enumerate(turns, start=1):
        if holds_mark(turn.text):
            raise ConfigError(
                f"turn {number} of its conversation holds something hidden, which was not kept; {_WAY_OUT}"
            )
        lost = next((line for line in turn.text.split("\n") if line == _ELSEWHERE or _PART.fullmatch(line)), None)
        if lost is not None:
            raise ConfigError(f"turn {number} of its conversation held {lost}, which is no text and was not kept")
        if waiting and turn.role != "tool":
            raise ConfigError(f"turn {number} of its conversation comes before every call was answered; {_WAY_OUT}")
        if turn.role in _PLAIN:
            messages.append({"role": turn.role, "content": turn.text})
        elif turn.role == "assistant":
            message, waiting = _planned(turn.text, number)
            messages.append(message)
        elif turn.role == "tool" and waiting:
            messages.append({"role": "tool", "tool_call_id": waiting.pop(0), "content": turn.text})
        else:
            what = "answers no call" if turn.role == "tool" else f"is of the role {turn.role!r}"
            raise ConfigError(f"turn {number} of its conversation {what}; {_WAY_OUT}")
    if waiting:
        raise ConfigError(f"its conversation ends before every call was answered; {_WAY_OUT}")
    return messages


def _planned(text: str, number: int) -> tuple[dict[str, Any], list[str]]:
    """A turn of the model: the calls are the last lines, each one JSON object of a name and its arguments."""
    lines = text.split("\n")
    calls: list[tuple[str, dict[str, Any]]] = []
    while lines and (found := _call(lines[-1])) is not None:
        calls.insert(0, found)
        lines.pop()
    message: dict[str, Any] = {"role": "assistant", "content": "\n".join(lines) or None}
    ids = [f"call_{number}_{position}" for position in range(len(calls))]
    if calls:
        message["tool_calls"] = [
            {"id": identity, "type": "function", "function": {"name": name, "arguments": canonical(arguments)}}
            for identity, (name, arguments) in zip(ids, calls, strict=True)
        ]
    elif message["content"] is None:
        message["content"] = ""
    return message, ids


def _call(line: str) -> tuple[str, dict[str, Any]] | None:
    if not line.startswith("{"):
        return None
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(data, dict) or len(data) != len(("name", "arguments")):
        return None
    name = next((data[key] for key in _TOOL_NAMES if key in data), None)
    arguments = data.get("arguments")
    return (name, arguments) if isinstance(name, str) and isinstance(arguments, dict) else None


def _tool(tool: ToolSpec) -> dict[str, Any]:
    function = {"name": tool.name, "description": tool.description, "parameters": tool.parameters}
    return {"type": "function", "function": function}
