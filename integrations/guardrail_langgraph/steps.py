"""From a model turn in the graph to the planning step that the guard decides on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from langchain_core.messages import AIMessage, BaseMessage

from guardrail.codec import digest
from guardrail.sampling import inspect
from guardrail.types import PlanningStep, ToolSpec, Turn
from guardrail_langgraph.messages import sample_from_message, tool_specs
from guardrail_langgraph.requests import PlanCapture

_ROLES = {"human": "user", "ai": "assistant"}
_CALLS = frozenset({"tool_use", "tool_call", "function_call", "reasoning", "thinking", "redacted_thinking"})


def planning_step(
    plan: AIMessage,
    capture: PlanCapture,
    registered: Mapping[str, ToolSpec],
    *,
    thread_id: str,
    namespace: str,
    attempt: int,
) -> PlanningStep:
    """The step behind a plan. Its tools are the ones the model was offered, with the annotations registered here."""
    captured = capture.lookup(plan)
    planned = captured.planned if captured else inspect([sample_from_message(plan)])[0]
    offered = tool_specs(captured.request.settings.get("tools") or ()) if captured else tuple(registered.values())
    return PlanningStep(
        id=plan.id or digest([[call.id, call.name, call.arguments] for call in planned.calls]),
        planned=planned,
        tools=tuple(_annotated(tool, registered) for tool in offered),
        model=captured.request.model if captured else "",
        thread_id=thread_id,
        namespace=namespace,
        attempt=attempt,
        request=captured.request if captured else None,
        request_digest=captured.request.digest if captured else "",
        conversation=turns(captured.request.messages) if captured else (),
    )


def turns(messages: Sequence[BaseMessage]) -> tuple[Turn, ...]:
    """Messages as text. Images and the like are named, not shown; calls are JSON after the words."""
    return tuple(Turn(role=_ROLES.get(message.type, message.type), text=_shown(message)) for message in messages)


def _shown(message: BaseMessage) -> str:
    content = message.content if isinstance(message.content, list) else [message.content]
    parts = [part if isinstance(part, str) else _part(part) for part in content]
    if isinstance(message, AIMessage):
        parts += [
            json.dumps({"call": call["name"], "arguments": call["args"]}, ensure_ascii=False, default=str)
            for call in message.tool_calls
        ]
    return "\n".join(part for part in parts if part)


def _part(part: Mapping[str, object]) -> str:
    if isinstance(text := part.get("text"), str):
        return text
    kind = str(part.get("type") or "part")
    # calls stand in the message too, beside the content
    return "" if kind in _CALLS else f"[{kind}]"


def _annotated(tool: ToolSpec, registered: Mapping[str, ToolSpec]) -> ToolSpec:
    known = registered.get(tool.name)
    if known is None or not known.annotations:
        return tool
    return ToolSpec(
        name=tool.name, description=tool.description, parameters=tool.parameters, annotations=known.annotations
    )
