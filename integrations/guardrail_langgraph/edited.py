"""What an agent is told where a person changed its call as the tool was started: its own message shows the plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from langchain_core.messages import ToolMessage
from langchain_core.messages.tool import ToolCall as MessageToolCall
from langgraph.types import Command

from guardrail import codec

Result = ToolMessage | Command[Any]


def as_edited(result: Result, call: MessageToolCall, arguments: Mapping[str, Any], messages_key: str) -> Result:
    """The result of a call that ran with other arguments than it was planned with, which it now says."""
    ran = codec.canonical({"name": call["name"], "arguments": dict(arguments)})
    note = (
        f"A person changed this call before it ran. What ran, once: {ran}. Do not plan the first one again. Its result:"
    )
    if isinstance(result, ToolMessage):
        shown: ToolMessage = _noted(result, call, note)
        return shown
    update = result.update
    if isinstance(update, Mapping) and isinstance(update.get(messages_key), list):
        messages = [_noted(one, call, note) for one in update[messages_key]]
        return replace(result, update={**update, messages_key: messages})
    return result


def _noted(message: Any, call: MessageToolCall, note: str) -> Any:
    if not isinstance(message, ToolMessage) or message.tool_call_id != call["id"]:
        return message
    content = message.content
    shown = f"{note}\n{content}" if isinstance(content, str) else [{"type": "text", "text": note}, *content]
    return message.model_copy(update={"content": shown})
