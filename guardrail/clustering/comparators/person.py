"""Names of people: the family name may stand first, before a comma. Initials and nicknames are not enough."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import About
from guardrail.clustering.texts import shown

_SUFFIXES = frozenset(("jr", "sr", "ii", "iii", "iv", "phd", "md", "esq"))


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """True for one name in two forms; None where the names differ, which is for a judge."""
    return True if _reading(a) == _reading(b) else None


def _reading(text: str) -> str:
    text = shown(text).casefold()
    family, comma, given = text.partition(",")
    if comma and "," not in given and given.strip(" .") not in _SUFFIXES and given.strip():
        text = f"{given.strip()} {family.strip()}"
    return " ".join(re.sub(r"(?<=\w)\.", " ", text.replace(",", " ")).split())
