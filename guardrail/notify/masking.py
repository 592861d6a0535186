"""Addresses that hold secrets, kept out of what the libraries that send write into their logs."""

from __future__ import annotations

import logging
import re
from typing import Final
from urllib.parse import unquote

_LOGGERS: Final = (
    "httpx",
    "httpcore.connection",
    "httpcore.http11",
    "httpcore.http2",
    "httpcore.proxy",
    "httpcore.socks",
    "urllib3.connectionpool",
    "urllib3.util.retry",
)
_SHORTEST: Final = 6
_HIDDEN: Final = "***"


class _Mask(logging.Filter):
    """Writes records of a library anew where they hold a part of an address."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: frozenset[str] = frozenset()

    def hide(self, address: str) -> None:
        """Hide the parts of an address, from now on."""
        _, _, rest = address.partition("://")
        found = {part for text in (rest, unquote(rest)) for part in re.split(r"[/:@?&=#,;\s]+", text)}
        self._parts |= {part for part in found if len(part) >= _SHORTEST}

    def filter(self, record: logging.LogRecord) -> bool:
        try:
            said = record.getMessage()
        except Exception:  # noqa: BLE001 - a record that cannot be written is nobody's
            return True
        masked = said
        for part in sorted(self._parts, key=len, reverse=True):
            masked = masked.replace(part, _HIDDEN)
        if masked != said:
            record.msg, record.args = masked, ()
        return True


_mask = _Mask()


def hide(address: str) -> None:
    """Keep an address out of the logs of the libraries that send to it."""
    _mask.hide(address)
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(_mask)  # once, however often it is added
