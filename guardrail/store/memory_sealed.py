"""Encrypted values in memory."""

from __future__ import annotations

from contextlib import AbstractContextManager

from guardrail.store import rows
from guardrail.types import Sealed


class MemorySealed:
    """The part of a store in memory that keeps encrypted values."""

    _sealed: dict[tuple[str, str], Sealed]

    def _opened(self) -> AbstractContextManager[object]:
        """The store's lock, and that it is open."""
        raise NotImplementedError

    def add_sealed(self, sealed: Sealed) -> bool:
        rows.sort_key(sealed.at)
        with self._opened():
            key = (sealed.review_id, sealed.slot)
            new = key not in self._sealed
            self._sealed.setdefault(key, sealed)
            return new

    def sealed(self, review_id: str) -> list[Sealed]:
        with self._opened():
            return [self._sealed[key] for key in sorted(self._sealed) if key[0] == review_id]
