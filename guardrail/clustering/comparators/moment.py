"""Dates and times as sets of readings: "03/04/2024" may be either day, and is never "04/03/2024"."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import About
from guardrail.clustering.dates import readings
from guardrail.clustering.texts import shown

_DIGIT = re.compile(r"\d")
_LONGEST = 40

_PATTERN = re.compile(r"(?:Y{2,4}|y{2,4}|M{1,4}|D{1,2}|d{1,2}|H{1,2}|m{2}|s{2}|S{2}|%[YymdHMSbB]|[-/.: ,T])+")
_DIRECTIVES = {"Y": "YYYY", "y": "YY", "m": "MM", "d": "DD", "H": "HH", "M": "mm", "S": "SS", "b": "MMM", "B": "MMMM"}
_LETTERS = str.maketrans("yds", "YDS")


def settle(a: str, b: str, about: About) -> bool | None:
    """Whether two texts may write one moment; None where one is not plain.

    Two texts of one shape are written in one order, so they are one moment only if they are one text.
    Formats of dates are compared by what they stand for: "%Y-%m-%d" is "YYYY-MM-DD".
    """
    patterns = _pattern(a), _pattern(b)
    if all(patterns):
        return patterns[0] == patterns[1]
    one, other = (readings(shown(text), about.order, about.now) for text in (a, b))
    if not one or not other:
        return None
    if one == other and len(one) == 1:
        return True
    if _DIGIT.sub("9", shown(a).casefold()) == _DIGIT.sub("9", shown(b).casefold()):
        return False
    return not one.isdisjoint(other)


def _pattern(text: str) -> str:
    """A format of dates in its letters; "" for any other text."""
    text = text.strip()
    if len(text) > _LONGEST or not _PATTERN.fullmatch(text) or not any(letter in text for letter in "%YyMDdH"):
        return ""
    return re.sub(r"%(.)", lambda match: _DIRECTIVES[match[1]], text).translate(_LETTERS)
