"""PostgreSQL connections: a pool of them, set up alike, their errors translated in one place."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import psycopg
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool, PoolClosed, PoolTimeout

from guardrail.errors import StoreError
from guardrail.store.postgres_address import Address
from guardrail.store.postgres_errors import translate
from guardrail.store.postgres_migrate import ROOM, lock_number, migrate
from guardrail.store.queries import queries

T = TypeVar("T")
Connection = psycopg.Connection[tuple[Any, ...]]
_IDLE = 600
"""Seconds after which the server ends a transaction in which nothing happens."""
# The child of a fork must not use its parent's connections, nor close them.
_inherited: list[object] = []


class Database:
    """A schema of one PostgreSQL database. ``timeout`` is how long to wait for a lock or a connection, in seconds,
    ``statement_timeout`` how long one statement may take, ``pool_size`` how many connections there are at most.

    Raises:
        StoreError: it cannot be reached, belongs to another program, or (with ``create`` false) is not there.
        StoreTooNew: a newer version of this package wrote it.
    """

    def __init__(
        self, address: Address, *, create: bool, timeout: float, statement_timeout: float, pool_size: int
    ) -> None:
        self.address = address
        self._timeout = timeout
        self._statement_timeout = statement_timeout
        self._pool_size = pool_size
        self._closed = False
        with self.translated(), self.connect() as connection:
            migrate(connection, address.schema, address.shown, create=create)
        self._start()

    def read(self, work: Callable[[Connection], T]) -> T:
        """What one statement finds."""
        return self._run(work, None)

    def moment(self, work: Callable[[Connection], T]) -> T:
        """What several statements find; all see one moment."""
        return self._run(work, queries("postgresql")["begin_moment"])

    def write(self, work: Callable[[Connection], T], *, synced: bool = True) -> T:
        """What a transaction gives, which is committed at the end and undone on any error.

        ``work`` is done again where the server had gone before any of it could count.

        ``synced``: once committed, it survives a power cut.
        """
        return self._run(work, "BEGIN" if synced else f"BEGIN; {queries('postgresql')['not_synced']}")

    def change(self, work: Callable[[Connection], T]) -> T:
        """What one statement gives that changes something: a durable transaction by itself, in one round trip."""
        return self._run(work, None, changing=True)

    @contextmanager
    def view(self) -> Iterator[Connection]:
        """A connection in one read transaction, while the context is open."""
        with self.translated():
            pool = self._open_pool()
            pool.check()
            with pool.connection(self._timeout) as connection:
                connection.execute(queries("postgresql")["begin_moment"].encode())
                try:
                    yield connection
                finally:
                    connection.rollback()

    def in_turn(self, connection: Connection, what: str) -> None:
        """Wait for every other transaction that writes ``what``, so that numbers grow in the order of commits."""
        given = {"room": ROOM, "what": lock_number(self.address.schema, what)}
        connection.execute(queries("postgresql")["in_turn"].encode(), given)

    def connect(self) -> Connection:
        """A connection of its own, closed by whoever asked."""
        connection = psycopg.connect(self.address.conninfo, **self._arguments())
        self._configure(connection)
        return connection

    @contextmanager
    def translated(self) -> Iterator[None]:
        """Errors of PostgreSQL as those of a store."""
        try:
            yield
        except PoolClosed as error:
            raise self._closed_error() from error
        except psycopg.Error as error:
            raise translate(error, self.address.shown, self._timeout) from error

    def close(self) -> None:
        """Close every connection."""
        self._closed = True
        if self._pid == os.getpid():
            self._close()

    @property
    def closed(self) -> bool:
        """Whether ``close`` was called."""
        return self._closed

    def _run(self, work: Callable[[Connection], T], begin: str | None, *, changing: bool = False) -> T:
        with self.translated():
            try:
                return self._once(work, begin, changing=changing)
            except _GoneError:
                self._open_pool().check()  # the others went with it
            try:
                return self._once(work, begin, changing=changing)
            except _GoneError as gone:
                raise gone.error from None

    def _once(self, work: Callable[[Connection], T], begin: str | None, *, changing: bool) -> T:
        pool = self._open_pool()
        connection = self._taken(pool)
        committing = False
        try:
            if changing:
                _check_alive(connection)
                committing = True
            if begin is not None:
                connection.execute(begin.encode(), prepare=False)
            done = work(connection)
            if begin is not None:
                committing = True
                connection.execute(b"COMMIT")
        except psycopg.OperationalError as error:
            if not connection.broken:
                raise
            if committing:
                raise StoreError(
                    f"the connection to {self.address.shown} was lost while a change was committed: it may have been "
                    "made or not; look before you try again"
                ) from error
            raise _GoneError(error) from error
        else:
            return done
        finally:
            if not connection.broken and connection.info.transaction_status is not TransactionStatus.IDLE:
                connection.rollback()
            pool.putconn(connection)  # drops what is broken

    def _taken(self, pool: ConnectionPool[Connection]) -> Connection:
        try:
            return pool.getconn(self._timeout)
        except PoolTimeout:
            self.connect().close()  # says why, where the server is what fails
            raise

    def _open_pool(self) -> ConnectionPool[Connection]:
        if self._closed:
            raise self._closed_error()
        if self._pid != os.getpid():
            _inherited.append(self._pool)
            self._close.detach()
            self._start()
        return self._pool

    def _start(self) -> None:
        self._pid = os.getpid()
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            self.address.conninfo,
            kwargs=self._arguments(),
            configure=self._configure,
            min_size=0,
            max_size=self._pool_size,
            num_workers=1,
            max_idle=60,
            open=True,
        )
        self._close = weakref.finalize(self, _close, self._pool, self._pid)

    def _arguments(self) -> dict[str, Any]:
        return {
            "autocommit": True,
            "connect_timeout": max(2, int(self._timeout)),
            "application_name": "guardrail",
            "client_encoding": "UTF8",
        }

    def _configure(self, connection: Connection) -> None:
        settings = {
            "search_path": self.address.schema,
            "lock_timeout": f"{int(self._timeout * 1000)}ms",
            "statement_timeout": f"{int(self._statement_timeout * 1000)}ms",
            "idle_in_transaction_session_timeout": f"{_IDLE}s",
            "default_transaction_isolation": "read committed",
        }
        calls = ", ".join(f"set_config('{name}', %({name})s, false)" for name in settings)
        connection.execute(f"SELECT {calls}".encode(), settings)

    def _closed_error(self) -> StoreError:
        return StoreError(f"the store {self.address.shown} is closed: open it again")


class _GoneError(Exception):
    """The server had gone before anything could be committed."""

    def __init__(self, error: psycopg.Error) -> None:
        super().__init__(str(error))
        self.error = error


def _check_alive(connection: Connection) -> None:
    """Whether the server has closed the connection, as far as is known here: asking it would be a round trip."""
    for _ in range(2):  # what it said at last, and that there is no more
        connection.pgconn.consume_input()


def _close(pool: ConnectionPool[Connection], pid: int) -> None:
    if pid == os.getpid():
        pool.close()
