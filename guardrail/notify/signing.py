"""Signed webhooks as Standard Webhooks describes them (https://www.standardwebhooks.com, symmetric signatures, v1).

What is signed is ``{id}.{timestamp}.{body}``, by HMAC-SHA256. A secret is 24 to 64 random bytes in base64 behind
``whsec_``. There may be several, so that one can be replaced by the next without a gap. Nothing here needs more than
the standard library.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from guardrail.errors import BadSignature, ConfigError

PREFIX: Final = "whsec_"
TOLERANCE: Final = 300.0
"""Seconds that the clocks of sender and receiver may be apart, the way of the message included."""
_BYTES: Final = range(24, 65)
_MOST: Final = 20
_LONGEST: Final = 1_000_000


def new_secret() -> str:
    """A new secret."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def read_secrets(text: str, where: str) -> tuple[bytes, ...]:
    """The secrets in a text, one or several apart by white space, as keys.

    Raises:
        ConfigError: one is none; the message names ``where`` it came from, and no secret.
    """
    found = tuple(_key(secret) for secret in text.split())
    if not found:
        raise ConfigError(f"{where} holds no secret: write one that `guardrail notify secret` makes")
    if None in found:
        raise ConfigError(
            f"{where} holds something that is no secret: each is {PREFIX} and 24 to 64 bytes in base64; "
            "`guardrail notify secret` makes one"
        )
    return tuple(key for key in found if key is not None)


def headers(identity: str, body: bytes, keys: Sequence[bytes], *, at: float) -> dict[str, str]:
    """The headers of a message: its id, when it is sent (seconds since 1970), and a signature by each key."""
    stamp = str(int(at))
    return {
        "webhook-id": identity,
        "webhook-timestamp": stamp,
        "webhook-signature": " ".join(f"v1,{_signature(identity, stamp, body, key)}" for key in keys),
    }


def verify(
    headers: Mapping[str, str],
    body: bytes,
    secret: str,
    *,
    tolerance: float = TOLERANCE,
    now: float | None = None,
) -> dict[str, Any]:
    """What a webhook says, if it comes from whoever knows the secret and is not old.

    Args:
        headers: of the request; their names may have any case.
        body: the bytes of the request, exactly as they came.
        secret: the secret, or several apart by white space, any of which will do.
        tolerance: seconds that the message may be old, or ahead of this clock.
        now: the time, in seconds since 1970.

    Returns:
        The body's JSON. One ``webhook-id`` may come twice: do what it asks for once.

    Raises:
        BadSignature: it was not signed with the secret, or changed, or is too old. Nothing of it may be believed.
        ConfigError: the secret is none.
    """
    keys = read_secrets(secret, "the secret")
    given = {name.lower(): value for name, value in headers.items()}
    identity, stamp, signed = (given.get(f"webhook-{name}", "") for name in ("id", "timestamp", "signature"))
    if not identity or not stamp or not signed:
        raise BadSignature("the request has no webhook-id, webhook-timestamp and webhook-signature: refuse it")
    if not stamp.isascii() or not stamp.isdigit() or len(stamp) > _MOST:
        raise BadSignature("the webhook-timestamp is no time: refuse it")
    if not abs((time.time() if now is None else now) - int(stamp)) <= tolerance:
        raise BadSignature("the message is older than the tolerance, or the clocks differ: refuse it")
    if len(body) > _LONGEST:
        raise BadSignature("the message is longer than any that is sent: refuse it")
    theirs = [value for version, _, value in (one.partition(",") for one in signed.split()[:_MOST]) if version == "v1"]
    ours = [_signature(identity, stamp, body, key) for key in keys]
    # every pair is compared, so that the time taken says nothing of which was near
    matches = [hmac.compare_digest(one.encode(), other.encode()) for one in theirs for other in ours]
    if not any(matches):
        raise BadSignature("the signature is not one of this secret: refuse it")
    return _read(body)


def _read(body: bytes) -> dict[str, Any]:
    try:
        said = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadSignature("the message is signed and no JSON: it is not one of this package") from error
    if not isinstance(said, dict):
        raise BadSignature("the message is signed and no JSON object: it is not one of this package")
    return said


def _key(secret: str) -> bytes | None:
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        return None
    return key if len(key) in _BYTES else None


def _signature(identity: str, stamp: str, body: bytes, key: bytes) -> str:
    content = b".".join((identity.encode("utf-8", "surrogatepass"), stamp.encode(), body))
    return base64.b64encode(hmac.digest(key, content, hashlib.sha256)).decode()
