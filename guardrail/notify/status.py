"""How telling goes: by channel, what is owed, sent and given up, and what the last failure was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, ClassVar

from guardrail.notify.channels import Channel
from guardrail.notify.pace import Pacing
from guardrail.store import Store
from guardrail.types import NoticeState
from guardrail.types.forms import type_config


@dataclass(frozen=True, kw_only=True)
class ChannelStatus:
    """One channel. Counts of notices by state; ``oldest_owed`` is when the oldest of those that are owed was noticed.

    ``messages`` were taken and ``failures`` attempts failed, ``failing`` of them in a row up to now, the last with
    ``error``; until ``paused_until`` nothing is tried. Times are ISO 8601, empty for none.
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    name: str
    configured: bool
    owed: int = 0
    sent: int = 0
    dropped: int = 0
    dead: int = 0
    oldest_owed: str = ""
    messages: int = 0
    failures: int = 0
    failing: int = 0
    last_sent: str = ""
    paused_until: str = ""
    error: str = ""


def channels_status(store: Store, channels: Sequence[Channel], now: datetime) -> list[ChannelStatus]:
    """Every channel of the configuration, and those besides that something is kept of."""
    found = {one.name: ChannelStatus(name=one.name, configured=True) for one in channels}
    for count in store.count_notices():
        one = found.get(count.channel, ChannelStatus(name=count.channel, configured=False))
        more: dict[str, Any] = {count.state.value: count.count}
        if count.state is NoticeState.OWED:
            more["oldest_owed"] = count.oldest
        found[count.channel] = replace(one, **more)
    for channel in channels:
        pace = Pacing(store, channel).look(now.timestamp())
        found[channel.name] = replace(
            found[channel.name],
            messages=pace.sent,
            failures=pace.failed,
            failing=pace.failures,
            last_sent=_moment(pace.last_sent),
            paused_until=_moment(pace.until) if pace.until > now.timestamp() else "",
            error=pace.error,
        )
    return list(found.values())


def revive(store: Store, channel: str, now: datetime) -> int:
    """Owe again what was given up on a channel, from the first attempt on; say how many messages."""
    by_message: dict[str, list[Any]] = {}
    after = ""
    while page := store.notices(channel=channel, state=NoticeState.DEAD, limit=500, after=after):
        for notice in page:
            by_message.setdefault(notice.message, []).append(notice)
        after = page[-1].id
    count = 0
    for message, notices in by_message.items():
        again = [
            replace(
                one,
                state=NoticeState.OWED,
                due=now.isoformat() if one.id == message else "",
                attempts=0,
                revision=one.revision + 1,
            )
            for one in sorted(notices, key=lambda one: one.id != message)
        ]
        count += store.settle_notices(again)
    return count


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds") if seconds else ""
