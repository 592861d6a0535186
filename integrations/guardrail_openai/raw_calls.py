"""One call as the SDK gives it, read as the guard reads a whole plan, and answers in the shape that its API takes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from guardrail.desk import Planned
from guardrail.errors import ConfigError
from guardrail.sampling.plain import mapping, snapshot, text
from guardrail.types import ToolCall
from guardrail_openai import chat, responses

CHAT = "chat"
_APPROVAL = "mcp_approval_request"
_SHELL_FAILED = {"type": "exit", "exit_code": 1}


@dataclass(frozen=True, kw_only=True)
class RawCall(Planned):
    """A call with its values as they are. ``kind`` is its item's type in Responses, or ``chat``."""

    kind: str = CHAT

    @classmethod
    def of(cls, given: BaseModel | Mapping[str, Any] | ToolCall) -> RawCall:
        """What ``create`` returned of one call.

        Raises:
            ConfigError: it is not one call of chat completions or Responses.
        """
        if isinstance(given, ToolCall):
            return cls(call=given)
        item = mapping(snapshot(given))
        in_chat = bool(mapping(item.get("function")) or mapping(item.get("custom")))
        if in_chat:
            found = chat.samples({"choices": [{"message": {"tool_calls": [item]}}]}, planned=True)[0]
        else:
            found = responses.sample({"output": [item], "status": "completed"}, planned=True)
        if len(found.calls) != 1:
            raise ConfigError("that is no call: give one of message.tool_calls, or one item of response.output")
        kind = CHAT if in_chat else text(item.get("type"))
        return cls(call=found.calls[0], kind=kind, readable=not found.detail, fixed=kind == _APPROVAL)

    def message(self, said: str) -> dict[str, Any]:
        """An answer in words, as the tool's message of chat completions."""
        return {"role": "tool", "tool_call_id": self.call.id, "content": said}

    def output(self, said: str, *, ran: bool = False) -> dict[str, Any]:
        """An answer in words, as the item of Responses that belongs to this kind of call."""
        answer: dict[str, Any] = {"type": f"{self.kind}_output", "call_id": self.call.id}
        match self.kind:
            case "mcp_approval_request":
                asked = {"type": "mcp_approval_response", "approval_request_id": self.call.id, "approve": ran}
                return asked if ran else {**asked, "reason": said}
            case "shell_call":
                outcome = {"type": "exit", "exit_code": 0} if ran else _SHELL_FAILED
                out = {"stdout": said if ran else "", "stderr": "" if ran else said, "outcome": outcome}
                return {**answer, "output": [out]}
            case "local_shell_call":
                return {"type": "local_shell_call_output", "id": self.call.id, "output": said}
            case "apply_patch_call":
                return {**answer, "status": "completed" if ran else "failed", "output": said}
            case "custom_tool_call":
                return {**answer, "output": said}
            case _:
                return {"type": "function_call_output", "call_id": self.call.id, "output": said}

    def answer(self, said: str, *, ran: bool = False) -> dict[str, Any]:
        """An answer in the shape of the API that the call is from."""
        return self.message(said) if self.kind == CHAT else self.output(said, ran=ran)

    def result(self, value: Any) -> dict[str, Any]:
        """What the tool gave, in that shape. An item of the API's own is given on as it is."""
        own = mapping(snapshot(value))
        if self.kind != CHAT and text(own.get("type")).endswith("_output"):
            return dict(own)
        return self.answer(value if isinstance(value, str) else _json(value), ran=True)


def _json(value: Any) -> str:
    return json.dumps(snapshot(value), ensure_ascii=False, default=str)


def answered_ids(arguments: Mapping[str, Any]) -> set[str]:
    """The calls that the newest messages of a request answer: the model has not spoken since."""
    given = arguments.get("messages") if "messages" in arguments else arguments.get("input")
    found: set[str] = set()
    for item in reversed(given if isinstance(given, list) else []):
        one = mapping(snapshot(item))
        kind = text(one.get("type"))
        if one.get("role") == "tool":
            found.add(text(one.get("tool_call_id")))
        elif kind == "mcp_approval_response":
            found.add(text(one.get("approval_request_id")))
        elif kind.endswith("_output"):
            found.add(text(one.get("call_id")) or text(one.get("id")))
        else:
            break
    return found - {""}
