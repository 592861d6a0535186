"""SQLite connections: one a thread, set up alike, their errors translated in one place."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from guardrail.errors import StoreError, StoreFull, StoreLocked
from guardrail.store.migrate import migrate, transaction
from guardrail.store.queries import Value
from guardrail.store.together import Together

T = TypeVar("T")
# A connection must not be used, nor closed, by the child of a fork: it would disturb the parent's.
_inherited: list[sqlite3.Connection] = []

# In WAL mode a commit survives a crash of the program either way. It survives a power cut only with FULL, which
# syncs the log with every commit (and with all that was committed before it); macOS needs fullfsync as well.
_POLL = 0.05
_SYNC = {True: "PRAGMA synchronous = FULL", False: "PRAGMA synchronous = NORMAL"}
_LOG_PAGES = 8000
"""Pages of 4 KiB that the log may have before they are copied into the database, with two syncs. A change of a review
writes some 14, most of which the next one writes again: with SQLite's own 1,000, every 70th commit would copy them.
"""
_SETTINGS = (
    _SYNC[True],
    "PRAGMA fullfsync = ON",
    "PRAGMA foreign_keys = ON",
    f"PRAGMA wal_autocheckpoint = {_LOG_PAGES}",
)


class _Held:
    """One thread's connection; closed when the thread ends (Python 3.13 warns of one that nobody closes)."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self.synced = True
        self.pid = os.getpid()

    def close(self) -> None:
        if self.pid == os.getpid():
            self.connection.close()
        else:
            _inherited.append(self.connection)

    __del__ = close


class Database:
    """One SQLite file. ``timeout`` is how long to wait for a lock, in seconds.

    Raises:
        StoreError: it cannot be opened, is no guardrail database, or (with ``create`` false) is not there.
        StoreTooNew: a newer version of this package wrote it.
    """

    def __init__(self, path: Path, *, create: bool, timeout: float) -> None:
        self.path = path
        self._timeout = timeout
        self._closed = False
        self._writer: _Held | None = None
        self._start()
        self._check_path(create=create)
        try:
            with self._translated():
                migrate(self._connection("rwc" if create else "rw"), path, timeout=timeout)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """The thread's connection, in one read transaction: what it sees is of one moment."""
        with self._translated(), transaction(self._connection("rw"), "BEGIN") as connection:
            yield connection

    @contextmanager
    def write(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """The thread's connection, in a transaction that is committed at the end and undone on any error.

        ``synced``: once committed, it survives a power cut (some milliseconds on a slow disk).
        """
        with self._translated():
            connection = self._connection("rw")
            if self._local.held.synced != synced:
                connection.execute(_SYNC[synced])
                self._local.held.synced = synced
            with self._turn(), transaction(connection, "BEGIN IMMEDIATE"):
                yield connection

    def together(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """What ``work`` gives in a durable transaction, which it shares with those that other threads ask for now.

        It may be done again, where that of another one failed; what it raises undoes only its own.
        """
        if self._closed:
            raise self._closed_error()
        self._leave_to_parent()
        return self._together(work)

    def look(self, query: str, given: Mapping[str, Value] | None = None) -> tuple[Any, ...] | None:
        """The first row of a query, which sees one moment by itself and needs no transaction."""
        with self._translated():
            found: tuple[Any, ...] | None = self._connection("rw").execute(query, given or ()).fetchone()
            return found

    def wait_for_commit(self, seconds: float) -> None:
        """Until another connection has committed something, for so many seconds, or for one: whoever asks looks then,
        for what was committed just before.
        """
        deadline = time.monotonic() + min(seconds, 1.0)
        before = self._version()
        while self._version() == before and (left := deadline - time.monotonic()) > 0:
            time.sleep(min(left, _POLL))

    def close(self) -> None:
        """Close the connections of all threads."""
        self._leave_to_parent()
        with self._holding:
            self._closed = True
            for held in self._held:
                held.close()

    def _commit(self, works: Sequence[Callable[[sqlite3.Connection], object]]) -> list[object]:
        """One transaction, on a connection that only these have: what it has read before is still in memory."""
        with self._translated():
            writer = self._writer = self._writer or self._opened("rw")
            with self._turn(), transaction(writer.connection, "BEGIN IMMEDIATE") as connection:
                return [work(connection) for work in works]

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Threads of one process follow each other without asking SQLite again and again whether it is their turn."""
        if not self._writing.acquire(timeout=self._timeout):
            raise StoreLocked(
                f"{self.path} is being written by another thread of this program (waited {self._timeout:g} s): try "
                "again; nothing was written"
            )
        try:
            yield
        finally:
            self._writing.release()

    def _version(self) -> int:
        found = self.look("PRAGMA data_version")
        return int(found[0]) if found else 0

    def _start(self) -> None:
        self._pid = os.getpid()
        self._local = threading.local()
        self._held: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._holding = threading.Lock()
        self._writing = threading.Lock()
        self._writer = None
        self._together = Together(self._commit)

    def _leave_to_parent(self) -> None:
        """In the child of a fork, have connections and a lock of its own."""
        if self._pid != os.getpid():
            self._start()

    def _connection(self, mode: str) -> sqlite3.Connection:
        self._leave_to_parent()
        held: _Held | None = getattr(self._local, "held", None)
        if held is None or self._closed:
            self._local.held = held = self._opened(mode)
        return held.connection

    def _opened(self, mode: str) -> _Held:
        if self._closed:
            raise self._closed_error()
        connection = sqlite3.connect(
            f"{self.path.as_uri()}?mode={mode}",
            uri=True,
            timeout=self._timeout,
            isolation_level=None,
            check_same_thread=False,  # used by one thread at a time, closed by any
        )
        held = _Held(connection)
        with self._holding:
            self._held.add(held)
        for setting in _SETTINGS:
            connection.execute(setting)
        return held

    def _closed_error(self) -> StoreError:
        return StoreError(f"the store {self.path} is closed: open it again")

    def _check_path(self, *, create: bool) -> None:
        if not self.path.parent.is_dir():
            raise StoreError(f"the folder {self.path.parent} does not exist: create it, or name another store")
        if self.path.is_dir():
            raise StoreError(f"{self.path} is a folder: name a file in it, such as {self.path / 'guardrail.db'}")
        if not create and not self.path.exists():
            raise StoreError(
                f"there is no database at {self.path}: name the one that the guard writes "
                "with --store or GUARDRAIL_STORE"
            )

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise self._translate(error) from error

    def _translate(self, error: sqlite3.Error) -> StoreError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the low byte is the kind, the rest a detail
        path = self.path
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return StoreLocked(
                f"{path} is locked by another process (waited {self._timeout:g} s): try again, "
                "or end the program that holds it; nothing was written"
            )
        if code == sqlite3.SQLITE_FULL:
            return StoreFull(f"no room left to write {path}: free some disk space and try again; nothing was written")
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return StoreError(
                f"{path} cannot be opened for writing: check the permissions of the file and of its folder, "
                f"where SQLite keeps two more files ({error})"
            )
        if code == sqlite3.SQLITE_NOTADB:
            return StoreError(f"{path} is not a database: name another store, or move this file away")
        if code == sqlite3.SQLITE_CORRUPT:
            return StoreError(f"{path} is damaged: restore it from a backup, or move it away ({error})")
        return StoreError(f"{path} could not be read or written: {error}")
