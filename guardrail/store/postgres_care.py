"""Backup, restoring, size and retention of a store in PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from psycopg import sql as compose

from guardrail.errors import StoreError
from guardrail.store import changes, postgres_log, rows
from guardrail.store.care import AT_ONCE, TABLES, Pruned, StoreInfo, UndoneError, in_batches, new_file, undo, untouched
from guardrail.store.postgres_database import Connection, Database
from guardrail.store.postgres_log import sql
from guardrail.store.postgres_migrate import migrations
from guardrail.store.postgres_texts import restored
from guardrail.types import AuditEntry, Review

_COPIED = (*TABLES, "audit_heads")
_NUMBERED = ("records", "labels", "reviews", "draws", "alarms", "spendings", "notices")
_FORMAT = "guardrail-middleware backup"


def backup(database: Database, path: Path) -> None:
    """Everything, as it stands at one moment, in JSON lines: a heading, a line for each row, and how many there are."""
    with new_file(path) as part, part.open("w", encoding="utf-8") as file, database.view() as connection:
        file.write(json.dumps({"format": _FORMAT, "version": len(migrations())}) + "\n")
        count = 0
        for table in _COPIED:
            query = compose.SQL("SELECT row_to_json(t)::text FROM {} AS t").format(compose.Identifier(table))
            with connection.cursor("guardrail_backup") as cursor:
                for (row,) in cursor.execute(query):
                    file.write(f'{{"table":"{table}","row":{row}}}\n')
                    count += 1
        file.write(json.dumps({"end": count}) + "\n")


def restore(database: Database, path: Path) -> int:
    """Put the rows of a backup into a store that is empty, all or none, and say how many there are.

    Raises:
        StoreError: the file is no whole backup of this version, or the store is not empty.
    """

    def work(connection: Connection) -> int:
        for table in _COPIED:
            query = compose.SQL("SELECT EXISTS (SELECT 1 FROM {})").format(compose.Identifier(table))
            if connection.execute(query).fetchone() != (False,):
                raise StoreError(f"{database.address.shown} is not empty: restore into a new one, with ?schema=NAME")
        count = 0
        lines = _lines(path)
        while batch := [*islice(lines, AT_ONCE)]:
            for table in dict.fromkeys(table for table, _ in batch):
                query = compose.SQL(
                    "INSERT INTO {0} OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_record(NULL::{0}, %s)"
                ).format(compose.Identifier(table))
                with connection.cursor() as cursor:
                    cursor.executemany(query, [(json.dumps(row),) for name, row in batch if name == table])
            count += len(batch)
        for table in _NUMBERED:
            query = compose.SQL(
                "SELECT setval(pg_get_serial_sequence({0}, 'seq'), max(seq)) FROM {1} HAVING max(seq) IS NOT NULL"
            ).format(compose.Literal(table), compose.Identifier(table))
            connection.execute(query)
        return count

    return database.write(work)


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    problem = StoreError(f"{path} is no whole backup that this version can restore: take another one")
    count, end, heading = 0, None, None
    try:
        with path.open(encoding="utf-8") as file:
            for line in file:
                said = json.loads(line)
                if heading is None:
                    heading = said
                    if said != {"format": _FORMAT, "version": len(migrations())}:
                        raise problem
                elif "end" in said:
                    end = said["end"]
                elif end is not None or said["table"] not in _COPIED:
                    raise problem
                else:
                    count += 1
                    yield said["table"], said["row"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise problem from error
    if end != count:
        raise problem


def info(database: Database) -> StoreInfo:
    """What the store holds."""

    def work(connection: Connection) -> StoreInfo:
        counts = {}
        size = 0
        for table in _COPIED:
            query = compose.SQL("SELECT count(*), pg_total_relation_size({0}) FROM {1}").format(
                compose.Literal(table), compose.Identifier(table)
            )
            for count, taken in connection.execute(query):
                counts[table] = int(count)
                size += int(taken)
        ((version,),) = connection.execute(b"SELECT version FROM about").fetchall()
        rows_of = {name: counts[name] for name in TABLES}
        return StoreInfo(url=database.address.shown, version=version, bytes=size, rows=rows_of)

    return database.moment(work)


def prune(database: Database, before: str, *, by: str, dry_run: bool) -> Pruned:
    """Delete what is old, some at once, the reviews first."""
    end = rows.sort_key(before)
    if not dry_run:
        return in_batches(database.write, (_reviews, _records, _sealed), before=end, by=by, dry_run=False)
    try:
        return database.write(
            lambda connection: undo(
                in_batches(
                    lambda batch: batch(connection), (_reviews, _records, _sealed), before=end, by=by, dry_run=True
                )
            )
        )
    except UndoneError as undone:
        return undone.pruned


def _reviews(connection: Connection, asked: dict[str, Any], by: str, *, dry_run: bool) -> tuple[int, Pruned]:
    found = connection.execute(sql("prunable_reviews"), asked).fetchall()
    old = [row for row in found if untouched(row[2], asked["before"])]
    entries: list[AuditEntry] = []
    for seq, name, body in old:
        connection.execute(sql("delete_review"), {"seq": seq})
        tenant = rows.decode(Review, body, f"review {restored(name)}").tenant
        digest = rows.body_digest(body)
        entries.append(changes.purged("review", restored(name), digest, by=by, at=changes.now(), tenant=tenant))
    if not dry_run:
        postgres_log.append_all(connection, entries)
    return (found[-1][0] if found else -1), Pruned(reviews=len(old))


def _records(connection: Connection, asked: dict[str, Any], by: str, *, dry_run: bool) -> tuple[int, Pruned]:
    found = connection.execute(sql("prunable_records"), asked).fetchall()
    names = [name for _, name in found]
    labels = connection.execute(sql("labels"), {"ids": names}).fetchall() if names else []
    at = changes.now()
    entries = [changes.purged("label", restored(name), rows.body_digest(body), by=by, at=at) for name, body in labels]
    connection.execute(sql("delete_labels"), {"ids": names})
    connection.execute(sql("delete_uses"), {"ids": names})
    connection.execute(sql("delete_records"), {"ids": names})
    if not dry_run:
        postgres_log.append_all(connection, entries)
    return (found[-1][0] if found else -1), Pruned(records=len(found), labels=len(labels))


def _sealed(connection: Connection, asked: dict[str, Any], by: str, *, dry_run: bool) -> tuple[int, Pruned]:
    """What was sealed for reviews that are not there any more."""
    del by, dry_run
    connection.execute(sql("delete_sealed"), asked)
    return -1, Pruned()
