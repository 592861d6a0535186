"""What the dashboard tells, kept for a few seconds: pages that are reloaded do not read the store anew."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from starlette.requests import Request

from guardrail.calibration import load_calibration
from guardrail.calibration.labelled import Draws
from guardrail.errors import ConfigError, StoreError
from guardrail.store import Store, stored_draws
from guardrail.types import Alarm, CalibratedPolicy, Principal
from guardrail.visible import plain
from guardrail.watching import Status, Watched, status, watched
from guardrail.watching.audits import SecondDraws
from guardrail.watching.desk import Desk, desk
from guardrail.watching.lately import lately
from guardrail.watching.reliability import Reliability, reliability
from guardrail.watching.traffic import Traffic, traffic
from guardrail.web.house import House, house
from guardrail.web.pages.fresh import Fresh

SECONDS: Final = 5.0
_CLEARED: Final = 20
_log = logging.getLogger(__name__)


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


def board(
    store: Store, promised: CalibratedPolicy | None, *, tenant: str, operator: bool, days: float, now: datetime
) -> Board:
    """The numbers of a tenant. Alarms are about the calls of all tenants, as are promises: only an ``operator`` of the
    server sees the former, and is to be given the latter. Nothing is written: evidence is as the last look left it.

    Raises:
        StoreError: the store cannot be read.
    """
    since = now - timedelta(days=days)
    read = lately(store, since=since, tenant=tenant)
    draws = [*stored_draws(store)]
    evidence = None if promised is None else watched(store, promised)
    found = status(store, promised, evidence, days=days, now=now, tenant=tenant, read=read)
    cleared = [one for one in store.alarms(standing=False) if one.cleared_by] if operator else []
    return Board(
        status=found if operator else replace(found, alarms=(), advice=()),
        desk=desk(store, tenant=tenant, since=since, now=now),
        traffic=traffic(read.records, SecondDraws(draws)),
        reliability=reliability(read.records, Draws.of(draws)),
        cleared=tuple(reversed(cleared[-_CLEARED:])),
        unwatched=evidence is not None and _behind(store, evidence),
    )


def promise_of(served: House) -> CalibratedPolicy | None:
    """What the policy that is served promises, as its file says now: adopting another needs no restart.

    Raises:
        ConfigError: the calibration cannot be used.
    """
    path = None if served.policy is None else served.policy.calibration
    return None if path is None else load_calibration(path)


def boards(request: Request) -> Fresh[Board]:
    """The boards of the application that serves this request."""
    state = request.app.state
    if not hasattr(state, "boards"):
        state.boards = Fresh(SECONDS)
    found: Fresh[Board] = state.boards
    return found


def operates(request: Request, who: Principal) -> bool:
    """Whether somebody is of the server's own tenant, whose are the promises and the alarms."""
    return who.tenant == house(request).settings.tenant


def board_for(request: Request, who: Principal, days: float) -> Board:
    """The board of somebody's tenant. What was promised and cannot be read leaves the rest of it as it is."""
    served, operator = house(request), operates(request, who)

    def made(promised: CalibratedPolicy | None) -> Board:
        return board(served.store, promised, tenant=who.tenant, operator=operator, days=days, now=served.clock())

    def make() -> Board:
        try:
            return made(promise_of(served) if operator else None)
        except ConfigError as error:
            return replace(made(None), problem=str(error))
        except StoreError as error:  # what it says may name places of the store
            _log.warning("the dashboard without its promises: %s", plain(str(error)))
            return replace(made(None), problem="what was kept of watching cannot be read: see the server's log")

    return boards(request).get(who.tenant, str(days), make)


def _behind(store: Store, evidence: Watched) -> bool:
    return bool(store.labelled(after=evidence.after, limit=1))
