"""How notifications stand, for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.table import Table
from rich.text import Text

from guardrail.cli.safe_text import plain, shown
from guardrail.notify import Channel, ChannelStatus, Webhook
from guardrail.types import NoticeEvent, Tier
from guardrail.upkeep import TaskState


def channel_line(channel: Channel) -> str:
    """One line: how a channel is told, and of what."""
    if isinstance(channel.way, Webhook):
        where = channel.way.url or f"the address in {channel.way.url_from}"
        way = f"webhook to {plain(where.partition('?')[0])}, signed by {channel.way.secrets}"
    else:
        way = f"apprise by {channel.way}"
    events = ", ".join(event.value for event in NoticeEvent if event in channel.events)
    bounds = [
        ", ".join(tier.value for tier in Tier if tier in channel.tiers) if channel.tiers is not None else "",
        f"tools {', '.join(map(plain, channel.tools))}" if channel.tools is not None else "",
        f"roles {', '.join(map(plain, sorted(channel.roles)))}" if channel.roles is not None else "",
        "all tenants" if "*" in channel.tenants else "",
        "with arguments" if channel.arguments else "",
    ]
    return f"{channel.name}: {way}; {'; '.join([events, *filter(None, bounds)])}"


def status_view(channels: Sequence[ChannelStatus], tasks: Sequence[TaskState]) -> Iterator[Table | Text]:
    """A table of channels and one of tasks, or that there are none."""
    if channels:
        yield _channels(channels)
        for one in channels:
            if one.dead:
                yield Text(f"{one.name}: {one.dead} given up. `guardrail notify retry {one.name}` owes them again.")
    else:
        yield Text("no channels: name a file with --file, or nothing was ever owed")
    if tasks:
        yield _tasks(tasks)
    else:
        yield Text("upkeep has never run on this store: `guardrail serve`, a worker or `guardrail upkeep` does it")


def _channels(channels: Sequence[ChannelStatus]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("channel")
    for name in ("owed", "sent", "dropped", "given up", "messages", "failures"):
        table.add_column(name, justify="right")
    table.add_column("last sent")
    table.add_column("trouble")
    for one in channels:
        trouble = one.error if one.failing else "" if one.configured else "not in the file"
        counts = (one.owed, one.sent, one.dropped, one.dead, one.messages, one.failures)
        table.add_row(shown(one.name), *map(str, counts), one.last_sent[:16], shown(trouble))
    return table


def _tasks(tasks: Sequence[TaskState]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("task", "last", "what it did", "trouble"):
        table.add_column(name)
    for one in tasks:
        last = datetime.fromtimestamp(one.last, UTC).isoformat(sep=" ", timespec="seconds")
        table.add_row(shown(one.name), last, shown(one.note), shown(one.error))
    return table
