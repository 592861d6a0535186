r"""Texts as PostgreSQL can keep, compare and index them: it knows no NUL and no lone surrogate, and its indices hold
no long values.

A backslash begins an escape: ``\\`` is a backslash, ``\0`` NUL, ``\uD83D`` a lone surrogate, and ``\#`` stands where a
text was cut, before its SHA-256. Escaping goes character by character, so what begins alike still does.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from guardrail.errors import StoreError

MOST_BYTES = 500
"""Of one text in an index. Five of them fit into an entry, which may have 2,704 bytes."""
_SPECIAL = re.compile("[\\\\\x00\ud800-\udfff]")
_ESCAPED = re.compile(r"\\(\\|0|u[0-9A-F]{4})")


def escaped(text: str) -> str:
    """The text as PostgreSQL can keep it."""
    if text.isascii() and "\\" not in text and "\x00" not in text:  # nearly all
        return text
    return _SPECIAL.sub(_escape, text)


def restored(text: str) -> str:
    """The text that ``escaped`` or ``exact`` was given."""
    return _ESCAPED.sub(_restore, text) if "\\" in text else text


def lookup(text: str) -> str:
    """The text as lists find it: escaped and, where it is long, cut and told apart by its SHA-256."""
    kept = escaped(text)
    if len(kept) <= MOST_BYTES and (kept.isascii() or len(kept.encode()) <= MOST_BYTES):
        return kept
    start = kept.encode()[: MOST_BYTES - 66].decode(errors="ignore")
    return f"{start}\\#{hashlib.sha256(kept.encode()).hexdigest()}"


def exact(text: str, what: str) -> str:
    """The text as it is found and given back.

    Raises:
        StoreError: it is too long.
    """
    kept = escaped(text)
    if len(kept.encode()) > MOST_BYTES:
        raise StoreError(f"{what} that begins with {text[:40]!r} is too long: it may have {MOST_BYTES} bytes")
    return kept


def lookups(columns: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a row as lists find them."""
    return {name: lookup(value) if isinstance(value, str) else value for name, value in columns.items()}


def _escape(found: re.Match[str]) -> str:
    character = found.group()
    return {"\\": "\\\\", "\x00": "\\0"}.get(character) or f"\\u{ord(character):04X}"


def _restore(found: re.Match[str]) -> str:
    code = found.group(1)
    return {"\\": "\\", "0": "\x00"}.get(code) or chr(int(code[1:], 16))
