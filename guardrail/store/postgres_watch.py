"""LISTEN and NOTIFY: whoever waits for a change is told by whoever made it, in whichever process.

A notification says only that something may have changed. It is sent after the commit, and one stands for many: in a
transaction it would make all writers of the database commit one by one. Where it is lost, since a process ended before
it was sent or a connection broke, those who wait look for themselves once a second.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress

import psycopg

from guardrail.errors import StoreError
from guardrail.store.postgres_database import Connection, Database

_LOOK_EVERY = 1.0
_SPACING = 0.1
"""Seconds between two notifications of one process: the first of a burst is sent at once."""


class Watch:
    """The notifications of one store: a thread that sends and one that listens, each begun when it is needed."""

    _sender: threading.Thread | None
    _listener: threading.Thread | None

    def __init__(self, database: Database) -> None:
        self._database = database
        # a name of letters, digits and underscores, as that of the schema
        self._name = f"{database.address.schema}_changes"[-63:].lstrip("0123456789").encode()
        self._start()

    def changed(self) -> None:
        """Say, soon, that something was committed."""
        self._own()
        self._pending.set()
        if self._sender is None:
            with self._told:
                if self._sender is None and not self._stopped.is_set():
                    self._sender = self._thread(self._send)

    def sleep(self, seconds: float) -> None:
        """Until something may have changed since the last time, or for so many seconds, or a while."""
        self._own()
        with self._told:
            if self._listener is None and not self._stopped.is_set():
                self._listener = self._thread(self._listen)
            heard = self._heard
            self._told.wait_for(lambda: self._heard != heard or self._stopped.is_set(), min(seconds, _LOOK_EVERY))

    def close(self) -> None:
        """Send what is to be sent, and end both threads."""
        if self._pid != os.getpid():
            return
        self._stopped.set()
        with self._told:
            self._told.notify_all()
        if self._pending.is_set():
            with suppress(StoreError):  # they look for themselves
                self._database.read(self._notify)
        self._pending.set()
        for thread in (self._sender, self._listener):
            if thread is not None and thread is not threading.current_thread():
                thread.join(2)

    def _start(self) -> None:
        self._pid = os.getpid()
        self._stopped = threading.Event()
        self._pending = threading.Event()
        self._told = threading.Condition()
        self._heard = 0
        self._sender = None
        self._listener = None

    def _own(self) -> None:
        """The child of a fork has none of its parent's threads."""
        if self._pid != os.getpid():
            self._start()

    def _thread(self, target: Callable[[], None]) -> threading.Thread:
        thread = threading.Thread(target=target, name="guardrail-store", daemon=True)
        thread.start()
        return thread

    def _send(self) -> None:
        """On a connection of its own: one taken from the pool would have changes take turns on two, each with caches to
        fill.
        """
        while not self._stopped.is_set():
            with suppress(psycopg.Error), self._database.connect() as connection:
                while self._pending.wait() and not self._stopped.is_set():
                    self._notify(connection)
                    self._stopped.wait(_SPACING)
            self._stopped.wait(_LOOK_EVERY)

    def _notify(self, connection: Connection) -> None:
        self._pending.clear()
        # not synced: nobody has to be told again after a power cut
        said = b"BEGIN; SET LOCAL synchronous_commit = off; NOTIFY " + self._name + b"; COMMIT"
        connection.execute(said, prepare=False)

    def _listen(self) -> None:
        while not self._stopped.is_set():
            with suppress(psycopg.Error), self._database.connect() as connection:
                connection.execute(b"LISTEN " + self._name)
                self._hear(connection)
            self._stopped.wait(_LOOK_EVERY)

    def _hear(self, connection: Connection) -> None:
        while not self._stopped.is_set():
            for _ in connection.notifies(timeout=0.5, stop_after=1):
                with self._told:
                    self._heard += 1
                    self._told.notify_all()
