"""The secret by which audits are drawn: one a store, made on first use."""

from __future__ import annotations

import secrets
from typing import Final

from guardrail.errors import StoreError
from guardrail.store import Store

KEY: Final = "audit-seed"
"""Where the store keeps it."""


def audit_seed(store: Store) -> str:
    """The store's seed, the same for every process; the first that asks makes it.

    Raises:
        StoreError: the store could not be read or written.
    """
    if (kept := store.state(KEY)) is None:
        store.put_state(KEY, secrets.token_hex(32), revision=0)
        kept = store.state(KEY)
    if kept is None or not kept[1]:
        raise StoreError(f"the seed of the audits ({KEY}) cannot be kept in this store: its state is empty")
    return kept[1]
