"""How a message leaves: what a way of telling has to do, and each channel's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final, Protocol

from guardrail.errors import ConfigError
from guardrail.notify.channels import Channel, Webhook
from guardrail.notify.messages import Message
from guardrail.notify.reading import insecure
from guardrail.notify.signing import read_secrets

SECONDS: Final = 15.0
"""How long one attempt may take."""


class NotSent(Exception):
    """An attempt failed. The message says why, without secrets. ``after``: seconds that the receiver asks to wait;
    ``final``: it never wants to hear of it again.
    """

    def __init__(self, why: str, *, after: float | None = None, final: bool = False) -> None:
        super().__init__(why)
        self.after = after
        self.final = final


class Sender(Protocol):
    """One way of telling."""

    def send(self, message: Message, at: datetime) -> None:
        """Send it, or raise.

        Raises:
            NotSent: it was not taken, or nobody can tell whether it was.
        """


Open = Callable[[Channel], Sender]


def open_sender(channel: Channel, environment: Mapping[str, str] | None = None, *, seconds: float = SECONDS) -> Sender:
    """The way of telling that a channel names, with its secrets from the environment.

    Raises:
        ConfigError: a variable is missing or holds nothing usable; the message does not repeat what it holds.
        MissingExtra: it needs an optional package.
    """
    given = os.environ if environment is None else environment
    if isinstance(channel.way, Webhook):
        from guardrail.notify.webhook import WebhookSender

        way = channel.way
        url = way.url if way.url is not None else _value(channel, way.url_from or "", given)
        if (why := insecure(url)) is not None:
            raise ConfigError(f"the channel {channel.name}: the address in {way.url_from or 'the file'} {why}")
        keys = read_secrets(_value(channel, way.secrets, given), f"the variable {way.secrets}")
        return WebhookSender(url, keys, seconds=seconds)
    from guardrail.notify.apprised import AppriseSender

    return AppriseSender(_value(channel, channel.way, given), channel.way, seconds=seconds)


def _value(channel: Channel, variable: str, environment: Mapping[str, str]) -> str:
    value = environment.get(variable, "").strip()
    if not value:
        raise ConfigError(f"the channel {channel.name} needs the environment variable {variable}, which is not set")
    return value
