"""How the people's side goes: what waits and since when, how long answers take, and whether they keep up."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from statistics import median
from typing import Any, ClassVar, Final

from guardrail.errors import NotFound
from guardrail.review import WAITING
from guardrail.store import Store
from guardrail.store.trail import trail
from guardrail.types import AuditEntry, DecisionType, Review, ReviewFilter, ReviewState, Tier
from guardrail.types.forms import type_config
from guardrail.watching.lately import moment

OPEN: Final = (ReviewState.PENDING, ReviewState.CLAIMED, ReviewState.DECIDED, ReviewState.EXECUTING)
"""What a person or the agent still has to do something about."""
MOST_OPEN: Final = 2000
MOST_CLOSED: Final = 1000
"""So many reviews are read, and no more: of the open ones those of the highest priority, of the others the latest."""
_MOST_ENTRIES: Final = 20_000
_PAGE: Final = 500
_CLOSING: Final = frozenset({"review.decided", "review.expired", "review.superseded"})


@dataclass(frozen=True, kw_only=True)
class OpenItems:
    """The open reviews of a tier: how many stand in each state, and since when the oldest waits for a person (seconds;
    None: none waits).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    tier: Tier
    states: dict[ReviewState, int]
    oldest: float | None = None


@dataclass(frozen=True, kw_only=True)
class Desk:
    """Reviews of a tenant. ``days`` is how far back the closed ones reach; where ``cut``, not as far as was asked.

    ``opened`` came in that time. Of those closed in it, ``decided`` were by a person after ``median`` seconds (nine of
    ten within ``p90``), ``handling`` seconds of it held by who decided; ``expired`` had no answer, and ``superseded``
    were not asked for any more. ``by_day`` counts decisions by day (ISO date, UTC, the latest first) and type.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    items: tuple[OpenItems, ...] = ()
    items_cut: bool = False
    days: float
    cut: bool = False
    opened: int = 0
    decided: int = 0
    expired: int = 0
    superseded: int = 0
    median: float | None = None
    p90: float | None = None
    handling: float | None = None
    by_day: dict[str, dict[DecisionType, int]] = field(default_factory=dict)
    deciders: int = 0

    @property
    def waiting(self) -> int:
        """Reviews that wait for a person."""
        return sum(one.states.get(state, 0) for one in self.items for state in WAITING)


def desk(store: Store, *, tenant: str, since: datetime, now: datetime) -> Desk:
    """How it goes with a tenant's reviews.

    Raises:
        StoreError: the store cannot be read.
    """
    items, items_cut = _open(store, tenant, now)
    opened, closed, first = 0, list[str](), now
    cut = False
    for seen, entry in enumerate(_entries(store, tenant)):
        at = _when(entry)
        if at < since:
            break
        if seen == _MOST_ENTRIES or len(closed) == MOST_CLOSED:
            cut = True
            break
        first = min(first, at)
        opened += entry.what == "review.opened"
        if entry.what in _CLOSING:
            closed.append(entry.subject)
    begin = first if cut else since
    days = max((now - begin).total_seconds() / 86400, 1e-6)
    return _told(_reviews(store, tenant, closed), items, items_cut=items_cut, days=days, cut=cut, opened=opened)


def _told(
    closed: Sequence[Review], items: tuple[OpenItems, ...], *, items_cut: bool, days: float, cut: bool, opened: int
) -> Desk:
    by_day: dict[str, Counter[DecisionType]] = defaultdict(Counter)
    waits, handled, people = [], [], set()
    expired = superseded = 0
    for review in closed:
        states = {event.state for event in review.history}
        if review.decision is not None and ReviewState.EXPIRED not in states:
            at = moment(review.decision.at)
            by_day[at.date().isoformat()][review.decision.type] += 1
            waits.append(max(0.0, (at - moment(review.at)).total_seconds()))
            handled += _held(review, at)
            people.add(review.decision.by)
        elif ReviewState.EXPIRED in states:
            expired += 1
        else:
            superseded += 1
    return Desk(
        items=items,
        items_cut=items_cut,
        days=days,
        cut=cut,
        opened=opened,
        decided=len(waits),
        expired=expired,
        superseded=superseded,
        median=median(waits) if waits else None,
        p90=nearest_rank(waits, 0.9),
        handling=median(handled) if handled else None,
        by_day={day: dict(by_day[day]) for day in sorted(by_day, reverse=True)},
        deciders=len(people),
    )


def nearest_rank(values: Sequence[float], share: float) -> float | None:
    """The least of the values within which that share of them lies; None of none."""
    ordered = sorted(values)
    # 0.9 of 10 is 9, whatever the float says
    return ordered[math.ceil(round(share * len(ordered), 9)) - 1] if ordered else None


def _open(store: Store, tenant: str, now: datetime) -> tuple[tuple[OpenItems, ...], bool]:
    states: dict[Tier, Counter[ReviewState]] = defaultdict(Counter)
    oldest: dict[Tier, float] = {}
    seen, after = 0, ""
    while True:
        wanted = ReviewFilter(tenant=tenant, states=frozenset(OPEN))
        page = store.find_reviews(wanted, limit=min(_PAGE, MOST_OPEN - seen), after=after)
        for review in page.reviews:
            states[review.tier][review.state] += 1
            if review.state in WAITING:
                age = (now - moment(review.at)).total_seconds()
                oldest[review.tier] = max(oldest.get(review.tier, 0.0), age)
        seen, after = seen + len(page.reviews), page.after
        if not after or seen >= MOST_OPEN:
            break
    found = (
        OpenItems(tier=tier, states=dict(states[tier]), oldest=oldest.get(tier))
        for tier in sorted(states, key=lambda tier: -tier.rank)
    )
    return tuple(found), bool(after)


def _entries(store: Store, tenant: str) -> Iterator[AuditEntry]:
    before: tuple[int, ...] = ()
    while True:
        page = trail(store, tenant=tenant, before=before, limit=_PAGE)
        yield from page.entries
        if not (before := page.before):
            return


def _when(entry: AuditEntry) -> datetime:
    try:
        return moment(entry.at)
    except ValueError:
        return datetime.max.replace(tzinfo=UTC)


def _reviews(store: Store, tenant: str, names: Sequence[str]) -> list[Review]:
    found = []
    for name in dict.fromkeys(names):
        try:
            review = store.review(name)
        except NotFound:
            continue  # purged since
        if review.id == name and review.tenant == tenant:
            found.append(review)
    return found


def _held(review: Review, decided: datetime) -> list[float]:
    """How long who decided had claimed it before; empty where nobody had."""
    mine = [
        moment(event.at)
        for event in review.history
        if event.state is ReviewState.CLAIMED and review.decision is not None and event.by == review.decision.by
    ]
    before = [at for at in mine if at <= decided]
    return [(decided - before[-1]).total_seconds()] if before else []
