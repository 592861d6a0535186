"""A queue with a clock that stands still until it is moved, and the people who use it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from guardrail.review import OVERRIDE, Queue
from guardrail.store import MemoryStore, Store
from guardrail.types import Principal, PrincipalKind, Review
from tests.support.records import record, review

ID = "rev-000001"
DIGEST = "digest of the call"
START = datetime(2026, 1, 2, 4, tzinfo=UTC)

ANA = Principal(name="ana", roles=("treasury",))
BEN = Principal(name="ben", roles=("treasury", "board"))
CAT = Principal(name="cat", roles=("board",))
BOSS = Principal(name="boss", roles=("treasury", OVERRIDE))
BOT = Principal(name="bot", kind=PrincipalKind.AGENT, roles=("treasury", OVERRIDE))
SYSTEM = Principal(name="worker", kind=PrincipalKind.SYSTEM, roles=("treasury", OVERRIDE))
READER = Principal(name="rita", roles=("treasury",), scopes=("reviews:read",))
STRANGER = Principal(name="sam", roles=("treasury",), tenant="other")


@dataclass
class Clock:
    now: datetime = START

    def __call__(self) -> datetime:
        return self.now

    def after(self, seconds: float) -> str:
        return (self.now + timedelta(seconds=seconds)).isoformat()

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@dataclass
class Desk:
    """A store, a queue over it, and the clock of both."""

    store: Store = field(default_factory=MemoryStore)
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.store.add_record(record(review_id=ID))
        self.queue = Queue(self.store, clock=self.clock)

    def open(self, identity: str = ID, **more: Any) -> Review:
        return self.queue.open(replace(review(identity, at=self.clock.now.isoformat()), **more))
