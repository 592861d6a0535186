"""What the dashboard tells, kept for a few seconds: pages that are reloaded do not read the store anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from starlette.requests import Request

from guardrail.calibration import load_calibration
from guardrail.calibration.labelled import Draws
from guardrail.errors import ConfigError, StoreError
from guardrail.store import Store, stored_draws
from guardrail.types import Alarm, CalibratedPolicy
from guardrail.watching import Status, Watched, status, watched
from guardrail.watching.audits import SecondDraws
from guardrail.watching.desk import Desk, desk
from guardrail.watching.lately import lately
from guardrail.watching.reliability import Reliability, reliability
from guardrail.watching.traffic import Traffic, traffic
from guardrail.web.house import House, house

SECONDS: Final = 5.0
_MOST_KEPT: Final = 64
_CLEARED: Final = 20


@dataclass(frozen=True, kw_only=True)
class Board:
    """All numbers of one tenant's dashboard. ``problem`` says why what was promised could not be read; ``unwatched``
    that labels came which the evidence does not have yet.
    """

    status: Status
    desk: Desk
    traffic: tuple[Traffic, ...]
    reliability: Reliability
    cleared: tuple[Alarm, ...] = ()
    problem: str = ""
    unwatched: bool = False


def board(store: Store, promised: CalibratedPolicy | None, *, tenant: str, days: float, now: datetime) -> Board:
    """The numbers of a tenant. Nothing is written: evidence is as the last look of the watch left it.

    Raises:
        StoreError: the store cannot be read.
    """
    since = now - timedelta(days=days)
    read = lately(store, since=since, tenant=tenant)
    draws = [*stored_draws(store)]
    evidence = None if promised is None or tenant else watched(store, promised)
    alarms = [] if tenant else [one for one in store.alarms(standing=False) if one.cleared_by]
    return Board(
        status=status(store, promised, evidence, days=days, now=now, tenant=tenant, read=read),
        desk=desk(store, tenant=tenant, since=since, now=now),
        traffic=traffic(read.records, SecondDraws(draws)),
        reliability=reliability(read.records, Draws.of(draws)),
        cleared=tuple(reversed(alarms[-_CLEARED:])),
        unwatched=evidence is not None and _behind(store, evidence),
    )


def promise_of(served: House) -> CalibratedPolicy | None:
    """What the policy that is served promises, as its file says now: adopting another needs no restart.

    Raises:
        ConfigError: the calibration cannot be used.
    """
    path = None if served.policy is None else served.policy.calibration
    return None if path is None else load_calibration(path)


class Boards:
    """Boards that were made a moment ago, by tenant and days; whoever asks while one is made waits for it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._made: dict[tuple[str, float], _Kept] = {}

    def get(self, tenant: str, days: float, make: Callable[[], Board]) -> Board:
        """The board, made anew where it is too old."""
        with self._lock:
            if len(self._made) >= _MOST_KEPT:
                self._made.clear()
            kept = self._made.setdefault((tenant, days), _Kept())
        with kept.lock:
            if kept.board is None or self._clock() - kept.at > SECONDS:
                kept.board = make()
                kept.at = self._clock()
            return kept.board

    def forget(self, tenant: str) -> None:
        """Somebody of this tenant changed something, and is to see it."""
        with self._lock:
            for key in [key for key in self._made if key[0] == tenant]:
                del self._made[key]


@dataclass
class _Kept:
    board: Board | None = None
    at: float = 0.0
    lock: Any = field(default_factory=threading.Lock)


def boards(request: Request) -> Boards:
    """Those of the application that serves this request."""
    state = request.app.state
    if not hasattr(state, "boards"):
        state.boards = Boards()
    found: Boards = state.boards
    return found


def board_for(request: Request, tenant: str, days: float) -> Board:
    """A tenant's board for a page. What was promised and cannot be read leaves the rest of it as it is."""
    served = house(request)

    def make() -> Board:
        problem, promised = "", None
        if not tenant:
            try:
                promised = promise_of(served)
            except ConfigError as error:
                problem = str(error)
        try:
            found = board(served.store, promised, tenant=tenant, days=days, now=served.clock())
        except StoreError as error:
            if promised is None:
                raise
            problem = str(error)
            found = board(served.store, None, tenant=tenant, days=days, now=served.clock())
        return replace(found, problem=problem)

    return boards(request).get(tenant, days, make)


def _behind(store: Store, evidence: Watched) -> bool:
    return bool(store.labelled(after=evidence.after, limit=1))
