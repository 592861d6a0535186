"""Typed tests of one argument value, with three outcomes: True, False, and None for "cannot be told".

Arguments are hostile text. A value of the wrong type, a number that is not one, or a text that equals the
operand only after Unicode, case or white space are folded is neither a match nor a mismatch: it is unclear,
and the policy then takes the stricter reading.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

Truth = bool | None

MAX_MATCHED: Final = 512
"""Longest text, in characters, that a regular expression is run over; longer is unclear."""

_MAX_DIGITS: Final = 64
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)


def negated(truth: Truth) -> Truth:
    """Kleene's not."""
    return None if truth is None else not truth


def any_of(truths: Iterable[Truth]) -> Truth:
    """Kleene's or: False for none."""
    found = list(truths)
    return True if True in found else None if None in found else False


def all_of(truths: Iterable[Truth]) -> Truth:
    """Kleene's and: True for none."""
    return negated(any_of(negated(truth) for truth in truths))


def number(value: object) -> Decimal | None:
    """The finite number that a value plainly is or spells; None for booleans, NaN, "1,000" and the rest."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        found = Decimal(repr(value))
        return found if found.is_finite() else None
    if isinstance(value, str) and len(value) <= _MAX_DIGITS:
        text = unicodedata.normalize("NFKC", value).strip()
        if _NUMBER.fullmatch(text):
            try:
                return Decimal(text)
            except InvalidOperation:
                return None
    return None


def folded(text: str) -> str:
    """The text without what a reader does not see or mind: width, case, invisible characters, spacing."""
    wide = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    seen = "".join(c for c in wide if unicodedata.category(c) not in ("Cf", "Cc") or c.isspace())
    return " ".join(seen.split())


def equal(value: object, operand: object) -> Truth:
    """Whether a value is the operand; numbers by size, texts exactly."""
    if isinstance(operand, bool):
        return value is operand if isinstance(value, bool) else None
    theirs, ours = number(value), number(operand)
    if theirs is not None and ours is not None and not (isinstance(value, str) and isinstance(operand, str)):
        return theirs == ours
    if isinstance(value, str) and isinstance(operand, str):
        return _textual(value == operand, folded(value) == folded(operand) or (theirs is not None and theirs == ours))
    return None


def _textual(plain: bool, loose: bool) -> Truth:
    return plain if plain == loose else None


def _compared(test: Callable[[Decimal, Decimal], bool]) -> Callable[[Any, Any], Truth]:
    def compare(value: object, operand: object) -> Truth:
        theirs, ours = number(value), number(operand)
        return None if theirs is None or ours is None else test(theirs, ours)

    return compare


def _among(value: object, operands: Iterable[object]) -> Truth:
    return any_of(equal(value, operand) for operand in operands)


def _matches(value: object, pattern: str) -> Truth:
    if not isinstance(value, str) or len(value) > MAX_MATCHED:
        return None
    plain, loose = _compiled(pattern)
    return _textual(plain.fullmatch(value) is not None, loose.fullmatch(folded(value)) is not None)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    return re.compile(pattern), re.compile(pattern, re.IGNORECASE)


def _contains(value: object, operand: object) -> Truth:
    if isinstance(value, list):
        return any_of(equal(item, operand) for item in value)
    if isinstance(value, str) and isinstance(operand, str):
        return _textual(operand in value, folded(operand) in folded(value))
    return None


OPERATORS: Final[Mapping[str, Callable[[Any, Any], Truth]]] = MappingProxyType(
    {
        "eq": equal,
        "ne": lambda value, operand: negated(equal(value, operand)),
        "gt": _compared(lambda a, b: a > b),
        "ge": _compared(lambda a, b: a >= b),
        "lt": _compared(lambda a, b: a < b),
        "le": _compared(lambda a, b: a <= b),
        "in": _among,
        "not_in": lambda value, operands: negated(_among(value, operands)),
        "matches": _matches,
        "contains": _contains,
    }
)
"""Every operator that looks at a value. ``exists`` looks at whether there is one, and lives in conditions."""
