"""A store of which some operation fails, to see that whatever fails runs nothing."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

from guardrail.errors import StoreError
from guardrail.store import MemoryStore


class BrokenStore(MemoryStore):
    """In memory. ``fails`` names the operation that raises from now on; ``used`` counts them all."""

    fails = ""

    def __init__(self) -> None:
        self.used: Counter[str] = Counter()
        self._counting = threading.Lock()
        super().__init__()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name.startswith("_") or name in _OURS or not callable(found):
            return found

        def operation(*args: Any, **kwargs: Any) -> Any:
            with self._counting:
                self.used[name] += 1
            if name == self.fails:
                raise StoreError("the disk is gone")
            return found(*args, **kwargs)

        return operation


_OURS = {"used", "fails", "url"}
