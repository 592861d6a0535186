"""Values that leave an argument open."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.said import schema_words
from guardrail.clustering.comparators.wordforms import stem

_WORD = re.compile(r"[^\W_]+")
_EVERY = frozenset(("any", "all", "every", "dontcare", "anything", "everything"))
_WHOLE = frozenset(("entire", "whole"))
_PARTS = frozenset(("part", "parts", "of", "the"))
_SHORT = 3
_LONGEST = 60


def wildcard(text: str, about: About) -> bool:
    """Whether a value leaves the argument open ("any", "all colors" for a color)."""
    if len(text) > _LONGEST:
        return False
    first, *rest = _WORD.findall(text.casefold()) or [""]
    if first not in _EVERY and not (first in _WHOLE and rest):
        return False
    said = [word for word in rest if word not in _PARTS]
    return len(said) < _SHORT and all(stem(word) in schema_words(about) for word in said)
