"""Everything that a store has of a kind, page by page."""

from __future__ import annotations

from collections.abc import Iterator

from guardrail.store.protocol import Store
from guardrail.types import AuditDraw, Record

_PAGE = 500


def stored_records(store: Store) -> Iterator[Record]:
    """Every record of a store, newest first."""
    before: str | None = None
    while page := store.records(limit=_PAGE, before=before):
        yield from page
        before = page[-1].id


def stored_draws(store: Store) -> Iterator[AuditDraw]:
    """Every call of a store that was drawn to be judged, in the order of the draws."""
    after = 0
    while page := store.draws(limit=_PAGE, after=after):
        yield from (draw for _, draw in page)
        after = page[-1][0]
