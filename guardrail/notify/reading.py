"""From a YAML file to channels; every complaint has its place."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, time, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from guardrail.errors import ConfigError
from guardrail.notify.channels import USUAL, Channel, Configuration, Quiet, Webhook
from guardrail.notify.model import ChannelPart, NotifyFile, QuietPart, WebhookPart
from guardrail.policy.complaints import Source, complaint, kind_of, read_file


def load(path: str | os.PathLike[str], *, url: str = "") -> Configuration:
    """The channels that a YAML file describes. ``url`` is where the page is opened, where the file does not say.

    Raises:
        ConfigError: it is wrong; the message names the place and the remedy.
    """
    data, source = read_file(path, ConfigError)
    return _build(data, source, url)


def parse(data: Mapping[str, Any], *, url: str = "") -> Configuration:
    """The channels that a mapping of the file's form describes. Raises ``ConfigError``."""
    return _build(data, Source(name="notify", kind=ConfigError), url)


def _build(data: object, source: Source, url: str) -> Configuration:
    if not isinstance(data, Mapping):
        raise source.error("", f"must be a mapping with the key 'channels', not {kind_of(data)}")
    try:
        file = NotifyFile.model_validate(dict(data))
    except ValidationError as error:
        raise complaint(error, data, source, NotifyFile) from error
    channels = tuple(_channel(name, part, source) for name, part in file.channels.items())
    found = Configuration(
        channels=channels, url=(file.url or url).rstrip("/"), stuck_after=file.stuck_after, name=source.name
    )
    for one in channels:
        if isinstance(one.way, Webhook) and one.way.url is not None and (why := insecure(one.way.url)):
            raise source.error(f"channels.{one.name}.webhook.url", why)
    return found


def insecure(url: str) -> str | None:
    """Why nothing may be sent to an address; None if it may."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return "is no address"
    if not host or parts.scheme not in ("http", "https"):
        return "must be an address that begins with https://"
    if parts.scheme == "http" and host not in ("localhost", "127.0.0.1", "::1"):
        return "must begin with https://: what is sent would be read on its way"
    return None


def _channel(name: str, part: ChannelPart, source: Source) -> Channel:
    return Channel(
        name=name,
        way=_webhook(part.webhook) if part.webhook is not None else part.apprise or "",
        events=USUAL if part.events is None else frozenset(part.events),
        tiers=None if part.tiers is None else frozenset(part.tiers),
        tools=None if part.tools is None else tuple(part.tools),
        roles=None if part.roles is None else frozenset(part.roles),
        tenants=frozenset({""} if part.tenants is None else part.tenants),
        arguments=part.arguments,
        burst=part.burst,
        every=part.every,
        quiet=None if part.quiet is None else _quiet(part.quiet, f"channels.{name}.quiet", source),
    )


def _webhook(part: WebhookPart) -> Webhook:
    return Webhook(secrets=part.secrets, url=part.url, url_from=part.url_from)


def _quiet(part: QuietPart, path: str, source: Source) -> Quiet:
    if part.start == part.end:
        raise source.error(path, "ends when it begins; write other hours, or leave the channel without events")
    return Quiet(
        start=time.fromisoformat(part.start),
        end=time.fromisoformat(part.end),
        zone=_zone(part.zone, path, source),
        but=frozenset(part.but or ()),
    )


def _zone(name: str, path: str, source: Source) -> tzinfo:
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, KeyError) as error:
        raise source.error(
            f"{path}.zone", f"{name!r} is no time zone that is known here, such as Europe/Paris"
        ) from error
