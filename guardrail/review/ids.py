"""What a review is called, and what an approval is bound to."""

from __future__ import annotations

from guardrail.codec import digest
from guardrail.errors import ReviewError
from guardrail.types import ToolCall, ToolSpec


def review_id(*, thread_id: str, namespace: str, step_id: str, call_id: str, attempt: int, tenant: str = "") -> str:
    """The one review of one call of one try of a step: the same whenever and wherever it is asked for."""
    return digest("review", thread_id, namespace, step_id, call_id, attempt, *([tenant] if tenant else []))


def call_digest(call: ToolCall, thread_id: str, policy_version: str, tool: ToolSpec | None) -> str:
    """What an approval covers: this tool, these arguments, this thread and call id, under this policy and schema.

    Raises:
        ReviewError: the arguments are no JSON, so nothing could be bound to them.
    """
    schema = None if tool is None else tool.parameters
    try:
        return digest("call", call.name, call.arguments, call.id, thread_id, policy_version, schema)
    except (ValueError, TypeError, RecursionError) as error:
        raise ReviewError(
            f"the call of {call.name} cannot be put before a human, its arguments are no JSON ({error}): do not run it"
        ) from error
