"""Backup, size and retention of an SQLite store."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from guardrail.store import changes, rows, sqlite_log
from guardrail.store.care import TABLES, Pruned, StoreInfo, UndoneError, in_batches, new_file, undo, untouched
from guardrail.store.database import Database
from guardrail.store.queries import queries
from guardrail.types import Review


def backup(database: Database, path: Path) -> None:
    """Everything, as it stands at one moment, in a new file."""
    with new_file(path) as part, database.read() as source:
        target = sqlite3.connect(part)
        try:
            source.backup(target)
            target.execute("PRAGMA journal_mode = DELETE")  # one file, whole by itself
        finally:
            target.close()


def info(database: Database, url: str) -> StoreInfo:
    """What the store holds."""
    with database.read() as connection:
        counts = {name: connection.execute(queries()[f"count_{name}"]).fetchone()[0] for name in TABLES}
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    return StoreInfo(url=url, version=version, bytes=pages * size, rows=counts)


def prune(database: Database, before: str, *, by: str, dry_run: bool) -> Pruned:
    """Delete what is old, some at once, the reviews first."""
    end = rows.sort_key(before)
    if dry_run:
        try:
            with database.write() as connection:
                undo(
                    in_batches(
                        lambda batch: batch(connection), (_reviews, _records, _sealed), before=end, by=by, dry_run=True
                    )
                )
        except UndoneError as undone:
            return undone.pruned

    def own(batch: Callable[[sqlite3.Connection], tuple[int, Pruned]]) -> tuple[int, Pruned]:
        with database.write() as connection:
            return batch(connection)

    return in_batches(own, (_reviews, _records, _sealed), before=end, by=by, dry_run=False)


def _reviews(connection: sqlite3.Connection, asked: dict[str, Any], by: str, *, dry_run: bool) -> tuple[int, Pruned]:
    found = connection.execute(queries()["prunable_reviews"], asked).fetchall()
    old = [row for row in found if untouched(row[2], asked["before"])]
    for seq, identity, body in old:
        connection.execute(queries()["delete_review"], {"seq": seq})
        if not dry_run:
            tenant = rows.decode(Review, body, f"review {identity}").tenant
            digest = rows.body_digest(body)
            entry = changes.purged("review", identity, digest, by=by, at=changes.now(), tenant=tenant)
            sqlite_log.append(connection, entry)
    return (found[-1][0] if found else -1), Pruned(reviews=len(old))


def _records(connection: sqlite3.Connection, asked: dict[str, Any], by: str, *, dry_run: bool) -> tuple[int, Pruned]:
    found = connection.execute(queries()["prunable_records"], asked).fetchall()
    labels = 0
    for _, identity in found:
        for (body,) in connection.execute(queries()["labels"], {"record_id": identity}).fetchall():
            labels += 1
            if not dry_run:
                entry = changes.purged("label", identity, rows.body_digest(body), by=by, at=changes.now())
                sqlite_log.append(connection, entry)
        connection.execute(queries()["delete_labels"], {"record_id": identity})
        connection.execute(queries()["delete_uses"], {"record_id": identity})
        connection.execute(queries()["delete_record"], {"record_id": identity})
    return (found[-1][0] if found else -1), Pruned(records=len(found), labels=labels)


def _sealed(connection: sqlite3.Connection, asked: dict[str, Any], by: str, *, dry_run: bool) -> tuple[int, Pruned]:
    """What was sealed for reviews that are not there any more."""
    del by, dry_run
    connection.execute(queries()["delete_sealed"], asked)
    return -1, Pruned()
