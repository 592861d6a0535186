"""Leases on threads: of all workers on one store, one at a time resumes a thread.

They live in a few rows of the store's small states, each a JSON object from thread to lease, and change by
compare-and-set. A lease that is given back leaves nothing behind. One whose worker died runs out, and whoever takes
it then learns that a run was begun and never ended.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Final

from guardrail.errors import StoreError
from guardrail.store import Store

SECONDS: Final = 60.0
"""How long a lease lasts without being renewed."""
_SHARDS: Final = 16
_RACES: Final = 200


@dataclass(frozen=True, kw_only=True)
class Lease:
    """Who holds a thread until when (seconds since 1970). ``begun``: the graph whose run was begun and has not ended.

    ``failures`` counts the runs in a row that ended with an error.
    """

    by: str
    until: float
    begun: str = ""
    failures: int = 0


def worker_name() -> str:
    """A name for this worker that no other has."""
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"


class Leases:
    """The leases of all workers, as one of them sees and changes them.

    Clocks of machines that share a store must agree within a small part of ``seconds``.
    """

    def __init__(
        self, store: Store, *, by: str, seconds: float = SECONDS, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._clock = clock
        self.by = by
        self.seconds = seconds

    def take(self, thread_id: str) -> Lease | None:
        """The lease, with what its last holder left; None while another worker has it, or it has to wait."""
        now = self._clock()

        def change(old: Lease | None) -> Lease | None:
            if old is not None and now < old.until:
                return old
            return replace(old or Lease(by="", until=0.0), by=self.by, until=now + self.seconds)

        taken = self._change(thread_id, change)
        return taken if taken is not None and taken.by == self.by and taken.until == now + self.seconds else None

    def renew(self, thread_id: str, *, begun: str = "") -> bool:
        """Prolong it, and with ``begun`` write down that a run of that graph begins.

        Returns:
            Whether it is still this worker's.
        """
        until = self._clock() + self.seconds
        kept = self._change(
            thread_id,
            lambda old: replace(old, until=until, begun=begun or old.begun) if old and old.by == self.by else old,
        )
        return kept is not None and kept.by == self.by

    def end(self, thread_id: str) -> None:
        """Give it back: nothing is left to do."""
        self._change(thread_id, lambda old: None if old and old.by == self.by else old)

    def put_off(self, thread_id: str, seconds: float, *, failed: bool = False) -> None:
        """Give it back, for nobody to take within ``seconds``."""
        until = self._clock() + seconds
        self._change(
            thread_id,
            lambda old: (
                replace(old, by="", until=until, failures=old.failures + failed) if old and old.by == self.by else old
            ),
        )

    def left(self) -> list[str]:
        """Threads whose worker died, or whose turn has come again."""
        now = self._clock()
        return [
            thread_id
            for shard in range(_SHARDS)
            for thread_id, lease in self._read(shard)[1].items()
            if lease.until <= now
        ]

    def _change(self, thread_id: str, change: Callable[[Lease | None], Lease | None]) -> Lease | None:
        shard = zlib.crc32(thread_id.encode("utf-8", "surrogatepass")) % _SHARDS
        for _ in range(_RACES):
            revision, leases = self._read(shard)
            before = leases.get(thread_id)
            after = change(before)
            if after == before:
                return after
            changed = {name: lease for name, lease in leases.items() if name != thread_id}
            if after is not None:
                changed[thread_id] = after
            text = json.dumps({name: _packed(lease) for name, lease in changed.items()})
            if self._store.put_state(_key(shard), text, revision=revision):
                return after
        raise StoreError("the workers' leases kept changing while one was written: try again")

    def _read(self, shard: int) -> tuple[int, dict[str, Lease]]:
        revision, text = self._store.state(_key(shard)) or (0, "{}")
        return revision, {name: Lease(**kept) for name, kept in json.loads(text).items()}


def _key(shard: int) -> str:
    return f"worker leases {shard:02d}"


def _packed(lease: Lease) -> dict[str, Any]:
    return {"by": lease.by, "until": lease.until, "begun": lease.begun, "failures": lease.failures}
