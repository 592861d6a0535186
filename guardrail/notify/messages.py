"""What is sent: made when it is sent, from the reviews as they then stand."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final
from urllib.parse import quote

from guardrail.codec import canonical
from guardrail.errors import NotFound
from guardrail.notify.channels import Channel
from guardrail.notify.owed import settled
from guardrail.notify.wording import LONGEST_ARGUMENTS, LONGEST_NAME, Item, because, text, title
from guardrail.review import SUMMARY
from guardrail.store import Store
from guardrail.types import Alarm, Notice, NoticeEvent, Reason, Review
from guardrail.visible import plain

_NAMED: Final = 20
"""Items that a message names; the others it counts."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One message of a channel: an id that stays however often it is sent, and what it tells."""

    id: str
    items: tuple[Item, ...]
    url: str = ""

    @property
    def title(self) -> str:
        """One line, plain text."""
        return title(self.items)

    @property
    def text(self) -> str:
        """Some lines, plain text."""
        return text(self.items, self.url, self.id)

    def payload(self, at: datetime) -> dict[str, Any]:
        """As JSON, for programs."""
        events = {item.event for item in self.items}
        return {
            "type": _type(next(iter(events))) if len(events) == 1 else "several",
            "timestamp": at.isoformat(),
            "data": {
                "text": self.text,
                "total": len(self.items),
                "items": [_shown(item) for item in self.items[:_NAMED]],
                "url": f"{self.url}/reviews" if self.url else "",
            },
        }

    def body(self, at: datetime) -> bytes:
        """The payload as bytes, in ASCII."""
        return json.dumps(self.payload(at), separators=(",", ":")).encode("ascii")


class Telling:
    """Makes messages of notices."""

    def __init__(self, store: Store, url: str = "") -> None:
        self._store = store
        self._url = url

    def message(self, channel: Channel, notices: Sequence[Notice]) -> tuple[Message | None, set[str]]:
        """The message that tells of these, None if there is nothing to tell, and the ids of notices that it leaves out
        because that is so.
        """
        alarms = self._alarms(notices)
        items: list[Item] = []
        left_out: set[str] = set()
        for notice in notices:
            about = alarms.get(notice.subject) if notice.event is NoticeEvent.ALARM else self._review(notice.subject)
            if about is None or settled(notice.event, about) or not channel.wants(notice.event, about):
                left_out.add(notice.id)
            else:
                items.append(self._item(notice, about))
        if not items:
            return None, left_out
        if len(items) == 1:
            items = [self._whole(channel, items[0])]
        identity = notices[0].message or notices[0].id
        return Message(id=identity, items=tuple(items), url=self._url), left_out

    def _item(self, notice: Notice, about: Review | Alarm) -> Item:
        if isinstance(about, Alarm):
            return Item(
                event=notice.event,
                id=about.id,
                tier=about.tier,
                tool=about.tool,
                wrong=about.wrong,
                audits=about.audits,
                alpha=about.alpha,
                url=f"{self._url}/dashboard" if self._url else "",
            )
        return Item(
            event=notice.event,
            id=about.id,
            tier=about.tier,
            tool=about.call.name,
            tenant=about.tenant,
            due=about.due,
            flood=about.requester == SUMMARY == about.call.name,
            state=about.decision.type.value if about.decision is not None else about.state.value,
            url=f"{self._url}/reviews/{quote(about.id, safe='')}" if self._url else "",
        )

    def _whole(self, channel: Channel, item: Item) -> Item:
        """With what takes another look into the store: only where a message tells of one thing."""
        review = None if item.event is NoticeEvent.ALARM else self._review(item.id)
        if review is None:
            return item
        arguments = cut(canonical(review.call.arguments)) if channel.arguments else None
        if item.flood:
            return item
        return replace(item, why=because(self._reason(review)), arguments=arguments)

    def _reason(self, review: Review) -> Reason | None:
        if not review.record_id:
            return None
        try:
            verdict = self._store.record(review.record_id).verdict.verdict(review.call.id)
        except NotFound:
            return None
        return None if verdict is None else verdict.reason

    def _review(self, identity: str) -> Review | None:
        try:
            review = self._store.review(identity)
        except NotFound:
            return None
        return review if review.id == identity else None

    def _alarms(self, notices: Sequence[Notice]) -> dict[str, Alarm]:
        if not any(notice.event is NoticeEvent.ALARM for notice in notices):
            return {}
        return {alarm.id: alarm for alarm in self._store.alarms(standing=False)}


def cut(text: str) -> str:
    """A text of a length that fits into a message."""
    return text if len(text) <= LONGEST_ARGUMENTS else f"{text[:LONGEST_ARGUMENTS]}…"


def _type(event: NoticeEvent) -> str:
    return "alarm.raised" if event is NoticeEvent.ALARM else f"review.{event.value}"


def _shown(item: Item) -> dict[str, Any]:
    said: dict[str, Any] = {
        "event": item.event.value,
        "id": item.id,
        "tier": item.tier.value,
        "tool": plain(item.tool[:LONGEST_NAME]),
        "tenant": plain(item.tenant[:LONGEST_NAME]),
        "url": item.url,
    }
    if item.event is NoticeEvent.ALARM:
        return {**said, "wrong": item.wrong, "audits": item.audits, "promised": item.alpha}
    said |= {"state": item.state, "due": item.due, "why": item.why}
    return said if item.arguments is None else {**said, "arguments": plain(item.arguments)}
