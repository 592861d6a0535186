"""Paths: doubled separators and "." say nothing, letter case and ".." count."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import About
from guardrail.clustering.texts import identity

_DRIVE = re.compile(r"[A-Za-z]:(?=\\)")


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two paths name one file or folder by their text alone."""
    return normal(a) == normal(b)


def normal(text: str) -> str:
    """The path without what says nothing. A share's two slashes in front stay."""
    text = identity(text)
    if "://" in text:
        return text
    if _DRIVE.match(text):
        return _drive_upper(re.sub(r"\\+", r"\\", text))
    front = "//" if re.match(r"//[^/]", text) else "/" if text.startswith("/") else ""
    parts = [part for part in text.split("/") if part not in ("", ".")]
    return front + "/".join(parts) or "."


def _drive_upper(text: str) -> str:
    return text[0].upper() + text[1:]
