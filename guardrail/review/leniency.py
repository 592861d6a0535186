"""A validator that passes over values which are not there to be looked at: marks in their place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_TELLING: Final = frozenset(
    {"not", "oneOf", "if", "contains", "uniqueItems", "const", "enum", "dependentSchemas", "unevaluatedProperties"}
)
"""Keywords that say something of a value by what stands within it: with a mark in it, they cannot be told."""


class Unseen(str):
    """A mark, as the validator sees it."""

    __slots__ = ()


def lenient(kind: Any) -> Any:
    """A validator class in which an ``Unseen`` value fits everything; the rest has to fit."""
    from jsonschema.validators import extend

    # the library has no types for it
    return extend(kind, {name: _passing(name, check) for name, check in kind.VALIDATORS.items()})  # type: ignore[no-untyped-call]


def unseen(value: Any, places: frozenset[str], place: str = "") -> Any:
    """A copy of a value with what stands at the places (JSON pointers) made ``Unseen``."""
    if place in places:
        return Unseen("hidden")
    if isinstance(value, Mapping):
        return {key: unseen(each, places, f"{place}/{_escaped(str(key))}") for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [unseen(each, places, f"{place}/{index}") for index, each in enumerate(value)]
    return value


def _passing(name: str, check: Callable[..., Any]) -> Callable[..., Iterator[Any]]:
    def passing(validator: Any, given: Any, instance: Any, schema: Any) -> Iterator[Any]:
        if isinstance(instance, Unseen) or (name in _TELLING and _holds(instance)):
            return
        yield from check(validator, given, instance, schema) or ()

    return passing


def _holds(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds, value.values()))
    return isinstance(value, Unseen) or (isinstance(value, list) and any(map(_holds, value)))


def _escaped(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")
