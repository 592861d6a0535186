"""Who is told of what: channels as the file names them, and which notices are theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Final

from guardrail.types import Alarm, NoticeEvent, Review, Tier

USUAL: Final = frozenset(NoticeEvent) - {NoticeEvent.DECIDED}
"""What a channel is told of where the file does not say."""
EVERY: Final = "*"


@dataclass(frozen=True, kw_only=True)
class Quiet:
    """Hours of the day, from ``start`` up to ``end``, in which only what is of the tiers in ``but`` is told."""

    start: time
    end: time
    zone: tzinfo = UTC
    but: frozenset[Tier] = frozenset()

    def until(self, now: datetime) -> datetime:
        """When the quiet hours that include this moment end; the moment itself, where none do."""
        local = now.astimezone(self.zone)
        at = local.time()
        night = self.start > self.end
        quiet = (at >= self.start or at < self.end) if night else self.start <= at < self.end
        if not quiet:
            return now
        day = local.date() + timedelta(days=1 if night and at >= self.start else 0)
        return datetime.combine(day, self.end, self.zone).astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """Where signed messages go: an address, or the variable that holds it, and the variable of the secrets."""

    secrets: str
    url: str | None = None
    url_from: str | None = None


@dataclass(frozen=True, kw_only=True)
class Channel:
    """Somebody who is told. None: no bound. ``burst`` messages at once, then one in ``every`` seconds.

    ``way`` is a webhook, or the environment variable that holds an apprise address.
    """

    name: str
    way: Webhook | str
    events: frozenset[NoticeEvent] = USUAL
    tiers: frozenset[Tier] | None = None
    tools: tuple[str, ...] | None = None
    roles: frozenset[str] | None = None
    tenants: frozenset[str] = frozenset({""})
    arguments: bool = False
    burst: int = 5
    every: float = 60.0
    quiet: Quiet | None = None

    def sees(self, tenant: str) -> bool:
        """Whether anything of a tenant is told here."""
        return EVERY in self.tenants or tenant in self.tenants

    def wants(self, event: NoticeEvent, about: Review | Alarm) -> bool:
        """Whether this is told here."""
        tenant, tool = (about.tenant, about.call.name) if isinstance(about, Review) else ("", about.tool)
        roles = frozenset(about.roles) if isinstance(about, Review) else None
        return (
            event in self.events
            and self.sees(tenant)
            and (self.tiers is None or about.tier in self.tiers)
            # an alarm of a whole tier is one of each of its tools
            and (self.tools is None or (roles is None and not tool) or any(_fits(one, tool) for one in self.tools))
            and (self.roles is None or roles is None or bool(self.roles & roles))
        )

    def due(self, tier: Tier, now: datetime) -> datetime:
        """When something of that tier may first be told."""
        return now if self.quiet is None or tier in self.quiet.but else self.quiet.until(now)


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """Everything that a file of notifications says. ``stuck_after`` is in seconds."""

    channels: tuple[Channel, ...]
    url: str = ""
    stuck_after: float = 900.0
    name: str = field(default="notify", compare=False)

    def channel(self, name: str) -> Channel | None:
        """The channel of that name."""
        return next((one for one in self.channels if one.name == name), None)


def _fits(pattern: str, tool: str) -> bool:
    return re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), tool, re.DOTALL) is not None
