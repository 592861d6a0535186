"""What has to be done now and then, by whoever is there to do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from guardrail.codec import digest
from guardrail.review import Queue
from guardrail.store import Store
from guardrail.types import ReviewState

if TYPE_CHECKING:
    from guardrail.notify import Notifier
    from guardrail.types import CalibratedPolicy

SWEEP: Final = "deadlines"
SEAL: Final = "seal"
WATCH: Final = "watch"
NOTIFY: Final = "notify"
STUCK: Final = "stuck"
FORGET: Final = "forget"
WHO: Final = "upkeep"
"""Who seals, as the audit log has it."""
_AT_ONCE: Final = 1000
KEPT_DAYS: Final = 30
"""How long notices are kept that are settled."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """Something to do every so many seconds. ``run`` says in a few words what it did, or nothing.

    ``alone``: only one of all processes does it at a time, and none again before the time has passed. What is not alone
    is done by each process, which does no harm.
    """

    name: str
    every: float
    run: Callable[[], str]
    alone: bool = False


def sweeping(store: Store, clock: Callable[[], datetime], every: float) -> Task:
    """Reviews whose deadline has passed expire, and those that it is near are escalated."""
    queue = Queue(store, tenant=None, clock=clock)

    def run() -> str:
        changed = queue.sweep()
        expired = sum(review.state is ReviewState.EXPIRED for review in changed)
        return f"{expired} expired, {len(changed) - expired} escalated" if changed else ""

    return Task(name=SWEEP, every=every, run=run)


def sealing(store: Store, clock: Callable[[], datetime], every: float) -> Task:
    """The chains of each tenant's audit log are sealed together, where something was added since the last time."""

    def run() -> str:
        sealed = sum(_sealed(store, tenant, clock) for tenant in store.audit_tenants())
        return f"{sealed} {'log' if sealed == 1 else 'logs'} sealed" if sealed else ""

    return Task(name=SEAL, every=every, run=run, alone=True)


def _sealed(store: Store, tenant: str, clock: Callable[[], datetime]) -> bool:
    key = f"upkeep/sealed/{digest(tenant)}"
    entries = sum(head.number for head in store.audit_heads(tenant=tenant))
    revision, text = store.state(key) or (0, "0")
    if text == str(entries):
        return False
    heads = store.seal(by=WHO, tenant=tenant, at=clock().isoformat())
    store.put_state(key, str(sum(head.number for head in heads)), revision=revision)
    return True


def watching(store: Store, calibration: CalibratedPolicy, every: float) -> Task:
    """New answers to audits are counted against what was promised."""
    from guardrail.watching import watch

    def run() -> str:
        raised = watch(store, calibration)
        return f"{len(raised)} {'alarm' if len(raised) == 1 else 'alarms'} raised" if raised else ""

    return Task(name=WATCH, every=every, run=run, alone=True)


def notifying(notifier: Notifier, every: float) -> list[Task]:
    """People are told what they are owed."""

    def look() -> str:
        told = notifier.look()
        return f"{told.sent} sent, {told.failed} failed" if told.sent or told.failed else ""

    def stuck() -> str:
        found = notifier.look_at_stuck()
        return f"{found} noticed" if found else ""

    return [
        Task(name=STUCK, every=max(every, 30.0), run=stuck),
        Task(name=NOTIFY, every=every, run=look),
    ]


def forgetting(store: Store, clock: Callable[[], datetime], every: float) -> Task:
    """What is settled and old is deleted: notices after a month, and sessions, links and attempts that are over."""

    def run() -> str:
        now = clock()
        old = (now - timedelta(days=KEPT_DAYS)).isoformat()
        notices = 0
        while found := store.forget_notices(old, limit=_AT_ONCE):  # some at once, so that nobody waits long
            notices += found
        access = store.forget_access(now.isoformat())
        told = [f"{count} {what}" for count, what in ((notices, "notices"), (access, "of access")) if count]
        return f"{', '.join(told)} forgotten" if told else ""

    return Task(name=FORGET, every=every, run=run, alone=True)
