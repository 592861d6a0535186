"""The records of some days, read once for everything that is told of them, and never more than so many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from guardrail.store import Store, stored_records
from guardrail.types import Record, Sample, Verdict

MOST_RECORDS: Final = 5000
"""The latest so many records are read, and no more."""


@dataclass(frozen=True, kw_only=True)
class Lately:
    """Records from ``since`` on, newest first; where ``cut``, only the latest were read, from ``first`` on.

    What was said and what calls would do is left out of them, so that many are at hand at once.
    """

    since: datetime
    records: tuple[Record, ...]
    cut: bool
    first: datetime


def lately(store: Store, *, since: datetime, tenant: str | None = None, most: int = MOST_RECORDS) -> Lately:
    """The records of a tenant (None: of all) from a moment on. ``most`` records are looked at, whosever they are.

    Raises:
        StoreError: the store cannot be read.
    """
    found: list[Record] = []
    cut, first = False, datetime.max.replace(tzinfo=UTC)
    for seen, record in enumerate(stored_records(store)):
        at = moment(record.at)
        if at < since:
            break
        if seen == most:
            cut = True
            break
        first = min(first, at)
        if tenant in (None, record.tenant):
            found.append(_slim(record))
    return Lately(since=since, records=tuple(found), cut=cut, first=first)


def moment(at: str) -> datetime:
    """A time in ISO 8601, UTC where it does not say."""
    parsed = datetime.fromisoformat(at)
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed


def _slim(record: Record) -> Record:
    verdicts = tuple(map(_slim_verdict, record.verdict.verdicts))
    return replace(
        record,
        verdict=replace(record.verdict, verdicts=verdicts),
        planned=Sample(),
        samples=(),
        tools=(),
        conversation=(),
    )


def _slim_verdict(verdict: Verdict) -> Verdict:
    return replace(verdict, call=replace(verdict.call, arguments={}), clusters=())
