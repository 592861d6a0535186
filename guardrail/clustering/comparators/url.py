"""Links: scheme and host in any case, without the scheme's own port; every other character counts."""

from __future__ import annotations

from urllib.parse import urlsplit

from guardrail.clustering.comparators.about import About
from guardrail.clustering.texts import identity

_PORTS = {"http": 80, "https": 443, "ftp": 21, "ws": 80, "wss": 443}


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two links are one; None where one is no absolute link."""
    one, other = _reading(a), _reading(b)
    return one == other if one and other else None


def _reading(text: str) -> tuple[str, ...] | None:
    text = identity(text)
    if "\\" in text or any(letter.isspace() for letter in text):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    if not (parts.scheme and parts.hostname):
        return None
    user = parts.netloc.rpartition("@")[0]
    known = "" if port in (None, _PORTS.get(parts.scheme)) else str(port)
    # the text after the host, so that an empty query and none stay two links
    rest = text.partition("//")[2][len(parts.netloc) :]
    return parts.scheme, user, parts.hostname, known, rest if rest[:1] == "/" else f"/{rest}"
