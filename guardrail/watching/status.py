"""What a person wants to know of a guard that runs: what is promised, what happened lately, and what to do next."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from guardrail.calibration import calibration_digest
from guardrail.calibration.drift import Drift, drift
from guardrail.review import Queue
from guardrail.store import Store
from guardrail.types import (
    CalibratedPolicy,
    CalibratedTier,
    Record,
    Review,
    Route,
    Tier,
    Verdict,
    score_fingerprint,
)
from guardrail.watching.advice import advice
from guardrail.watching.audits import Ran, SecondDraws, ran
from guardrail.watching.estimates import bounds
from guardrail.watching.lately import Lately, lately, moment
from guardrail.watching.picture import Evidence, ReviewLoad, Status, TierStatus
from guardrail.watching.streams import Stream, Watched

_MOST_REVIEWS: Final = 10_000
_UNCURTAILED: Final = "none"


def status(
    store: Store,
    calibration: CalibratedPolicy | None,
    evidence: Watched | None,
    *,
    days: float,
    now: datetime,
    tenant: str | None = None,
    read: Lately | None = None,
) -> Status:
    """The state of things; ``evidence`` is what watching has found (``look``, ``watched``).

    ``tenant`` leaves out records and reviews of other tenants (None: none is left out); alarms are about the calls of
    all. ``read`` are the records of those days, where they were read before.

    Raises:
        StoreError: the store cannot be read.
    """
    seen = _Seen(calibration, SecondDraws.of(store))
    some = read or lately(store, since=now - timedelta(days=days), tenant=tenant)
    for record in some.records:
        seen.add(record)
    names = {*seen.routes, *(() if calibration is None else (one.tier for one in calibration.tiers))}
    tiers = tuple(seen.status(tier, evidence) for tier in sorted(names, key=lambda tier: tier.rank))
    spanned = days if not some.cut else max((now - some.first).total_seconds() / 86400, 1e-6)
    reviewed = sum(one.reviewed for one in tiers)
    found = Status(
        at=now.isoformat(),
        days=days,
        calibration="" if calibration is None else calibration_digest(calibration),
        adopted_by="" if calibration is None else calibration.adopted_by,
        records=len(some.records),
        cut=some.cut,
        tiers=tiers,
        reviews=_load(_waiting(store, tenant), reviewed / spanned, now),
        alarms=tuple(store.alarms()),
    )
    return replace(found, advice=tuple(advice(found, calibration)))


class _Seen:
    """What the records of some days tell, tier by tier."""

    def __init__(self, calibration: CalibratedPolicy | None, draws: SecondDraws) -> None:
        self._calibration = calibration
        self._digest = "" if calibration is None else calibration_digest(calibration)
        self._draws = draws
        self.routes: dict[Tier, Counter[Route]] = defaultdict(Counter)
        self._uncalibrated: dict[Tier, Counter[str]] = defaultdict(Counter)
        self._ran: dict[Tier, list[tuple[str, Ran]]] = defaultdict(list)
        self._scores: dict[Tier, list[float]] = defaultdict(list)

    def add(self, record: Record) -> None:
        for verdict in record.verdict.verdicts:
            self.routes[verdict.tier][verdict.route] += 1
            if verdict.uncalibrated:
                self._uncalibrated[verdict.tier][verdict.uncalibrated] += 1
            score = self._score(record, verdict)
            if score is not None:
                self._scores[verdict.tier].append(score)
        if self._digest:
            for one in ran(record, record.labels, self._draws, self._digest):
                self._ran[one.tier].append((record.at, one))

    def status(self, tier: Tier, evidence: Watched | None) -> TierStatus:
        promised = None if self._calibration is None else self._calibration.tier(tier)
        drawn = [(at, one) for at, one in self._ran[tier] if one.probability is not None]
        open_ = [at for at, one in drawn if one.wrong is None]
        streams = () if evidence is None else tuple(one for one in evidence.streams if one.tier is tier)
        routes = self.routes[tier]
        return TierStatus(
            tier=tier,
            alpha=None if promised is None else promised.alpha,
            delta=None if promised is None else promised.delta,
            thresholds=() if promised is None else promised.thresholds,
            executed=routes[Route.EXECUTE],
            retried=routes[Route.RETRY],
            reviewed=routes[Route.REVIEW],
            promised=len(self._ran[tier]),
            uncalibrated=dict(self._uncalibrated[tier].most_common()),
            drawn=len(drawn),
            answered=len(drawn) - len(open_),
            oldest_unanswered=min(open_, key=moment, default=""),
            evidence=None if promised is None else _tier_evidence(promised, streams),
            tools=tuple(
                sorted((_evidence(one) for one in streams if one.tool), key=lambda one: -one.e_value / one.limit)
            ),
            drift=None if promised is None else self._drift(promised),
        )

    def _drift(self, tier: CalibratedTier) -> Drift | None:
        return drift(self._scores[tier.tier], tier.scores, size=sum(one.n for one in tier.thresholds))

    def _score(self, record: Record, verdict: Verdict) -> float | None:
        """A risk that can be compared with those of the calibration: over all N samples, of the same kind."""
        tier = None if self._calibration is None else self._calibration.tier(verdict.tier)
        if tier is None:
            return None
        fingerprint = score_fingerprint(record.fingerprint, verdict.tier)
        stopping = fingerprint["stopping"]
        if not record.verdict.audited and stopping != _UNCURTAILED:
            # drawing stops early where the case is clear: what is left are the others
            return None
        if any(key != "stopping" for key in tier.differs(fingerprint)):
            return None
        signals = verdict.scored or verdict.signals
        return next((one.value for one in signals if one.name == "risk" and one.bounds is None), None)


def _tier_evidence(tier: CalibratedTier, streams: tuple[Stream, ...]) -> Evidence:
    return next((_evidence(one) for one in streams if not one.tool), Evidence(limit=1 / tier.delta))


def _evidence(stream: Stream) -> Evidence:
    process, rate = stream.process, stream.rate
    low, high = (None, None) if rate is None else bounds(rate, stream.effective)
    return Evidence(
        tool=stream.tool,
        audits=process.n,
        wrong=process.wrong,
        e_value=process.e_value,
        limit=process.limit,
        alarm=process.alarm,
        rate=rate,
        low=low,
        high=high,
    )


def _load(waiting: list[Review], per_day: float, now: datetime) -> ReviewLoad:
    waits = sorted((now - moment(one.at)).total_seconds() for one in waiting)
    if not waits:
        return ReviewLoad(per_day=per_day)
    return ReviewLoad(waiting=len(waits), longest=waits[-1], median=waits[len(waits) // 2], per_day=per_day)


def _waiting(store: Store, tenant: str | None) -> list[Review]:
    return Queue(store, tenant=tenant).waiting(limit=_MOST_REVIEWS)
