"""Finds an argument by its dotted path, in a call and in a tool's JSON Schema."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final

_MAX_HOPS: Final = 32


class Gap(Enum):
    """Why there is no value."""

    ABSENT = "absent"
    UNCLEAR = "unclear"


class Declared(Enum):
    """What a schema says of an argument: it has it, it cannot have it, or it may."""

    YES = "yes"
    NO = "no"
    OPEN = "open"


def lookup(arguments: Mapping[str, Any], path: str) -> Any:
    """The value at a path, or a ``Gap``. A key that itself has dots counts; if both are there it is unclear."""
    nested = _nested(arguments, path.split("."))
    if "." not in path or path not in arguments:
        return nested
    return arguments[path] if nested is Gap.ABSENT else Gap.UNCLEAR


def _nested(value: Any, parts: list[str]) -> Any:
    for part in parts:
        if not isinstance(value, Mapping):
            return Gap.UNCLEAR
        if part not in value:
            return Gap.ABSENT
        value = value[part]
    return value


def declared(schema: Mapping[str, Any], path: str) -> tuple[Declared, Any]:
    """Whether a tool's schema has the argument, and the default it declares (else ``Gap.ABSENT``).

    An empty schema is that of a tool without arguments; one that allows further properties, or is
    broken, is open.
    """
    if not schema:
        return Declared.NO, Gap.ABSENT
    whole, default = _declared(schema, schema, [path]) if "." in path else (Declared.NO, Gap.ABSENT)
    return (whole, default) if whole is Declared.YES else _declared(schema, schema, path.split("."))


def _declared(root: Mapping[str, Any], schema: Any, parts: list[str]) -> tuple[Declared, Any]:
    if not parts:
        return Declared.YES, schema.get("default", Gap.ABSENT) if isinstance(schema, Mapping) else Gap.ABSENT
    open_ended, objects = False, 0
    for branch in _branches(root, schema):
        properties = branch.get("properties")
        if not isinstance(properties, Mapping):
            continue
        objects += 1
        if parts[0] in properties:
            return _declared(root, properties[parts[0]], parts[1:])
        open_ended = open_ended or branch.get("additionalProperties", False) is not False
    return (Declared.OPEN if open_ended or not objects else Declared.NO), Gap.ABSENT


def _branches(root: Mapping[str, Any], schema: Any) -> Iterator[Mapping[str, Any]]:
    """The schema and what it refers to or combines. ``$ref`` is followed inside the document only."""
    waiting = [schema]
    for _ in range(_MAX_HOPS):
        if not waiting:
            return
        found = waiting.pop(0)
        if not isinstance(found, Mapping):
            continue
        yield found
        if isinstance(found.get("$ref"), str):
            waiting.append(_local(root, found["$ref"]))
        for key in ("allOf", "anyOf", "oneOf"):
            if isinstance(found.get(key), list):
                waiting.extend(found[key])


def _local(root: Mapping[str, Any], reference: str) -> Any:
    target: Any = root if reference.startswith("#/") else None
    for part in reference.removeprefix("#/").split("/"):
        target = target.get(part.replace("~1", "/").replace("~0", "~")) if isinstance(target, Mapping) else None
    return target
