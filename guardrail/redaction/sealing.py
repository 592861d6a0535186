"""Keeping what is hidden: encrypted with AES-256 in GCM, bound to the review, tenant and slot that it belongs to.

Keys come from the variable ``GUARDRAIL_KEY``: one or more, separated by commas, each 32 bytes in base64. The first one
seals; all of them open, so that a new key is put in front of the old ones and nothing has to be sealed again.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from guardrail.codec import canonical, unique_keys
from guardrail.errors import ConfigError, MissingExtra, ReviewError
from guardrail.types import Sealed

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

VARIABLE: Final = "GUARDRAIL_KEY"
"""The environment variable with the keys."""
_BYTES: Final = 32
_NONCE: Final = 12


def new_key() -> str:
    """A key for ``GUARDRAIL_KEY``."""
    return base64.urlsafe_b64encode(secrets.token_bytes(_BYTES)).decode()


def key_given() -> bool:
    """Whether the environment names a key, usable or not."""
    return bool(os.environ.get(VARIABLE, "").strip())


@dataclass(frozen=True, kw_only=True)
class Vault:
    """Seals and opens. ``keys`` are never shown; the first one seals."""

    keys: tuple[bytes, ...] = field(repr=False)

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> Vault | None:
        """The vault of ``GUARDRAIL_KEY``; None where it is not set.

        Raises:
            ConfigError: it holds something that is no key; the message does not tell what.
            MissingExtra: the cryptography package is not installed.
        """
        text = (os.environ if environment is None else environment).get(VARIABLE, "")
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if not parts:
            return None
        _aesgcm(bytes(_BYTES))
        return cls(keys=tuple(_key(part, number) for number, part in enumerate(parts, start=1)))

    def seal(self, arguments: Mapping[str, Any], *, review_id: str, tenant: str, slot: str, at: str) -> Sealed:
        """Arguments, encrypted."""
        key, nonce = self.keys[0], secrets.token_bytes(_NONCE)
        bound = _bound(review_id, tenant, slot)
        text = canonical(dict(arguments)).encode("utf-8", "surrogatepass")
        blob = nonce + _aesgcm(key).encrypt(nonce, text, bound)
        return Sealed(
            review_id=review_id,
            slot=slot,
            tenant=tenant,
            key_id=_name(key),
            at=at,
            blob=base64.b64encode(blob).decode(),
        )

    def open(self, sealed: Sealed, *, review_id: str, tenant: str, slot: str) -> dict[str, Any]:
        """The arguments that were sealed for this review, tenant and slot.

        Raises:
            ConfigError: the key that it was sealed with is not there any more.
            ReviewError: it was changed, or sealed for another review, tenant or slot.
        """
        from cryptography.exceptions import InvalidTag

        key = next((key for key in self.keys if _name(key) == sealed.key_id), None)
        if key is None:
            raise ConfigError(
                f"what is hidden of review {review_id[:12]} was sealed with key {sealed.key_id!r}, which {VARIABLE} "
                "does not hold: put that key behind the newer ones, with a comma between them"
            )
        try:
            blob = base64.b64decode(sealed.blob, validate=True)
            text = _aesgcm(key).decrypt(blob[:_NONCE], blob[_NONCE:], _bound(review_id, tenant, slot))
            found = json.loads(text.decode("utf-8", "surrogatepass"), object_pairs_hook=unique_keys)
        except (InvalidTag, ValueError, binascii.Error) as error:
            raise ReviewError(
                f"what is sealed for review {review_id[:12]} was changed, or belongs to another review: it is not used"
            ) from error
        if not isinstance(found, dict):
            raise ReviewError(f"what is sealed for review {review_id[:12]} are no arguments: it is not used")
        return found


def _bound(review_id: str, tenant: str, slot: str) -> bytes:
    """What an encrypted value belongs to: it opens for nothing else."""
    return canonical(["guardrail sealed", 1, tenant, review_id, slot]).encode("utf-8", "surrogatepass")


def _name(key: bytes) -> str:
    return hashlib.sha256(b"guardrail key name " + key).hexdigest()[:16]


def _key(text: str, number: int) -> bytes:
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != _BYTES:
        raise ConfigError(
            f"{VARIABLE}: key {number} is not 32 bytes in base64: make one with `guardrail reviews new-key`"
        )
    return key


def _aesgcm(key: bytes) -> AESGCM:
    try:
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    except ImportError:
        raise MissingExtra(f"keeping what is hidden ({VARIABLE} is set)", "crypto") from None
    return AESGCM(key)
