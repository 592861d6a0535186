"""The present moment, in one place for all who take a clock."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_now() -> datetime:
    """The present moment."""
    return datetime.now(UTC)
