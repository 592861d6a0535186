"""Musical keys and notes: "C sharp" is "C#", and a key without a mode is a major one."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import About
from guardrail.clustering.texts import shown

_PITCH = re.compile(
    r"(?P<note>[A-G])\s*-?(?P<sign>#|b|\u266f|\u266d|sharp|flat)?(?:\s*-?(?P<mode>major|maj|minor|min|m))?",
)
_SIGNS = {"\u266f": "#", "sharp": "#", "\u266d": "b", "flat": "b"}
_MODES = {"maj": "major", "min": "minor", "m": "minor"}


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two keys are written for the same note and mode; None where one is no key."""
    one, other = _reading(a), _reading(b)
    return one == other if one and other else None


def _reading(text: str) -> tuple[str, str, str] | None:
    text = shown(text)
    match = _PITCH.fullmatch(text[:1].upper() + re.sub(r"(?i)sharp|flat|major|minor", lambda m: m[0].lower(), text[1:]))
    if match is None:
        return None
    sign, mode = match["sign"] or "", match["mode"] or "major"
    return match["note"], _SIGNS.get(sign, sign), _MODES.get(mode, mode)
