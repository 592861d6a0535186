"""Hostile text made fit for a terminal and for a person who decides by it. Nothing here interprets markup."""

from __future__ import annotations

import json

from rich.text import Text

from guardrail.visible import hides, plain, runs, warnings

__all__ = ["LONG", "hides", "is_cut", "plain", "shown", "shown_value", "warnings"]

LONG = 2_000
"""Characters of one value that are shown before it is cut."""
_ESCAPED = "reverse"
_NOTE = "italic dim"


def shown(text: str, *, limit: int | None = LONG, style: str = "") -> Text:
    """The text for a terminal: hidden characters as marked escapes; cut, with its length said, beyond the limit."""
    result = Text(style=style)
    for run, hidden in runs(text[:limit]):
        result.append(run, _ESCAPED if hidden else None)
    if limit is not None and len(text) > limit:
        result.append(f"… ({len(text):,} characters)", _NOTE)
    return result


def shown_value(value: object, *, limit: int | None = LONG) -> Text:
    """A JSON value for a terminal. Its own escapes tell text that only looks like one from a hidden character."""
    return shown(json.dumps(value, ensure_ascii=False), limit=limit)


def is_cut(value: object) -> bool:
    """Whether ``shown_value`` leaves out part of a value."""
    return len(json.dumps(value, ensure_ascii=False)) > LONG
