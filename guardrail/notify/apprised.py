"""Chats, mailboxes and other services by apprise, which has one address for each."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Final

from guardrail.errors import ConfigError, MissingExtra
from guardrail.notify.masking import hide
from guardrail.notify.messages import Message
from guardrail.notify.senders import SECONDS, NotSent

_MAIL: Final = ("mailto:", "mailtos:")


class AppriseSender:
    """Sends to the one service that an apprise address names. Texts are plain, whatever the service makes of markup."""

    def __init__(self, url: str, variable: str, *, seconds: float = SECONDS) -> None:
        try:
            import apprise
        except ImportError as error:
            raise MissingExtra("a chat or mailbox", "notify") from error
        hide(url)
        log = logging.getLogger("apprise")
        if log.level == logging.NOTSET:
            log.setLevel(logging.CRITICAL)  # what it says of a failure may hold the address, and so a password
        asset = apprise.AppriseAsset(
            app_id="guardrail",
            app_desc="guardrail",
            app_url="",
            secure_logging=True,
            http_redirects=False,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
            service_timeout=seconds,
        )
        service = apprise.Apprise(asset=asset)
        if not _added(service, _as_text(url)) or len(service) != 1:
            raise ConfigError(
                f"the variable {variable} holds no apprise address, or several: put one into it, as "
                "https://appriseit.com/services/ describes them"
            )
        self._service = service
        self._format = apprise.NotifyFormat.TEXT
        self._seconds = seconds

    def send(self, message: Message, at: datetime) -> None:
        del at
        try:
            taken = self._service.notify(
                body=message.text,
                title=message.title,
                body_format=self._format,
                interpret_escapes=False,
                timeout=self._seconds,
            )
        except Exception as error:  # noqa: BLE001 - whatever a service's own code raises may hold its address
            raise NotSent(f"the service failed ({type(error).__name__})") from None
        if not taken:
            raise NotSent("the service did not take the message")


def _added(service: Any, url: str) -> bool:
    try:
        return bool(service.add(url))
    except Exception:  # noqa: BLE001 - an address that its plugin cannot read; nothing of it may be told
        return False


def _as_text(url: str) -> str:
    """Mail as plain text, where the address does not say otherwise."""
    if not url.lower().startswith(_MAIL) or "format=" in url:
        return url
    return f"{url}{'&' if '?' in url else '?'}format=text"
