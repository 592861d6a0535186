"""Words that somebody typed, or that an exception says, as they can be written down."""

from __future__ import annotations

from guardrail.redaction.masking import Masker


def masked_text(text: str) -> str:
    """The text with what looks like a secret hidden. Marks that are quoted stay, and so it may be masked twice."""
    return Masker(trusted=True).text(text) if text else text
