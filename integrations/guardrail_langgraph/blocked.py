"""What stops a tool where it starts."""

from __future__ import annotations

from langgraph.prebuilt.tool_node import ToolInvocationError

from guardrail.errors import CallBlocked


class ToolCallBlocked(ToolInvocationError, CallBlocked):
    """A call that must not run. ``ToolNode`` answers it with an error message instead of failing the graph.

    ``review_id`` is the review that has to be decided on first, where that is why. Its ``repr`` has none of its words:
    LangChain logs that.
    """

    def __init__(self, message: str, *, review_id: str = "") -> None:
        Exception.__init__(self, message)
        self.message = message
        self.review_id = review_id
        self.filtered_errors = None

    def __repr__(self) -> str:
        return f"ToolCallBlocked(review_id={self.review_id!r})"
