"""Values that are dear to make and good for some seconds: pages that are reloaded do not read the store anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

T = TypeVar("T")
SHARE: Final = 10
"""A value that takes long to make is good for so many times as long, so that no more than a tenth of one processor
goes into making it, however often it is asked for.
"""
_MOST: Final = 64


@dataclass
class _Kept(Generic[T]):
    value: T | None = None
    until: float = 0.0
    lock: Any = field(default_factory=threading.Lock)


class Fresh(Generic[T]):
    """Values by tenant and what they are about, each good for ``seconds`` at least. Whoever asks for one while it is
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
            begun = self._clock()
            if kept.value is None or begun > kept.until:
                kept.value = make()
                now = self._clock()
                kept.until = now + max(self._seconds, SHARE * (now - begun))
            return kept.value

    def change(self, tenant: str, about: str, change: Callable[[T], T]) -> None:
        """Put right what is kept, if something is, where somebody knows what became of it."""
        with self._lock:
            kept = self._kept.get((tenant, about))
        if kept is None:
            return
        with kept.lock:
            if kept.value is not None:
                kept.value = change(kept.value)

    def forget(self, tenant: str) -> None:
        """Somebody of this tenant changed something, and is to see it."""
        with self._lock:
            for key in [key for key in self._kept if key[0] == tenant]:
                del self._kept[key]
