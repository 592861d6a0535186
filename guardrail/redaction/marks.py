"""What stands where something is hidden: ``[hidden 1: password]``.

Equal values of one record have the same number, so that agreement can still be seen. What a reviewer typed into an edit
is numbered apart (``[hidden e1: password]``). No part of a mark comes from the value or from whoever planned the call.
"""

from __future__ import annotations

import re
from typing import Final

OPENING: Final = "[hidden "
EDIT: Final = "e"
"""In front of the numbers of what a reviewer typed."""
FORGED: Final = "text that looks like this mark"
"""The kind of a text that was written to look like a mark."""
MARK: Final = re.compile(r"\[hidden (e?[0-9]{1,9}): ([A-Za-z0-9 ,._-]{1,60})\]")
_ALIKE: Final = re.compile(
    r"[\[\uff3b][\s\u200b-\u200f\u2060\ufeff]*hidden\b[^\]\uff3d]{0,100}[\]\uff3d]?", re.IGNORECASE
)


def mark(number: str, kind: str) -> str:
    """The mark with that number of a value of that kind."""
    return f"{OPENING}{number}: {kind}]"


def forged(text: str) -> list[tuple[int, int]]:
    """Where a raw text has something that a reader would take for a mark."""
    return [found.span() for found in _ALIKE.finditer(text)] if "idden" in text.casefold() else []


def holds_mark(value: object) -> bool:
    """Whether something that a reader would take for a mark stands anywhere in a value, its keys included."""
    if isinstance(value, str):
        return bool(forged(value))
    if isinstance(value, dict):
        return any(holds_mark(key) or holds_mark(each) for key, each in value.items())
    return isinstance(value, list | tuple) and any(map(holds_mark, value))
