"""Which notices are owed: what the audit log tells of since a channel last looked.

A channel keeps its place in each chain of the log. Notices are kept before the place moves on, under ids that follow
from what they are about, so that a crash in between loses none, and several processes that look at once owe each
notice once. A channel that is new begins with what waits now.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from guardrail.codec import digest
from guardrail.errors import NotFound
from guardrail.notify.channels import Channel
from guardrail.review import WAITING
from guardrail.store import Store
from guardrail.types import Alarm, AuditEntry, Notice, NoticeEvent, Review, ReviewFilter, ReviewState, Tier

_EVENTS: Final = {
    "review.opened": NoticeEvent.OPENED,
    "review.escalated": NoticeEvent.ESCALATED,
    "review.expired": NoticeEvent.EXPIRED,
    "review.decided": NoticeEvent.DECIDED,
    "review.outcome_unknown": NoticeEvent.OUTCOME_UNKNOWN,
    "alarm.raised": NoticeEvent.ALARM,
}
ASKS: Final = frozenset({NoticeEvent.OPENED, NoticeEvent.ESCALATED})
"""Events that ask for a decision: once there is one, nothing is to be told."""
_PAGE: Final = 500
_MOST_STUCK: Final = 1000


class Owing:
    """Finds what each channel is owed, and keeps it in the store."""

    def __init__(self, store: Store, channels: Sequence[Channel]) -> None:
        self._store = store
        self._channels = channels
        self._mark: int | None = None

    def look(self, now: datetime) -> int:
        """Keep the notices of everything that happened since the last look; say how many are new."""
        mark = self._store.change_mark()
        if mark == self._mark:
            return 0
        reviews: dict[str, Review | None] = {}
        tenants = self._store.audit_tenants()
        new = 0
        for channel in self._channels:
            begun = self._store.state(_begun(channel)) is not None
            for tenant in filter(channel.sees, tenants):
                new += self._catch_up(channel, tenant, now, reviews, begun=begun)
            if not begun:
                self._store.put_state(_begun(channel), now.isoformat(), revision=0)
        self._mark = mark
        return new

    def look_at_stuck(self, now: datetime, after: float) -> int:
        """Keep a notice of each call that has been executing for ``after`` seconds; say how many are new."""
        running = self._store.reviews(states=frozenset({ReviewState.EXECUTING}), limit=_MOST_STUCK)
        stuck = [review for review in running if since(review) <= now - timedelta(seconds=after)]
        return self._keep(
            _notice(channel, NoticeEvent.STUCK, review, now)
            for review in stuck
            for channel in self._channels
            if channel.wants(NoticeEvent.STUCK, review)
        )

    def _catch_up(
        self, channel: Channel, tenant: str, now: datetime, reviews: dict[str, Review | None], *, begun: bool
    ) -> int:
        key = f"notify/seen/{channel.name}/{digest(tenant)}"
        heads = {head.shard: head.number for head in self._store.audit_heads(tenant=tenant)}
        revision, text = self._store.state(key) or (0, "")
        seen = _read(text)
        if seen is None and not begun:
            new = self._keep(self._standing(channel, tenant, now))
            self._store.put_state(key, _text(heads), revision=revision)
            return new
        seen = seen or {}  # a tenant that is new since the channel began is told of from its first entry on
        if seen == heads:
            return 0
        alarms: dict[str, Alarm] = {}
        new = 0
        for shard, end in heads.items():
            place = seen.get(shard, 0)
            while place < end:
                page = self._store.audit_entries(tenant=tenant, shard=shard, after=place, limit=_PAGE)
                if not page:
                    break
                new += self._keep(self._told(channel, page, now, reviews, alarms))
                place = page[-1].number
            seen[shard] = max(place, seen.get(shard, 0))
        # Where another process was faster, it has kept the same notices.
        self._store.put_state(key, _text(seen), revision=revision)
        return new

    def _told(
        self,
        channel: Channel,
        entries: Iterable[AuditEntry],
        now: datetime,
        reviews: dict[str, Review | None],
        alarms: dict[str, Alarm],
    ) -> Iterator[Notice]:
        for entry in entries:
            event = _EVENTS.get(entry.what)
            if event is None or event not in channel.events:
                continue
            if event is NoticeEvent.ALARM:
                if entry.subject not in alarms:
                    alarms.update((alarm.id, alarm) for alarm in self._store.alarms(standing=False))
                about: Review | Alarm | None = alarms.get(entry.subject)
            else:
                about = self._review(entry.subject, reviews)
            if about is not None and not settled(event, about) and channel.wants(event, about):
                yield _notice(channel, event, about, now)

    def _standing(self, channel: Channel, tenant: str, now: datetime) -> Iterator[Notice]:
        """What waits for somebody as a channel begins."""
        for alarm in self._store.alarms() if not tenant else ():
            if channel.wants(NoticeEvent.ALARM, alarm):
                yield _notice(channel, NoticeEvent.ALARM, alarm, now)
        after = ""
        while True:
            wanted = ReviewFilter(tenant=tenant, states=WAITING)
            page = self._store.find_reviews(wanted, limit=_PAGE, after=after)
            for review in page.reviews:
                if channel.wants(NoticeEvent.OPENED, review):
                    yield _notice(channel, NoticeEvent.OPENED, review, now)
            after = page.after
            if not after:
                return

    def _review(self, identity: str, known: dict[str, Review | None]) -> Review | None:
        if identity not in known:
            try:
                review = self._store.review(identity)
                known[identity] = review if review.id == identity else None
            except NotFound:  # it was deleted since
                known[identity] = None
        return known[identity]

    def _keep(self, notices: Iterable[Notice]) -> int:
        found = [*notices]
        return self._store.add_notices(found) if found else 0


def settled(event: NoticeEvent, about: Review | Alarm) -> bool:
    """Whether there is nothing to tell any more."""
    if isinstance(about, Alarm):
        return bool(about.cleared_by)
    if event is NoticeEvent.STUCK:
        return about.state is not ReviewState.EXECUTING
    return event in ASKS and about.state not in WAITING


def since(review: Review) -> datetime:
    """Since when a review is in its state."""
    begun = [event.at for event in review.history if event.state is review.state]
    return datetime.fromisoformat(begun[-1] if begun else review.at)


def _notice(channel: Channel, event: NoticeEvent, about: Review | Alarm, now: datetime) -> Notice:
    tier: Tier = about.tier
    tenant = about.tenant if isinstance(about, Review) else ""
    return Notice(
        id=digest("notice", channel.name, event.value, tenant, about.id),
        channel=channel.name,
        event=event,
        subject=about.id,
        tenant=tenant,
        at=now.isoformat(),
        due=channel.due(tier, now).isoformat(),
    )


def _begun(channel: Channel) -> str:
    return f"notify/begun/{channel.name}"


def _text(seen: dict[int, int]) -> str:
    return json.dumps({str(shard): number for shard, number in sorted(seen.items())})


def _read(text: str) -> dict[int, int] | None:
    """The places that ``_text`` wrote; None where there are none that can be read."""
    try:
        return {int(shard): int(number) for shard, number in json.loads(text).items()}
    except (ValueError, TypeError, AttributeError):
        return None
