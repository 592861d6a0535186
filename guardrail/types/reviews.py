"""One call before a human."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from guardrail.types.forms import type_config
from guardrail.types.stakes import DecisionType, Tier
from guardrail.types.steps import ToolCall


class ReviewState(StrEnum):
    """Where a review stands. The last four are final."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DECIDED = "decided"
    EXECUTING = "executing"
    DONE = "done"
    OUTCOME_UNKNOWN = "outcome_unknown"
    EXPIRED = "expired"
    SUPERSEDED = "superseded"


@dataclass(frozen=True, kw_only=True)
class Decision:
    """A reviewer's answer. ``arguments`` only with edit; ``message`` goes to the agent on reject and respond."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    type: DecisionType
    by: str
    at: str
    arguments: dict[str, Any] | None = None
    message: str = ""


@dataclass(frozen=True, kw_only=True)
class ReviewEvent:
    """One change of a review's state."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    at: str
    by: str
    state: ReviewState
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Review:
    """One call before a human. ``digest`` binds the decision to exactly this call (tool, arguments,
    thread, call id, versions of policy and tool schema). ``revision`` grows by one with every change.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    record_id: str
    thread_id: str
    namespace: str
    step_id: str
    call: ToolCall
    digest: str
    tier: Tier
    why: str
    at: str
    decisions: tuple[DecisionType, ...] = tuple(DecisionType)
    state: ReviewState = ReviewState.PENDING
    decision: Decision | None = None
    history: tuple[ReviewEvent, ...] = ()
    revision: int = 0
