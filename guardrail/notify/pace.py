"""How fast a channel is told: a burst, then one message now and then, and less and less often while it fails.

All processes together: the count is one text in the store, changed by compare-and-set. Times are seconds since 1970.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Final

from guardrail.errors import StoreError
from guardrail.notify.channels import Channel
from guardrail.store import Store

FIRST_WAIT: Final = 5.0
LONGEST_WAIT: Final = 3600.0
LONGEST_PAUSE: Final = 300.0
"""A channel that fails is tried with something at least this often: one message that it will not take holds up no
other for longer."""
MOST_ATTEMPTS: Final = 20
"""About half a day."""
_RACES: Final = 200


@dataclass(frozen=True, kw_only=True)
class Pace:
    """Where a channel stands: messages that it may still be sent at once as of ``at``, and how it went so far."""

    tokens: float
    at: float
    until: float = 0.0
    """Before this moment nothing is sent, since the last attempt failed."""
    failures: int = 0
    """Attempts in a row that failed."""
    sent: int = 0
    failed: int = 0
    last_sent: float = 0.0
    error: str = ""


class Pacing:
    """The pace of one channel."""

    def __init__(self, store: Store, channel: Channel, chance: Callable[[], float] = random.random) -> None:
        self._store = store
        self._channel = channel
        self._chance = chance
        self._key = f"notify/pace/{channel.name}"

    def look(self, now: float) -> Pace:
        """Where the channel stands now."""
        return self._read(now)[1]

    def take(self, now: float) -> float:
        """Take the right to send one message; 0, or the seconds until there is one."""
        waits = 0.0

        def change(pace: Pace) -> Pace:
            nonlocal waits
            waits = max(pace.until - now, 0.0 if pace.tokens >= 1 else (1 - pace.tokens) * self._channel.every)
            return pace if waits > 0 else replace(pace, tokens=pace.tokens - 1)

        self._change(now, change)
        return waits

    def sent(self, now: float) -> None:
        """A message was taken."""
        self._change(
            now,
            lambda pace: replace(pace, failures=0, until=0.0, error="", sent=pace.sent + 1, last_sent=now),
        )

    def failed(self, now: float, why: str, after: float | None) -> None:
        """An attempt failed: pause, as long as the receiver asks for or longer each time."""

        def change(pace: Pace) -> Pace:
            pause = min(LONGEST_PAUSE, wait(pace.failures, self._chance))
            return replace(
                pace,
                failures=pace.failures + 1,
                failed=pace.failed + 1,
                until=now + max(pause, after or 0.0),
                error=why,
            )

        self._change(now, change)

    def _change(self, now: float, change: Callable[[Pace], Pace]) -> None:
        for _ in range(_RACES):
            revision, pace = self._read(now)
            changed = change(pace)
            if changed == pace or self._store.put_state(self._key, json.dumps(asdict(changed)), revision=revision):
                return
        raise StoreError(f"the pace of the channel {self._channel.name} kept changing while it was written: try again")

    def _read(self, now: float) -> tuple[int, Pace]:
        full = float(self._channel.burst)
        revision, text = self._store.state(self._key) or (0, "")
        try:
            pace = Pace(**json.loads(text)) if text else Pace(tokens=full, at=now)
        except (ValueError, TypeError):  # of another version: it starts anew
            pace = Pace(tokens=full, at=now)
        # a clock that went back gives nothing
        gained = max(0.0, now - pace.at) / self._channel.every
        return revision, replace(pace, tokens=min(full, pace.tokens + gained), at=max(now, pace.at))


def wait(failures: int, chance: Callable[[], float] = random.random) -> float:
    """Seconds to wait after so many failures before: twice as long each time, with half of it left to chance, so that
    what failed together is not tried together.
    """
    longest = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(failures, 20))
    return longest * (0.5 + chance() / 2)
