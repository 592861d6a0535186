"""JSON written as text: by value, keys in any order."""

from __future__ import annotations

import json
from typing import Any

from guardrail.clustering.comparators.about import About
from guardrail.clustering.numbers import number_key, read_number

_LONGEST = 100_000


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two texts are the same JSON value; None where one is no JSON."""
    one, other = _reading(a), _reading(b)
    return one == other if one is not None and other is not None else None


def _reading(text: str) -> str | None:
    if len(text) > _LONGEST:
        return None
    try:
        value = json.loads(text, parse_float=_number, parse_int=_number, object_pairs_hook=_members)
        return json.dumps(value, sort_keys=True)
    except (ValueError, RecursionError):
        return None


def _number(literal: str) -> dict[str, str]:
    number = read_number(literal)
    return {"number": literal if number is None else number_key(number)}


def _members(pairs: list[tuple[str, Any]]) -> list[Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name twice")
    return ["object", sorted(pairs, key=lambda pair: pair[0])]
