"""Values that are dear to make and good for some seconds: pages that are reloaded do not read the store anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
_MOST: Final = 64


@dataclass
class _Kept(Generic[T]):
    value: T | None = None
    at: float = 0.0
    lock: Any = field(default_factory=threading.Lock)


class Fresh(Generic[T]):
    """Values by tenant and what they are about, each good for so many ``seconds``. Whoever asks for one while it is
    made waits for it, so that it is made once.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: dict[tuple[str, str], _Kept[T]] = {}

    def get(self, tenant: str, about: str, make: Callable[[], T]) -> T:
        """The value, made anew where it is too old."""
        with self._lock:
            if len(self._kept) >= _MOST:
                self._kept.clear()
            kept = self._kept.setdefault((tenant, about), _Kept())
        with kept.lock:
            if kept.value is None or self._clock() - kept.at > self._seconds:
                kept.value = make()
                kept.at = self._clock()
            return kept.value

    def forget(self, tenant: str) -> None:
        """Somebody of this tenant changed something, and is to see it."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == tenant]:
                del self._kept[key]
