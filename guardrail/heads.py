"""Files that say where the chains of the audit log ended, so that later nobody can cut them off unseen."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from guardrail.codec import digest, from_json, to_json
from guardrail.errors import ConfigError, MissingExtra
from guardrail.types import AuditHead

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_KIND: Final = "guardrail audit heads"
_VERSION: Final = 1
_MAKE: Final = "`openssl genpkey -algorithm ed25519 -out key.pem` makes one"


@dataclass(frozen=True, kw_only=True)
class HeadFile:
    """Heads as they stood ``at`` a moment; ``signed_by`` is the key, in base64, whose signature fits, or empty."""

    at: str
    heads: tuple[AuditHead, ...]
    signed_by: str = ""


def write_heads(heads: Sequence[AuditHead], *, at: str, key_file: Path | None) -> str:
    """The text of a file of heads; signed, where a key is given.

    Raises:
        ConfigError: the key cannot be used.
        MissingExtra: the package that signs is not installed.
    """
    said = {"kind": _KIND, "version": _VERSION, "at": at, "heads": [to_json(head) for head in heads]}
    data: dict[str, Any] = {**said, "digest": digest(said)}
    if key_file is not None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = _private_key(key_file)
        public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        data["public_key"] = base64.b64encode(public).decode()
        data["signature"] = base64.b64encode(key.sign(_message(said))).decode()
    return json.dumps(data, indent=1) + "\n"


def read_heads(path: Path, *, public_key: Path | None) -> HeadFile:
    """The heads of a file, once its digest and its signature were found to fit.

    Raises:
        ConfigError: it is no such file, was changed, or is not signed with ``public_key``.
        MissingExtra: it is signed, and the package that checks signatures is not installed.
    """
    data = _read(path)
    said = {name: data.get(name) for name in ("kind", "version", "at", "heads")}
    if said["kind"] != _KIND or said["version"] != _VERSION or not isinstance(said["heads"], list):
        raise ConfigError(f"{path} has no heads of an audit log: write one with `guardrail audit head`")
    if data.get("digest") != digest(said):
        raise ConfigError(f"{path} was changed since it was written, its digest does not fit: take another copy")
    signed_by = str(data.get("public_key", ""))
    if public_key is not None or "signature" in data:
        _check(path, data, _message(said), public_key)
    heads = tuple(from_json(AuditHead, head) for head in said["heads"])
    return HeadFile(at=str(said["at"]), heads=heads, signed_by=signed_by if "signature" in data else "")


def _read(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    return data if isinstance(data, dict) else {}


def _check(path: Path, data: dict[str, Any], message: bytes, public_key: Path | None) -> None:
    if "signature" not in data:
        raise ConfigError(f"{path} is not signed: write it with `guardrail audit head --key-file`")
    _needed()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        embedded = Ed25519PublicKey.from_public_bytes(base64.b64decode(str(data.get("public_key", "")), validate=True))
        signature = base64.b64decode(str(data["signature"]), validate=True)
        (embedded if public_key is None else _public_key(public_key)).verify(signature, message)
    except (InvalidSignature, ValueError, binascii.Error) as error:
        whose = "its own key" if public_key is None else str(public_key)
        raise ConfigError(f"{path} is not signed with {whose}: it was changed, or somebody else wrote it") from error


def _message(said: dict[str, Any]) -> bytes:
    return f"{_KIND}\n{digest(said)}".encode()


def _private_key(path: Path) -> Ed25519PrivateKey:
    _needed()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(f"{path} holds no private key in PEM without a password ({error}); {_MAKE}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigError(f"{path} holds another kind of key than Ed25519; {_MAKE}")
    return key


def _public_key(path: Path) -> Ed25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    try:
        key = load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"{path} holds no public key in PEM; `openssl pkey -in key.pem -pubout` writes it from the private one"
        ) from error
    if not isinstance(key, Ed25519PublicKey):
        raise ConfigError(f"{path} holds another kind of key than Ed25519")
    return key


def _needed() -> None:
    try:
        import cryptography  # noqa: F401 - only whether it is there
    except ImportError as error:
        raise MissingExtra("a signed head", "crypto") from error
