"""A JSON Schema's places with references followed and alternatives joined. What is broken is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]

_HOPS = 8
_MOST_BRANCHES = 50
_BRANCHING = ("anyOf", "oneOf")


def resolved(root: object, schema: object, hops: int = _HOPS) -> Schema:
    """One schema without references and combinations, by which values of any alternative can be read.

    Of alternatives the properties are joined, and what all of them require is required; null among them
    is ``nullable``. ``allOf`` adds up. {} where there is nothing to read.
    """
    if not isinstance(schema, dict) or hops <= 0:
        return {}
    reference = schema.get("$ref", schema.get("$dynamicRef"))
    combined = {key for key in (*_BRANCHING, "allOf") if isinstance(schema.get(key), list)}
    found = {key: value for key, value in schema.items() if key not in ("$ref", "$dynamicRef") and key not in combined}
    if isinstance(reference, str):
        found = {**resolved(root, _at(root, reference), hops - 1), **found}
    if "allOf" in combined:
        found = _added([resolved(root, one, hops - 1) for one in schema["allOf"][:_MOST_BRANCHES]], found)
    for key in _BRANCHING:
        if key in combined:
            found = _joined([resolved(root, one, hops - 1) for one in schema[key][:_MOST_BRANCHES]], found)
    if "const" in found and "enum" not in found:
        found["enum"] = [found["const"]]
    return found


def _added(parts: Sequence[Schema], beside: Schema) -> Schema:
    found: Schema = {}
    for part in (*parts, beside):
        found = {**found, **part, **_together(found, part)}
    return found


def _together(a: Schema, b: Schema) -> Schema:
    found: Schema = {}
    properties = [one["properties"] for one in (a, b) if isinstance(one.get("properties"), dict)]
    if len(properties) > 1:
        found["properties"] = {**properties[0], **properties[1]}
    required = [name for one in (a, b) for name in _names(one)]
    if required:
        found["required"] = required
    return found


def _joined(branches: Sequence[Schema], beside: Schema) -> Schema:
    """Alternatives as one schema, under what stands beside them."""
    given = [branch for branch in branches if branch.get("type") != "null"]
    found: Schema = {} if len(given) == len(branches) else {"nullable": True}
    if len(given) == 1:
        return {**given[0], **found, **_together(given[0], beside), **_without(beside, "properties", "required")}
    arrays = [branch for branch in given if branch.get("type") == "array"]
    objects = [
        branch for branch in given if branch.get("type") == "object" or isinstance(branch.get("properties"), dict)
    ]
    if given and all("enum" in branch and isinstance(branch["enum"], list) for branch in given):
        found["enum"] = [member for branch in given for member in branch["enum"]]
        if len(kinds := _kinds(given)) == 1:
            found["type"] = kinds[0]
    elif len(arrays) == 1 and "type" not in beside:
        found = {**arrays[0], **found}  # one value where an array of them may stand is an array of one
    elif given and len(objects) == len(given):
        found = {**found, "type": "object", "properties": _all_properties(objects)}
        required = set(_names(objects[0])).intersection(*(_names(one) for one in objects[1:]))
        found["required"] = sorted(required)
    elif kinds := _kinds(given):
        found["type"] = kinds
    return {**found, **beside, **_together(found, beside)}


def _all_properties(objects: Sequence[Schema]) -> Schema:
    found: dict[str, list[object]] = {}
    for one in objects:
        properties = one.get("properties")
        for name, schema in properties.items() if isinstance(properties, dict) else ():
            seen = found.setdefault(name, [])
            if schema not in seen:
                seen.append(schema)
    return {name: seen[0] if len(seen) == 1 else {"anyOf": seen} for name, seen in found.items()}


def _kinds(branches: Sequence[Schema]) -> list[str]:
    found: list[str] = []
    for branch in branches:
        kind = branch.get("type")
        for one in kind if isinstance(kind, list) else [kind]:
            if not isinstance(one, str):
                return []
            if one not in found:
                found.append(one)
    return found


def _names(schema: Mapping[str, Any]) -> list[str]:
    names = schema.get("required")
    return [name for name in names if isinstance(name, str)] if isinstance(names, list) else []


def _without(schema: Schema, *keys: str) -> Schema:
    return {key: value for key, value in schema.items() if key not in keys}


def _at(root: object, reference: str) -> object:
    """What a reference inside the same document points at."""
    if reference == "#":
        return root
    if not reference.startswith("#/"):
        return _anchored(root, reference.removeprefix("#")) if reference.startswith("#") else None
    found = root
    for part in unquote(reference[2:]).split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        elif isinstance(found, dict):
            found = found.get(name)
        else:
            return None
    return found


def _anchored(root: object, anchor: str) -> object:
    if not isinstance(root, dict):
        return None
    for holder in ("$defs", "definitions"):
        defined = root.get(holder)
        for one in defined.values() if isinstance(defined, dict) else ():
            if isinstance(one, dict) and anchor in (one.get("$anchor"), one.get("$dynamicAnchor")):
                return one
    return None
