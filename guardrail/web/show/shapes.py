"""What kind of control a part of a JSON Schema asks for. Whatever is too odd for one is edited as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import unquote

from guardrail.review.votes import same_json
from guardrail.web.show.jsontext import pretty

_HOPS: Final = 16
_MERGED: Final = frozenset({"title", "description", "default", "examples", "deprecated", "readOnly", "writeOnly"})
_VARIANTS: Final = 12
_OPTIONS: Final = 500
_FIT_DEPTH: Final = 4
_LOOKED_AT: Final = 20


class Kind(StrEnum):
    """What a part of the arguments is edited with."""

    OBJECT = "object"
    LIST = "list"
    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    CHOICE = "choice"
    UNION = "union"
    JSON = "json"


_TYPES: Final = {
    "object": Kind.OBJECT,
    "array": Kind.LIST,
    "string": Kind.TEXT,
    "integer": Kind.INTEGER,
    "number": Kind.NUMBER,
    "boolean": Kind.BOOLEAN,
    "null": Kind.CHOICE,
}
_WORDS: Final = {
    Kind.OBJECT: "object",
    Kind.LIST: "list",
    Kind.TEXT: "text",
    Kind.INTEGER: "whole number",
    Kind.NUMBER: "number",
    Kind.BOOLEAN: "true or false",
    Kind.CHOICE: "one of some values",
    Kind.UNION: "one of several kinds",
    Kind.JSON: "JSON",
}


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A part of a schema, with its references followed. ``options`` are the values of a choice, ``variants`` the
    schemas of a union, ``fields`` those of an object by name, ``items`` that of a list, ``extra`` that of names which
    an object does not list (None: the schema says nothing of them, False: there are none).
    """

    kind: Kind
    schema: Mapping[str, Any]
    options: tuple[Any, ...] = ()
    variants: tuple[Any, ...] = ()
    fields: tuple[tuple[str, Any], ...] = ()
    required: frozenset[str] = frozenset()
    items: Any = True
    extra: Any = None

    @property
    def words(self) -> str:
        """The kind for people."""
        title = self.schema.get("title")
        if self.options and len(self.options) == 1:
            return "null" if self.options[0] is None else "a fixed value"
        return title[:60] if isinstance(title, str) and title else _WORDS[self.kind]

    @property
    def hint(self) -> str:
        """What the schema says about it for people: its description, and what bounds it."""
        given = self.schema.get("description")
        text = given.strip() if isinstance(given, str) else ""
        text = text[:400] + "…" * (len(text) > 400)
        said: list[str] = []
        for key, words in _BOUNDS.items():
            bound = self.schema.get(key)
            if isinstance(bound, int | float | str) and not isinstance(bound, bool):
                said.append(f"{words} {bound}"[:120])
        if "default" in self.schema:
            said.append(f"if not given: {pretty(self.schema['default'])}"[:120])
        if self.schema.get("uniqueItems") is True:
            said.append("no two alike")
        more = "; ".join(said)
        if text and more:
            return f"{text} {more[0].upper()}{more[1:]}" if text[-1] in ".!?…" else f"{text}; {more}"
        return text or more


_BOUNDS: Final = {
    "minimum": "at least",
    "exclusiveMinimum": "above",
    "maximum": "at most",
    "exclusiveMaximum": "below",
    "multipleOf": "a multiple of",
    "minLength": "characters, at least:",
    "maxLength": "characters, at most:",
    "minItems": "items, at least:",
    "maxItems": "items, at most:",
    "pattern": "matches",
    "format": "format",
}


class Schemas:
    """The schema of one tool. Only references within it are followed."""

    def __init__(self, root: object) -> None:
        self._root = root

    def shape(self, schema: object) -> Shape:
        """What the part of the schema asks for."""
        found = self._followed(schema)
        return _JSON if found is None else self._shape(found)

    def fits(self, schema: object, value: object, depth: int = 0) -> bool:
        """Whether a value looks as if it were meant by the schema. A guess, not a validation."""
        shape = self.shape(schema)
        if shape.kind is Kind.JSON or depth > _FIT_DEPTH:
            return True
        if shape.kind is Kind.UNION:
            return any(self.fits(variant, value, depth + 1) for variant in shape.variants)
        if shape.kind is Kind.CHOICE:
            return any(same_json(value, option) for option in shape.options)
        return of_kind(shape.kind, value) and self._parts_fit(shape, value, depth + 1)

    def _parts_fit(self, shape: Shape, value: object, depth: int) -> bool:
        if isinstance(value, list):
            return all(self.fits(shape.items, item, depth) for item in value[:_LOOKED_AT])
        if not isinstance(value, dict):
            return True
        known = [(part, value[name]) for name, part in shape.fields if name in value]
        return shape.required <= value.keys() and all(self.fits(part, inner, depth) for part, inner in known)

    def _followed(self, schema: object) -> dict[str, Any] | None:
        """The schema with ``$ref`` and an ``allOf`` of one part put in place; None where it leads nowhere."""
        if schema is True or schema == {}:
            return None
        for _ in range(_HOPS):
            if not isinstance(schema, dict):
                return None
            found = {str(key): value for key, value in schema.items()}
            if "$ref" in found:
                target = self._target(found.pop("$ref"))
            elif isinstance(parts := found.get("allOf"), list) and len(parts) == 1:
                del found["allOf"]
                target = parts[0]
            else:
                return found
            if not isinstance(target, dict) or not found.keys() <= _MERGED:
                return None
            schema = {**target, **found}
        return None

    def _target(self, reference: object) -> object:
        if not isinstance(reference, str) or not reference.startswith("#"):
            return None
        at = self._root
        for part in unquote(reference[1:]).split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(at, dict):
                at = at.get(name)
            elif isinstance(at, list) and name.isascii() and name.isdigit() and len(name) < 6 and int(name) < len(at):
                at = at[int(name)]
            else:
                return None
        return at

    def _shape(self, schema: dict[str, Any]) -> Shape:
        """Several conditions beside named properties are left to validation: the properties are the form."""
        if "const" in schema:
            return Shape(kind=Kind.CHOICE, schema=schema, options=(schema["const"],))
        options = schema.get("enum")
        if isinstance(options, list) and 0 < len(options) <= _OPTIONS:
            return Shape(kind=Kind.CHOICE, schema=schema, options=tuple(options))
        if isinstance(schema.get("properties"), dict) and schema.get("type") in (None, "object", ["object"]):
            return _object(schema)
        if "enum" in schema or "allOf" in schema:
            return _JSON
        variants = _variants(schema)
        return Shape(kind=Kind.UNION, schema=schema, variants=variants) if variants else _of_type(schema)


_JSON: Final = Shape(kind=Kind.JSON, schema={})


def of_kind(kind: Kind, value: object) -> bool:
    """Whether a value can be edited with the control of a kind."""
    if kind is Kind.OBJECT:
        return isinstance(value, dict)
    if kind is Kind.LIST:
        return isinstance(value, list)
    if kind is Kind.TEXT:
        return isinstance(value, str)
    if kind is Kind.BOOLEAN:
        return isinstance(value, bool)
    if kind in (Kind.INTEGER, Kind.NUMBER):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return True


def _of_type(schema: dict[str, Any]) -> Shape:
    """A schema that says one type."""
    kind = schema.get("type")
    if isinstance(kind, list) and len(kind) == 1:
        (kind,) = kind
    if kind is None and "items" in schema:
        kind = "array"
    if not isinstance(kind, str) or kind not in _TYPES or {"anyOf", "oneOf"} & schema.keys():
        return Shape(kind=Kind.JSON, schema=schema)
    if kind == "object":
        return _object(schema)
    items = schema.get("items", True)
    if kind == "array" and ("prefixItems" in schema or isinstance(items, list)):
        return Shape(kind=Kind.JSON, schema=schema)
    return Shape(kind=_TYPES[kind], schema=schema, items=items, options=(None,) if kind == "null" else ())


def _object(schema: dict[str, Any]) -> Shape:
    properties = schema.get("properties", {})
    required = schema.get("required", [])
    if not isinstance(properties, dict) or not isinstance(required, list):
        return _JSON
    extra = schema.get("additionalProperties")
    if extra is None and ("patternProperties" in schema or not properties):
        extra = True
    return Shape(
        kind=Kind.OBJECT,
        schema=schema,
        fields=tuple((str(name), part) for name, part in properties.items()),
        required=frozenset(name for name in required if isinstance(name, str)),
        extra=extra,
    )


def _variants(schema: dict[str, Any]) -> tuple[Any, ...]:
    """The schemas of which a value has to fit one; none where it is no plain choice between schemas."""
    kinds = schema.get("type")
    if isinstance(kinds, list) and not {"anyOf", "oneOf"} & schema.keys():
        if len(kinds) == 1:
            return ()
        return tuple({**schema, "type": kind} for kind in kinds[:_VARIANTS])
    found = [schema[key] for key in ("anyOf", "oneOf") if key in schema]
    others = schema.keys() - {"anyOf", "oneOf"} - _MERGED
    if len(found) != 1 or others or not isinstance(found[0], list) or not 0 < len(found[0]) <= _VARIANTS:
        return ()
    return tuple(found[0])
