"""Which steps are audited: a draw before anything is sampled, that nobody can foretell and anybody can repeat.

The number of a step follows from its record's id and a secret seed, which the store keeps: so a step that is assessed
again after a crash has the draw that it had, whatever the outcome was, and every process that shares the store draws
alike. Without the seed the ids do not tell which steps are audited.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING, Final

from guardrail.errors import StoreError

if TYPE_CHECKING:
    from guardrail.store import Store

SEED_KEY: Final = "audit-seed"
_BITS: Final = 53
"""As many as a float holds."""
_STEPS: Final = float(1 << _BITS)
_TRIES: Final = 3


def audit_number(seed: str, name: str) -> float:
    """A number in [0, 1), the same for the same seed and name, uniform over names: 53 bits of HMAC-SHA-256."""
    drawn = hmac.digest(seed.encode(), name.encode(), hashlib.sha256)
    return (int.from_bytes(drawn[:8], "big") >> (64 - _BITS)) / _STEPS


def audit_seed(store: Store) -> str:
    """The store's seed; whoever asks first makes it.

    Raises:
        StoreError: it cannot be read or written.
    """
    for _ in range(_TRIES):
        found = store.state(SEED_KEY)
        if found is not None and found[1]:
            return found[1]
        # another process may have written one between
        store.put_state(SEED_KEY, secrets.token_hex(32), revision=0 if found is None else found[0])
    raise StoreError("the seed of the audit draws cannot be kept in the store: open another one")
