"""Secrets that are given out once and kept as digests: one-time links, cookies, API tokens."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import zlib
from typing import Final

PREFIX: Final = "grd"
_TOKEN: Final = re.compile(rf"{PREFIX}_([0-9a-f]{{16}})_([0-9a-f]{{64}})([0-9a-f]{{8}})")


def new_secret() -> str:
    """256 random bits, fit for a URL and a cookie."""
    return secrets.token_urlsafe(32)


def digest_of(secret: str) -> str:
    """What is kept of a secret of 256 random bits; one that people choose needs ``passwords``."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def form_token(cookie: str) -> str:
    """The token that forms of a session send back: nobody can know it who does not know the cookie."""
    return hmac.new(cookie.encode("utf-8", "surrogatepass"), b"guardrail form", hashlib.sha256).hexdigest()


def new_token() -> tuple[str, str, str]:
    """Id, secret and text of an API token, such as ``grd_0123..._89ab...``; its last 8 digits are a checksum, by which
    scanners for leaked secrets tell one from other text.
    """
    identity, secret = secrets.token_hex(8), secrets.token_hex(32)
    return identity, secret, f"{PREFIX}_{identity}_{secret}{_checksum(identity, secret)}"


def read_token(text: str) -> tuple[str, str] | None:
    """Id and secret of a token's text; None where it is none."""
    found = _TOKEN.fullmatch(text) if len(text) < 200 else None
    if found is None or not hmac.compare_digest(_checksum(found[1], found[2]), found[3]):
        return None
    return found[1], found[2]


def same(one: str, other: str) -> bool:
    """Whether two texts are one, in a time that does not tell where they differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))


def _checksum(identity: str, secret: str) -> str:
    return f"{zlib.crc32(f'{identity}_{secret}'.encode()):08x}"
