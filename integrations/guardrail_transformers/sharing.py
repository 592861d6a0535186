"""Models that are loaded once in a process, however many objects and threads use them."""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from guardrail.errors import ConfigError

T = TypeVar("T")


class Shared(Generic[T]):
    """Loaded values by key, kept for as long as somebody uses them."""

    def __init__(self) -> None:
        self._values: weakref.WeakValueDictionary[Hashable, T] = weakref.WeakValueDictionary()
        self._locks: defaultdict[Hashable, threading.Lock] = defaultdict(threading.Lock)
        self._guard = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], T]) -> T:
        """The value of that key, loaded by the first who asks while the others wait."""
        with self._guard:
            lock = self._locks[key]
        with lock:
            value = self._values.get(key)
            if value is None:
                value = load()
                self._values[key] = value
            return value


def resolved_device(device: str) -> str:
    """The device itself, or for "auto" the best one that this machine has."""
    if device != "auto":
        return device
    import torch

    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def not_loadable(what: str, name: str, where: str, error: Exception) -> ConfigError:
    """The error that says how to get a model onto this machine."""
    return ConfigError(
        f"{what} {name!r} cannot be loaded on {where!r}: {error}\n"
        f"Give a folder that holds config, tokenizer and weights, or fetch a model of the hub first. "
        f"Run: hf download {name}"
    )
