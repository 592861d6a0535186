"""The one escaper of every page: whatever goes into markup is text, with what cannot be seen marked and written out."""

from __future__ import annotations

from typing import Any

import markupsafe

from guardrail.visible import runs


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
