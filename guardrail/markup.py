"""The one escaper of every page: whatever goes into markup is text, with what cannot be seen marked and written out."""

from __future__ import annotations

from typing import Any

import markupsafe

from guardrail.visible import runs, spans


def shown(value: Any) -> Any:
    """Every value on its way into a page, for a template's ``finalize``; markup made by this package stays as it is.

    The mark has neither quotes nor a space, so that it closes no attribute either.
    """
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return markupsafe.Markup("").join(
        markupsafe.Markup("<mark>{}</mark>").format(text) if hidden else markupsafe.escape(text)
        for text, hidden in runs(value)
    )


def typed(text: str) -> markupsafe.Markup:
    """A text in a control of a form, where no mark can stand: it goes in as it is, and comes back so.

    Raises:
        ValueError: it holds what cannot be seen, besides line breaks and tabs; write it out before.
    """
    if unseen(text):
        raise ValueError("a text with hidden characters must not go into a form unmarked")
    return markupsafe.escape(text)


def unseen(text: str) -> bool:
    """Whether a text in a form would hide something, besides its line breaks and tabs."""
    return any(hidden and piece.strip("\n\t") for piece, hidden in spans(text))
