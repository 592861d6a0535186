"""Where records, reviews and the ledger of spending are kept."""

from __future__ import annotations

from guardrail.errors import ConfigError
from guardrail.store.memory import MemoryStore
from guardrail.store.protocol import Store
from guardrail.store.sqlite import SQLiteStore

__all__ = ["MemoryStore", "SQLiteStore", "Store", "open_store"]


def open_store(url: str, *, create: bool = True) -> Store:
    """The store at a URL: ``sqlite:///relative.db``, ``sqlite:////absolute.db``, a path that ends in ``.db``,
    or ``memory://``, which is a new and empty one each time. With ``create`` false the file must be there.

    Raises:
        ConfigError: the URL names no store.
        StoreError, StoreLocked, StoreTooNew: the store cannot be used; the message says what to do.
    """
    if url == "memory://":
        return MemoryStore()
    scheme, separator, path = url.partition(":///")
    if not separator and url.endswith(".db") and "://" not in url:
        path = url
    elif scheme != "sqlite" or not path or path == ":memory:":
        raise ConfigError(
            f"{url!r} names no store: write sqlite:///guardrail.db (a file here), "
            "sqlite:////var/lib/guardrail.db (anywhere), or memory://"
        )
    return SQLiteStore(path, create=create)
