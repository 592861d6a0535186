"""Dates and times as sets of readings: "03/04/2024" may be either day, and is never "04/03/2024"."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import About
from guardrail.clustering.dates import readings
from guardrail.clustering.texts import shown

_DIGIT = re.compile(r"\d")


def settle(a: str, b: str, about: About) -> bool | None:
    """Whether two texts may write one moment; None where one is not plain.

    Two texts of one shape are written in one order, so they are one moment only if they are one text.
    """
    one, other = (readings(shown(text), about.order, about.now) for text in (a, b))
    if not one or not other:
        return None
    if one == other and len(one) == 1:
        return True
    if _DIGIT.sub("9", shown(a).casefold()) == _DIGIT.sub("9", shown(b).casefold()):
        return False
    return not one.isdisjoint(other)
