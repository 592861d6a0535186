"""Two short values in other words for the same: spelling, number, and words that the schema says already.

"Louvre" is "Louvre Museum" where the argument is the name of a museum; "chicken" is not "chicken curry".
"""

from __future__ import annotations

import re
import unicodedata

from guardrail.clustering import vocabulary
from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.said import schema_words
from guardrail.clustering.comparators.wordforms import spelt, stem
from guardrail.clustering.naming import words
from guardrail.clustering.texts import loose

_WORD = re.compile(r"[^\W_]+")
_SHORT = 3
_LONGEST = 8
_SQUASHED = 5
_GRAMMAR = frozenset(("of", "the", "a", "an"))
_SIZES = {
    "xs": "extra small",
    "s": "small",
    "m": "medium",
    "l": "large",
    "xl": "extra large",
    "xxl": "extra extra large",
}


def settle(a: str, b: str, about: About) -> bool | None:
    """True where two values say the same in other words; None otherwise, which is for a judge."""
    return True if _same(a, b, about) else None


def _same(a: str, b: str, about: About) -> bool:
    parts = frozenset(words(about.name))
    if _labels(a, b, about) or _labels(b, a, about):
        return True
    if a.casefold() == b.casefold() or not vocabulary.WORKS.isdisjoint(parts):
        return False  # what only letter case tells apart, structure told apart on purpose
    left, right = _tokens(a), _tokens(b)
    if not left or not right or max(len(left), len(right)) > _LONGEST:
        return False
    if _same_letters(left, right) or ("size" in parts and _size(left) == _size(right)):
        return True
    proper = not vocabulary.PROPER.isdisjoint(parts)
    one, other = ([spelt(word) if proper else stem(word) for word in tokens] for tokens in (left, right))
    if one == other and (len(one) <= _SHORT or [*map(spelt, left)] == [*map(spelt, right)]):
        return True
    return _adds_only(one, other, schema_words(about)) or _adds_only(other, one, schema_words(about))


def _labels(labelled: str, plain: str, about: About) -> bool:
    """Whether a text is the other one behind a label that the description shows ("track:Yesterday")."""
    label, colon, rest = labelled.partition(":")
    shown = colon and label.isalpha() and f"{label}:" in about.description
    return bool(shown) and ":" not in plain and loose(rest) == loose(plain)


def _same_letters(left: list[str], right: list[str]) -> bool:
    """Whether two short names differ in spaces, hyphens, apostrophes and accents at most."""
    short = min(len(left), len(right)) <= _SHORT
    return short and len(_squashed(left)) >= _SQUASHED and _squashed(left) == _squashed(right)


def _tokens(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKD", loose(text).replace("'", ""))
    found = _WORD.findall("".join(letter for letter in plain if not unicodedata.combining(letter)).casefold())
    if len(found) > 1 and found[0] in ("the", "a", "an"):
        found = found[1:]
    return found[2:] if len(found) > 2 and found[:2] == ["pair", "of"] else found


def _squashed(tokens: list[str]) -> str:
    joined = "".join(tokens)
    return joined if joined.isalpha() else " ".join(tokens)


def _size(tokens: list[str]) -> str:
    text = " ".join(tokens).removesuffix(" size")
    return _SIZES.get(text, text)


def _adds_only(short: list[str], long: list[str], said: frozenset[str]) -> bool:
    """Whether the longer value is the shorter with words around it that the schema says already.

    Words in front narrow what follows, so there they count only before what the schema does not say.
    """
    if len(long) <= len(short):
        return False
    start = next((at for at in range(len(long) - len(short) + 1) if long[at : at + len(short)] == short), None)
    if start is None or all(word in _GRAMMAR for word in short):
        return False
    before, after = long[:start], long[start + len(short) :]
    extra = [word for word in (*before, *after) if word not in _GRAMMAR]
    if not extra or not all(word in said for word in extra):
        return False
    return not before or not all(word in said for word in short)
