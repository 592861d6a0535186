"""Waiting until a store changes."""

from __future__ import annotations

import time
from collections.abc import Callable


def wait_for_change(
    mark: Callable[[], int], sleep: Callable[[float], object], timeout: float, since: int | None
) -> bool:
    """Whether ``mark`` grows beyond ``since`` (None: what it is now) within ``timeout`` seconds.

    ``sleep`` waits for a sign that it may have grown, or as many seconds as it is given; it may end early.
    """
    deadline = time.monotonic() + timeout
    start = mark() if since is None else since
    while mark() <= start:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        sleep(left)
    return True
