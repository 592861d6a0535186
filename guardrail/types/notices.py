"""What people are owed: notices of reviews and alarms, one for each channel that wants to know."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, ClassVar

from guardrail.types.forms import type_config


class NoticeEvent(StrEnum):
    """What a notice tells of."""

    OPENED = "opened"
    """A call waits for a decision."""
    ESCALATED = "escalated"
    """It still waits, and its deadline comes nearer."""
    EXPIRED = "expired"
    """Nobody decided in time, which was a reject."""
    DECIDED = "decided"
    """Somebody decided."""
    OUTCOME_UNKNOWN = "outcome_unknown"
    """A call was started, and a person found that nobody can tell what came of it."""
    STUCK = "stuck"
    """A call was started long ago and nothing was heard of it since."""
    ALARM = "alarm"
    """More audited calls were wrong than promised."""


class NoticeState(StrEnum):
    """Where a notice stands. All but the first are final."""

    OWED = "owed"
    SENT = "sent"
    DROPPED = "dropped"
    """There was nothing to tell any more: somebody had decided, or the review was deleted."""
    DEAD = "dead"
    """It could not be sent, however often that was tried."""


@dataclass(frozen=True, kw_only=True)
class Notice:
    """That something is to be told on a channel. It names what it is about, and holds none of its content.

    Notices that go together share a ``message``, the id of the first of them, which is the same however often it is
    sent. ``due`` is when somebody may next try (ISO 8601, UTC; empty: never), which a claim moves into the future:
    whoever claimed it (``by``) has until then. Of a message's notices only the first has one. ``revision`` grows by one
    with every change. ``error`` says why the last attempt failed, in words without secrets.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    id: str
    channel: str
    event: NoticeEvent
    subject: str
    """Id of the review or alarm."""
    tenant: str = ""
    at: str
    due: str
    state: NoticeState = NoticeState.OWED
    message: str = ""
    attempts: int = 0
    by: str = ""
    error: str = ""
    revision: int = 0


@dataclass(frozen=True, kw_only=True)
class NoticeCount:
    """How many notices of a channel stand in a state, and the time of the oldest."""

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    channel: str
    state: NoticeState
    count: int
    oldest: str
