"""Numbers compared by value, never through a float that could make two of them one."""

from __future__ import annotations

import math
import re
from decimal import Decimal, DecimalException

_LITERAL = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d{1,6})?", re.ASCII)
_GROUPED = re.compile(r"[-+]?\d{1,3}(?:,\d{3})+(?:\.\d+)?", re.ASCII)
_LONGEST = 4_000


def read_number(value: object) -> Decimal | None:
    """The number that a JSON value is, or that a string spells as one literal; None for anything else."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    return _literal(value.strip()) if isinstance(value, str) and len(value) <= _LONGEST else None


def _literal(text: str) -> Decimal | None:
    if _GROUPED.fullmatch(text):
        text = text.replace(",", "")
    try:
        return Decimal(text) if _LITERAL.fullmatch(text) else None
    except DecimalException:
        return None


def number_key(number: Decimal) -> str:
    """Equal for equal numbers, different for different ones, at any size."""
    sign, digits, exponent = number.as_tuple()
    text = "".join(map(str, digits)).lstrip("0")
    kept = text.rstrip("0")
    if not kept or not isinstance(exponent, int):
        return "0"
    return f"{'-' if sign else ''}{kept}e{exponent + len(text) - len(kept)}"
