"""What a store that lasts needs now and then: a backup, its size told, and what is old deleted."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, Protocol

from guardrail.codec import to_json
from guardrail.errors import StoreError
from guardrail.store.protocol import Store
from guardrail.store.rows import sort_key
from guardrail.types import Review, ReviewFilter

AT_ONCE = 200
"""Values deleted in one transaction, so that nobody waits long."""
TABLES = (
    "records",
    "labels",
    "reviews",
    "draws",
    "alarms",
    "states",
    "spendings",
    "audit_log",
    "notices",
    "sealed",
    "access",
)
_PAGE = 500


@dataclass(frozen=True, kw_only=True)
class Pruned:
    """How many values were deleted."""

    reviews: int = 0
    records: int = 0
    labels: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(
            reviews=self.reviews + other.reviews,
            records=self.records + other.records,
            labels=self.labels + other.labels,
        )


class UndoneError(Exception):
    """Ends the transaction of a dry run."""

    def __init__(self, pruned: Pruned) -> None:
        super().__init__()
        self.pruned = pruned


def in_batches(
    run: Callable[..., tuple[int, Pruned]],
    kinds: Sequence[Callable[..., tuple[int, Pruned]]],
    *,
    before: str,
    by: str,
    dry_run: bool,
) -> Pruned:
    """What retention deletes, kind by kind and ``AT_ONCE`` rows at a time: no other writer waits for long.

    ``run`` gives a batch its connection; a batch says behind which row the next one begins (-1: there is none).
    """
    total = Pruned()
    for some in kinds:
        after = 0
        while after >= 0:
            asked = {"before": before, "after": after, "limit": AT_ONCE}
            after, pruned = run(lambda connection, some=some, asked=asked: some(connection, asked, by, dry_run=dry_run))
            total += pruned
    return total


def undo(pruned: Pruned) -> NoReturn:
    """End a dry run, of which nothing stays but what it found."""
    raise UndoneError(pruned)


@dataclass(frozen=True, kw_only=True)
class StoreInfo:
    """What a store holds: its version, its bytes on the disk, and how many rows each table has."""

    url: str
    version: int
    bytes: int
    rows: dict[str, int]


class LastingStore(Store, Protocol):
    """A store that outlives the process."""

    def backup(self, path: Path) -> None:
        """Write everything, as it stands at one moment, into a new file, while others go on.

        Raises:
            StoreError: the file is there, or cannot be written.
        """

    def prune(self, before: str, *, by: str, dry_run: bool = False) -> Pruned:
        """Delete closed reviews that nobody has touched since that moment (ISO 8601), and records as old to which no
        review belongs any more, with their labels and the uses of their calls; say how many.

        Records that were drawn to be judged stay, and so does the newest of each kind. The audit log stays whole, and
        says of each deleted review and label that it was deleted, by whom. A dry run deletes nothing.
        """

    def info(self) -> StoreInfo:
        """What the store holds."""


def untouched(body: str, before: str) -> bool:
    """Whether the last thing that happened to a review was before that moment, a sort key."""
    history = json.loads(body).get("history") or ()
    return all(sort_key(event["at"]) < before for event in history[-1:])


@contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """A file to write into that becomes ``path`` when it is whole; only its owner may read it.

    Raises:
        StoreError: there is such a file, or none can be written.
    """
    if path.exists():
        raise StoreError(f"{path} is there already: name a new file")
    part = path.with_name(f"{path.name}.part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        try:
            yield part
            with part.open("rb+") as file:
                os.fsync(file.fileno())
            part.rename(path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"{path} cannot be written: {error.strerror or error}") from error


def export(store: Store, folder: Path) -> dict[str, int]:
    """Write records (with their labels), reviews, what is sealed of them (encrypted, as it is kept), draws, alarms and
    the audit log into JSON lines, a file each, and say how many there are of each. Pages are read one after the other,
    so what changes meanwhile may be in it or not.

    Raises:
        StoreError: the folder holds such a file, or cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"{folder} cannot be made: {error.strerror or error}") from error
    kinds = {
        "records": _records(store),
        "reviews": _reviews(store),
        "sealed": _sealed(store),
        "draws": _draws(store),
        "alarms": iter(store.alarms(standing=False)),
        "audit": _entries(store),
    }
    return {name: _write(folder / f"{name}.jsonl", values) for name, values in kinds.items()}


def _write(path: Path, values: Iterator[object]) -> int:
    count = 0
    with new_file(path) as part, part.open("w", encoding="ascii") as file:
        for value in values:
            file.write(json.dumps(to_json(value), separators=(",", ":")) + "\n")
            count += 1
    return count


def _records(store: Store) -> Iterator[object]:
    before = None
    while page := store.records(limit=_PAGE, before=before):
        yield from page
        before = page[-1].id


def _reviews(store: Store) -> Iterator[Review]:
    for tenant in store.audit_tenants():
        page = store.find_reviews(ReviewFilter(tenant=tenant), limit=_PAGE)
        yield from page.reviews
        while page.after:
            page = store.find_reviews(ReviewFilter(tenant=tenant), limit=_PAGE, after=page.after)
            yield from page.reviews


def _sealed(store: Store) -> Iterator[object]:
    """As they are kept: encrypted."""
    for review in _reviews(store):
        yield from store.sealed(review.id)


def _draws(store: Store) -> Iterator[object]:
    after = 0
    while page := store.draws(limit=_PAGE, after=after):
        yield from (draw for _, draw in page)
        after = page[-1][0]


def _entries(store: Store) -> Iterator[object]:
    for tenant in store.audit_tenants():
        with store.audit_view(tenant=tenant) as view:
            yield from view.entries
