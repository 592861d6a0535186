"""Refuses regular expressions that hostile text can keep busy for ever."""

from __future__ import annotations

import re
from typing import Final

_UNBOUNDED: Final = re.compile(r"[*+]|\{\d*,\}")
_REPEATED: Final = re.compile(r"[*+]|\{\d")
_GROUP_OPENS: Final = re.compile(r"\((\?(P<\w+>|[:=!>]|<[=!]|[aiLmsux-]+:))?")


def pattern_problem(pattern: str) -> str | None:
    """What is wrong with a pattern, or None.

    A repeated group that itself repeats or branches, as in ``(a+)+`` and ``(a|aa)*``, can backtrack
    exponentially, and ``re`` has no time limit.
    """
    try:
        re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        return f"{pattern!r} is not a regular expression: {error}"
    return (
        f"{pattern!r} repeats a group that itself repeats or branches, which hostile text can make run for ever; "
        "write it without the inner repetition"
        if _nests(pattern)
        else None
    )


def _nests(pattern: str) -> bool:
    loose = [False]
    position = 0
    while position < len(pattern):
        char = pattern[position]
        if char == "\\":
            position += 2
        elif char == "[":
            position = _class_end(pattern, position)
        elif char == "(":
            loose.append(False)
            opening = _GROUP_OPENS.match(pattern, position)
            position = opening.end() if opening else position + 1
        elif char == ")":
            inner = loose.pop()
            repeated = _REPEATED.match(pattern, position + 1) is not None
            if inner and repeated:
                return True
            loose[-1] = loose[-1] or inner or repeated
            position += 1
        else:
            loose[-1] = loose[-1] or char == "|" or _UNBOUNDED.match(pattern, position) is not None
            position += 1
    return False


def _class_end(pattern: str, start: int) -> int:
    """Behind the character class that opens at ``start``; a ``]`` that comes first is a member."""
    position = start + 1
    if pattern[position : position + 1] == "^":
        position += 1
    if pattern[position : position + 1] == "]":
        position += 1
    while pattern[position] != "]":
        position += 2 if pattern[position] == "\\" else 1
    return position + 1
