"""A budget of audits, drawn from a store: from what was recorded since the last draw, and kept all or not at all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from guardrail.calibration.audits import FLOOR, draw_batch, population
from guardrail.calibration.judgements import moment
from guardrail.codec import canonical, from_json, to_json
from guardrail.engine.auditing import audit_number, audit_seed
from guardrail.errors import ConfigError, StoreError
from guardrail.store import Store, stored_draws, stored_records
from guardrail.types import AuditDraw, CalibratedPolicy

KEY: Final = "audits/batch"
"""Under which the store keeps the last batch, so that one that was cut off is completed."""


@dataclass(frozen=True, kw_only=True)
class Batch:
    """One draw: the calls to judge, among how many ``open`` ones; ``judged`` were judged before and stay evidence."""

    name: str
    since: str
    until: str
    drawn: tuple[AuditDraw, ...]
    judged: int
    open: int


def draw_audits(
    store: Store,
    budget: float,
    *,
    since: str = "",
    until: str = "",
    calibration: CalibratedPolicy | None = None,
    floor: float = FLOOR,
    power: float = 0.5,
    now: datetime | None = None,
) -> Batch:
    """Draw ``budget`` audited calls, on average, to be judged, from what was recorded since the last batch.

    ``since`` starts later than that, ``until`` ends before now (ISO 8601). Nothing is kept where no call is drawn.

    Raises:
        ConfigError: a time is none, or lies before the end of the last batch; a number is out of range.
        StoreError: another process draws at this moment, or the store could not be read or written.
    """
    at = now or datetime.now(UTC)
    revision = _completed(store)
    last = max((one.until for one in stored_draws(store)), key=moment, default="")
    since = _checked(since, "since") or last
    until = _checked(until, "until") or at.isoformat()
    if last and moment(since) < moment(last):
        raise ConfigError(
            f"calls up to {last} were drawn from already, and since is {since}: a call that two draws are about has no "
            "known probability; leave since out, or start later"
        )
    if moment(until) <= moment(since) or moment(until) > at + timedelta(seconds=1):
        raise ConfigError(f"there is nothing to draw from {since or 'the first record'} up to {until}: it is now {at}")
    calls = population(stored_records(store), since=since, until=until, calibration=calibration)
    shared = AuditDraw(
        record_id="", call_id="", probability=1.0, batch=until, at=at.isoformat(), since=since, until=until
    )
    number = partial(audit_number, audit_seed(store))
    draws = draw_batch(calls, budget, batch=shared, number=number, floor=floor, power=power)
    chosen = draws[len(calls.judged) :]
    if chosen:
        text = canonical([to_json(draw) for draw in draws])
        if not store.put_state(KEY, text, revision=revision):
            raise StoreError("another process draws audits at this moment: see `guardrail audits list`")
        store.add_draws(draws)
    return Batch(name=until, since=since, until=until, drawn=chosen, judged=len(calls.judged), open=len(calls.open))


def _completed(store: Store) -> int:
    """The revision of the last batch, whose draws are kept now if a crash had come between."""
    found = store.state(KEY)
    if found is None:
        return 0
    try:
        store.add_draws([from_json(AuditDraw, one) for one in json.loads(found[1])])
    except (ConfigError, ValueError) as error:
        raise StoreError(f"the last batch of audits ({KEY}) cannot be read: {error}; restore the store") from error
    return found[0]


def _checked(at: str, name: str) -> str:
    if not at:
        return ""
    try:
        found = datetime.fromisoformat(at)
    except ValueError as error:
        raise ConfigError(
            f"{name} is {at!r}, which is no time: write it like 2026-03-02 or 2026-03-02T12:00:00Z"
        ) from error
    return (found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)).isoformat()
