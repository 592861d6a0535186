"""Failed attempts make the next one wait, by account and by address, also across processes and restarts."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Final

from guardrail.codec import digest
from guardrail.errors import TooManyAttempts
from guardrail.store import Store
from guardrail.types import AccessEntry, AccessKind

_FREE: Final = {"account": 5, "address": 20}
"""Failures that cost nothing."""
_LONGEST: Final = {"account": 60.0, "address": 900.0}
"""Seconds that a wait may grow to. An account's is short, so that nobody is locked out by somebody else's failures."""
_FORGET: Final = timedelta(hours=1)
_RACES: Final = 16


class Throttle:
    """Counts failures of a kind (``account`` or ``address``) in the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def attempt(self, now: datetime, **whose: str) -> None:
        """Count an attempt before it is made, so that of many at once none goes uncounted.

        Raises:
            TooManyAttempts: it may not be made yet.
        """
        waits = [self._wait(kind, value, now) for kind, value in whose.items() if value]
        if (longest := max(waits, default=0.0)) > 0:
            raise TooManyAttempts(longest)
        for kind, value in whose.items():
            if value and not self._add(kind, value, now, 1):
                raise TooManyAttempts(1.0)

    def succeeded(self, now: datetime, *, account: str = "", address: str = "") -> None:
        """Forget the failures of an account, and that this attempt came from an address."""
        if account and self._entry("account", account) is not None:
            self._store.drop_access(AccessKind.ATTEMPTS, _id("account", account))
        if address:
            self._add("address", address, now, -1)

    def _add(self, kind: str, value: str, now: datetime, more: int) -> bool:
        for _ in range(_RACES):
            before = self._entry(kind, value)
            count, _ = _read(before, now)
            if self._store.put_access(_written(_id(kind, value), before, kind, max(0, count + more), now)):
                return True
        return False

    def _wait(self, kind: str, value: str, now: datetime) -> float:
        _, until = _read(self._entry(kind, value), now)
        return 0.0 if until is None else max(0.0, (until - now).total_seconds())

    def _entry(self, kind: str, value: str) -> AccessEntry | None:
        return self._store.access(AccessKind.ATTEMPTS, _id(kind, value))


def _id(kind: str, value: str) -> str:
    return digest("attempts", kind, value)


def _read(entry: AccessEntry | None, now: datetime) -> tuple[int, datetime | None]:
    """How many failures there were, and until when the next attempt waits."""
    if entry is None or datetime.fromisoformat(entry.expires) <= now:
        return 0, None
    body = json.loads(entry.body)
    return int(body["count"]), datetime.fromisoformat(body["until"])


def _written(identity: str, before: AccessEntry | None, kind: str, count: int, now: datetime) -> AccessEntry:
    over = count - _FREE[kind]
    wait = min(2.0 ** min(over, 20), _LONGEST[kind]) if over >= 0 else 0.0
    until = now + timedelta(seconds=wait)
    return AccessEntry(
        kind=AccessKind.ATTEMPTS,
        id=identity,
        body=json.dumps({"count": count, "until": until.isoformat()}),
        expires=(now + _FORGET).isoformat(),
        revision=1 if before is None else before.revision + 1,
    )
