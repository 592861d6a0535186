"""SQLite connections: one a thread, set up alike, their errors translated in one place."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from guardrail.errors import StoreError, StoreFull, StoreLocked
from guardrail.store.migrate import migrate, transaction

# A connection must not be used, nor closed, by the child of a fork: it would disturb the parent's.
_inherited: list[sqlite3.Connection] = []

# In WAL mode a commit survives a crash of the program either way. It survives a power cut only with FULL, which
# syncs the log with every commit (and with all that was committed before it); macOS needs fullfsync as well.
_POLL = 0.05
_SYNC = {True: "PRAGMA synchronous = FULL", False: "PRAGMA synchronous = NORMAL"}
_SETTINGS = (_SYNC[True], "PRAGMA fullfsync = ON", "PRAGMA foreign_keys = ON")


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
            with transaction(connection, "BEGIN IMMEDIATE"):
                yield connection

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

    def _version(self) -> int:
        with self.read() as connection:
            (version,) = connection.execute("PRAGMA data_version").fetchone()
        return int(version)

    def _start(self) -> None:
        self._pid = os.getpid()
        self._local = threading.local()
        self._held: weakref.WeakSet[_Held] = weakref.WeakSet()
        self._holding = threading.Lock()

    def _leave_to_parent(self) -> None:
        """In the child of a fork, have connections and a lock of its own."""
        if self._pid != os.getpid():
            self._start()

    def _connection(self, mode: str) -> sqlite3.Connection:
        if self._closed:
            raise StoreError(f"the store {self.path} is closed: open it again")
        self._leave_to_parent()
        held: _Held | None = getattr(self._local, "held", None)
        if held is None:
            connection = sqlite3.connect(
                f"{self.path.as_uri()}?mode={mode}",
                uri=True,
                timeout=self._timeout,
                isolation_level=None,
                check_same_thread=False,  # used by one thread, closed by any
            )
            held = _Held(connection)
            with self._holding:
                self._held.add(held)
            for setting in _SETTINGS:
                connection.execute(setting)
            self._local.held = held
        return held.connection

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
