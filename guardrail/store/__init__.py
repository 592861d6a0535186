"""Where records, reviews and the ledger of spending are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from guardrail.errors import ConfigError, MissingExtra
from guardrail.store.memory import MemoryStore
from guardrail.store.paging import stored_draws, stored_records
from guardrail.store.protocol import Store
from guardrail.store.sqlite import SQLiteStore

if TYPE_CHECKING:
    from guardrail.store.asynchronous import AsyncStore

__all__ = ["AsyncStore", "MemoryStore", "SQLiteStore", "Store", "open_store", "stored_draws", "stored_records"]


def __getattr__(name: str) -> Any:
    # asyncio takes longer to load than all the rest of this room, and the command line has no use for it
    if name != "AsyncStore":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from guardrail.store.asynchronous import AsyncStore

    return AsyncStore


def open_store(url: str, *, create: bool = True) -> Store:
    """The store at a URL: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, a path that ends in ``.db``,
    ``postgresql://user@host/database``, or ``memory://``, which is a new and empty one each time. With ``create``
    false it must be there.

    Raises:
        ConfigError: the URL names no store.
        MissingExtra: it takes an optional package that is not installed.
        StoreError, StoreLocked, StoreTooNew: the store cannot be used; the message says what to do.
    """
    if url == "memory://":
        return MemoryStore()
    if url.startswith(("postgresql://", "postgres://")):
        return _postgres(url, create=create)
    scheme, separator, path = url.partition(":///")
    if not separator and url.endswith(".db") and "://" not in url:
        path = url
    elif scheme != "sqlite" or not path or path == ":memory:":
        raise ConfigError(
            f"{url!r} names no store: write sqlite:///guardrail.db (a file here), "
            "sqlite:////var/lib/guardrail.db (anywhere), postgresql://user@host/database, or memory://"
        )
    return SQLiteStore(path, create=create)


def _postgres(url: str, *, create: bool) -> Store:
    try:
        from guardrail.store.postgres import PostgresStore
    except ImportError as error:
        if (error.name or "").partition(".")[0] in ("psycopg", "psycopg_pool") or "libpq" in str(error):
            raise MissingExtra("a store in PostgreSQL", "postgres") from error
        raise
    return PostgresStore(url, create=create)
