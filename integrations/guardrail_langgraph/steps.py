"""From a model turn in the graph to the planning step that the guard decides on."""

from __future__ import annotations

from collections.abc import Mapping

from langchain_core.messages import AIMessage

from guardrail.codec import digest
from guardrail.sampling import inspect
from guardrail.types import PlanningStep, ToolSpec
from guardrail_langgraph.messages import sample_from_message, tool_specs
from guardrail_langgraph.requests import PlanCapture


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
    )


def _annotated(tool: ToolSpec, registered: Mapping[str, ToolSpec]) -> ToolSpec:
    known = registered.get(tool.name)
    if known is None or not known.annotations:
        return tool
    return ToolSpec(
        name=tool.name, description=tool.description, parameters=tool.parameters, annotations=known.annotations
    )
