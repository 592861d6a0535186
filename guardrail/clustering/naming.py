"""What an argument's name and description say about how its values are compared."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from guardrail.clustering import vocabulary

_PART = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

_IDENTITY_TEXT = re.compile(
    r"\be-?mail address|\bfile ?(?:path|name)\b|\baccount number|\b(?:unique )?(?:id|identifier) (?:of|for)\b",
    re.IGNORECASE,
)
_PARTY_TEXT = re.compile(
    r"\b(?:account|recipient|receiver|payee|beneficiary|sender|wallet|e-?mail|phone|user)\b", re.IGNORECASE
)
_CODE_TEXT = re.compile(r"\bSQL\b|\bGraphQL\b|\bregular expression\b|\bshell\b|\bPython (?:code|expression)\b")
_IDENTITY_VALUE = re.compile(
    r"[^\s@]+@[^\s@]+"  # an e-mail address
    r"|\S*[/\\]\S*"  # a link or a path
    r"|(?=[\w:#.-]*\d)[A-Za-z0-9]+(?:[-_.:#][A-Za-z0-9]+)*"  # an order number, a hash, a version
)
_YEAR = re.compile(r"1\d{3}|20\d{2}", re.ASCII)
_FILE_VALUE = re.compile(r"[\w.-]+\.(?P<ending>[A-Za-z]\w{0,4})")

_MOMENT_TEXT = re.compile(
    r"\bY{2,4}[-/.]M{1,2}|\bM{1,2}[-/.]D{1,2}[-/.]Y|\bD{1,2}[-/.]M{1,2}[-/.]Y|\bISO[- ]?8601\b", re.IGNORECASE
)

_PARALLEL = re.compile(r"\bcorrespond|\brespective|\bsame order|\bin order\b|\bparallel\b|\bmatching\b", re.IGNORECASE)


def words(name: str) -> tuple[str, ...]:
    """The words of an argument's name: "shippingAddress" and "shipping_address" are both two."""
    return tuple(part.casefold() for part in _PART.findall(name))


def names_identity(name: str, schema: Mapping[str, Any]) -> bool:
    """Whether the values of an argument name one thing each, so that a look-alike is another thing."""
    parts = words(name)
    if _format(schema) in vocabulary.IDENTITY_FORMATS:
        return True
    if not parts:
        return False
    head, before = parts[-1], parts[-2] if len(parts) > 1 else ""
    return (
        head in vocabulary.IDENTITY
        or (head == "name" and before in vocabulary.NAMED)
        or (head == "address" and before in vocabulary.ADDRESS_OF)
        or (head == "key" and len(parts) > 1)
        or (head in vocabulary.NUMBERED)
        or (parts[0] in ("to", "from") and len(parts) == 1 and _PARTY_TEXT.search(described(schema)) is not None)
        or _IDENTITY_TEXT.search(described(schema)) is not None
    )


def names_code(name: str, schema: Mapping[str, Any]) -> bool:
    """Whether the values of an argument are for a machine to read, every character of them."""
    parts = words(name)
    return (bool(parts) and parts[-1] in vocabulary.CODE) or _CODE_TEXT.search(described(schema)) is not None


def looks_like_identity(value: str) -> bool:
    """Whether a value is itself an e-mail address, link, path or identifier, whatever its argument is called."""
    file = _FILE_VALUE.fullmatch(value)
    if file is not None and file["ending"].casefold() not in vocabulary.SITES:
        return True
    return _IDENTITY_VALUE.fullmatch(value) is not None and _YEAR.fullmatch(value) is None


def names_moment(name: str, schema: Mapping[str, Any]) -> bool:
    """Whether the values of an argument are dates or times of day."""
    if _format(schema) in vocabulary.MOMENT_FORMATS:
        return True
    parts = words(name)
    if not parts or not vocabulary.NOT_MOMENT.isdisjoint(parts):
        return False
    return parts[-1] in vocabulary.MOMENT or _MOMENT_TEXT.search(described(schema)) is not None


def names_set(name: str, schema: Mapping[str, Any], siblings: Mapping[str, Any]) -> bool:
    """Whether the order of an array's items cannot matter.

    Told by ``uniqueItems``, by items chosen from an enumeration, or by a name that lists things; never
    for numbers, for names that speak of order, or beside another array that it lines up with.
    """
    parts, items = words(name), schema.get("items")
    if not vocabulary.ORDERED.isdisjoint(parts) or not isinstance(items, dict) or _PARALLEL.search(described(schema)):
        return False
    if items.get("type") not in ("string", None) and "enum" not in items:
        return False
    if any(_lines_up(other, siblings[other]) for other in siblings if other != name):
        return False
    return schema.get("uniqueItems") is True or "enum" in items or (bool(parts) and parts[-1] in vocabulary.UNORDERED)


def keeps_case(name: str) -> bool:
    """Whether letter case is part of a value's meaning (mW and MW)."""
    parts = words(name)
    return bool(parts) and parts[-1] in vocabulary.CASED


def echoes(name: str) -> frozenset[str]:
    """The words that a value of this argument may say again without saying more.

    None for titles of works and for places, whose names contain them ("The Jungle Book", "Kansas City").
    """
    parts = frozenset(words(name))
    if not vocabulary.WORKS.isdisjoint(parts):
        return frozenset()
    return parts - vocabulary.SAY_MORE


def _lines_up(name: str, schema: object) -> bool:
    if not isinstance(schema, dict) or schema.get("type") != "array":
        return False
    parts: Sequence[str] = words(name)
    return (bool(parts) and parts[-1] in vocabulary.PARALLEL) or _PARALLEL.search(described(schema)) is not None


def _format(schema: Mapping[str, Any]) -> str:
    name = schema.get("format")
    return name if isinstance(name, str) else ""


def described(schema: Mapping[str, Any]) -> str:
    """A schema's description, as much of it as is read; "" where there is none."""
    text = schema.get("description")
    return text[:2_000] if isinstance(text, str) else ""
