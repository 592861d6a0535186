"""What a store does with what is hidden of reviews, encrypted."""

from __future__ import annotations

from typing import Protocol

from guardrail.types import Sealed


class SealedValues(Protocol):
    """Encrypted values by review and slot. The store cannot open them, and no list or audit entry has them."""

    def add_sealed(self, sealed: Sealed) -> bool:
        """Keep a value; False, and nothing changed, if that review has one in that slot."""

    def sealed(self, review_id: str) -> list[Sealed]:
        """What is kept of a review (its whole id), by slot. Retention deletes it with the review."""
