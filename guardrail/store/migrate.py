"""The database's shape: the sum of the migrations, each of which runs once, in order, under a lock."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path

from guardrail.errors import StoreError, StoreTooNew
from guardrail.store import sqlite_log

_AFTERWARDS: dict[int, Callable[[sqlite3.Connection], None]] = {4: sqlite_log.begin}
"""What SQL alone cannot do after the script of that number."""
APPLICATION_ID = 0x67726C31  # "grl1": tells our files from other programs' SQLite files


@cache
def migrations() -> tuple[str, ...]:
    """The scripts, oldest first; a script's position, from 1, is the version it leads to."""
    folder = files("guardrail.store") / "migrations"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return tuple((folder / name).read_text(encoding="utf-8") for name in names)


def migrate(connection: sqlite3.Connection, path: Path, *, timeout: float) -> None:
    """Bring the database to the newest version. Safe when several processes do so at once.

    Raises:
        StoreTooNew: the database is of a newer version.
        StoreError: it belongs to another program.
    """
    with transaction(connection, "BEGIN"):
        if _version(connection, path) == len(migrations()):
            return
    _use_wal(connection, timeout)
    with transaction(connection, "BEGIN IMMEDIATE"):
        done = _version(connection, path)
        for number, script in enumerate(migrations()[done:], start=done + 1):
            for statement in statements(script):
                connection.execute(statement)
            if number in _AFTERWARDS:
                _AFTERWARDS[number](connection)
            connection.execute(f"PRAGMA user_version = {number}")
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")


@contextmanager
def transaction(connection: sqlite3.Connection, begin: str) -> Iterator[sqlite3.Connection]:
    """Committed at the end, undone on any error."""
    connection.execute(begin)
    try:
        yield connection
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def statements(script: str) -> Iterator[str]:
    """The statements of a script, one by one: ``executescript`` would end our transaction."""
    statement = ""
    for piece in re.split(r"(?<=;)", script):
        statement += piece
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _version(connection: sqlite3.Connection, path: Path) -> int:
    (owner,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if owner != APPLICATION_ID and (owner or version or tables):
        raise StoreError(f"{path} is the database of another program: give the guard a file of its own")
    if version > len(migrations()):
        raise StoreTooNew(
            f"{path} has version {version}, this package knows up to {len(migrations())}: "
            "run pip install --upgrade guardrail-middleware, or name another store"
        )
    return int(version)


def _use_wal(connection: sqlite3.Connection, timeout: float) -> None:
    # SQLite does not wait for the lock that this change needs, whatever the connection's timeout.
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() >= deadline:
                raise
            time.sleep(0.01)
        else:
            return
