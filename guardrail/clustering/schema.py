"""A tool's JSON Schema, read once into what comparing its calls needs. Broken schemas never raise."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from guardrail.clustering import naming, vocabulary
from guardrail.clustering.dates import declared_order
from guardrail.clustering.stated import NOT_STATED, stated_default
from guardrail.clustering.texts import loose
from guardrail.types import ToolSpec

COMPARATORS = ("exact", "number", "set", "text", "ignore")
"""The comparators that a policy may name for an argument; the schema and the value suggest one otherwise."""

_DEEPEST = 12
_HOPS = 8
_SPELT = {
    "float": "number",
    "double": "number",
    "int": "integer",
    "bool": "boolean",
    "str": "string",
    "dict": "object",
    "list": "array",
    "tuple": "array",
    "any": "",
}


@dataclass(frozen=True, kw_only=True, eq=False)
class Field:
    """How the values of one argument, or of one place inside it, are read and compared.

    ``kind`` is its JSON type, "" where the schema does not say. ``comparator`` is what the policy named,
    else what names and descriptions suggest: "" leaves it to the value. ``order`` is the order of day,
    month and year in dates.
    """

    path: str
    kind: str = ""
    comparator: str = ""
    known: bool = True
    nullable: bool = False
    moment: bool = False
    cased: bool = False
    echoes: frozenset[str] = frozenset()
    order: str = ""
    unique: bool = False
    description: str = ""
    enum: Mapping[str, str] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict, repr=False)
    reader: Reader | None = field(default=None, repr=False)
    depth: int = 0

    @cached_property
    def properties(self) -> dict[str, Field]:
        """The places inside an object that its schema describes."""
        return self.reader.properties(self) if self.reader else {}

    @cached_property
    def items(self) -> Field:
        """The place that stands for every item of an array."""
        return self.reader.items(self) if self.reader else Field(path=self.path, known=False)

    @cached_property
    def required(self) -> frozenset[str]:
        names = self.schema.get("required")
        return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()

    @cached_property
    def default(self) -> Any:
        """What counts as given where this is omitted: the declared default, else the stated one."""
        declared = self.schema.get("default")
        if declared is not None:
            return declared
        if self.reader is not None and self.reader.stated_defaults:
            return stated_default(self.description, self.kind or "string")
        return NOT_STATED

    def inside(self, name: str) -> Field:
        """The place of that name, described or not."""
        if name in self.properties:
            return self.properties[name]
        path = _join(self.path, name)
        named = self.reader.comparators.get(path, "") if self.reader else ""
        return Field(path=path, known=False, comparator=named or _inherited(self), reader=self.reader)


class Reader:
    """Reads one tool's schema under one policy."""

    def __init__(self, tool: ToolSpec, comparators: Mapping[str, str], *, stated_defaults: bool) -> None:
        self.root = tool.parameters
        self.comparators = comparators
        self.stated_defaults = stated_defaults
        self.changes = not vocabulary.CHANGING.isdisjoint(naming.words(tool.name)[:2])

    def top(self) -> Field:
        return self._field("", "", self.root, named="", siblings={}, depth=0)

    def properties(self, at: Field) -> dict[str, Field]:
        found = at.schema.get("properties")
        if not isinstance(found, dict) or at.depth >= _DEEPEST:
            return {}
        return {
            name: self._field(
                name,
                _join(at.path, name),
                schema,
                named=self.comparators.get(_join(at.path, name), "") or _inherited(at),
                siblings=found,
                depth=at.depth + 1,
            )
            for name, schema in found.items()
        }

    def items(self, at: Field) -> Field:
        if at.depth >= _DEEPEST:
            return Field(path=at.path, known=False)
        name = at.path.rpartition(".")[2]
        schema = at.schema.get("items")
        if isinstance(schema, dict) and "description" not in schema and at.description:
            schema = {**schema, "description": at.description}
        return self._field(name, at.path, schema, named=_inherited(at), siblings={}, depth=at.depth + 1)

    def _field(
        self, name: str, path: str, schema: object, *, named: str, siblings: Mapping[str, Any], depth: int
    ) -> Field:
        schema = self._resolved(schema)
        kind, nullable = _kind(schema)
        description = schema.get("description")
        description = description if isinstance(description, str) else ""
        moment = not named and kind in ("string", "") and naming.names_moment(name, schema)
        enum = _enum(schema)
        return Field(
            path=path,
            kind=kind,
            comparator=named or ("exact" if enum is None else _suggested(name, kind, schema, siblings)),
            known=bool(schema),
            nullable=nullable,
            moment=moment,
            cased=naming.keeps_case(name),
            echoes=naming.echoes(name),
            order=declared_order(description) if moment else "",
            unique=schema.get("uniqueItems") is True,
            description=description,
            enum=enum or {},
            schema=schema,
            reader=self,
            depth=depth,
        )

    def _resolved(self, schema: object) -> dict[str, Any]:
        """The schema behind local references and behind "this or null"; {} where there is none to read."""
        for _ in range(_HOPS):
            if not isinstance(schema, dict):
                return {}
            reference = schema.get("$ref")
            choices = [schema[word] for word in ("anyOf", "oneOf", "allOf") if isinstance(schema.get(word), list)]
            beside = {key: value for key, value in schema.items() if key not in ("$ref", "anyOf", "oneOf", "allOf")}
            if isinstance(reference, str):
                target = self._at(reference)
                if not isinstance(target, dict):
                    return beside
                schema = {**target, **beside}
            elif choices and "type" not in schema:
                rest = [choice for choice in choices[0] if isinstance(choice, dict) and choice.get("type") != "null"]
                nullable = {"nullable": True} if len(rest) < len(choices[0]) else {}
                if rest and all("const" in choice for choice in rest):
                    return {"enum": [choice["const"] for choice in rest], **beside, **nullable}
                if len(rest) != 1:
                    return {**beside, **nullable}
                schema = {**rest[0], **beside, **nullable}
            else:
                return schema
        return {}

    def _at(self, reference: str) -> object:
        found: object = self.root
        if not reference.startswith("#/"):
            return None
        for part in reference[2:].split("/"):
            if not isinstance(found, dict):
                return None
            found = found.get(part.replace("~1", "/").replace("~0", "~"))
        return found


def read_schema(tool: ToolSpec | None, comparators: Mapping[str, str], *, stated_defaults: bool) -> Field:
    """The arguments of a tool; a place about which nothing is known where the tool is not."""
    if tool is None:
        return Reader(ToolSpec(name=""), comparators, stated_defaults=False).top()
    try:
        text = json.dumps(tool.parameters, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return Reader(ToolSpec(name=tool.name), comparators, stated_defaults=False).top()
    return _read(tool.name, text, tuple(sorted(comparators.items())), stated_defaults)


@lru_cache(maxsize=512)
def _read(name: str, parameters: str, comparators: tuple[tuple[str, str], ...], stated_defaults: bool) -> Field:
    tool = ToolSpec(name=name, parameters=json.loads(parameters))
    return Reader(tool, dict(comparators), stated_defaults=stated_defaults).top()


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _kind(schema: Mapping[str, Any]) -> tuple[str, bool]:
    kind = schema.get("type")
    nullable = schema.get("nullable") is True
    if isinstance(kind, list):
        kinds = [one for one in kind if one != "null"]
        nullable = nullable or len(kinds) < len(kind)
        kind = kinds[0] if len(kinds) == 1 else ""
    return (_SPELT.get(kind, kind) if isinstance(kind, str) else ""), nullable


def _enum(schema: Mapping[str, Any]) -> dict[str, str] | None:
    """Enumerated texts by their words; None where only letter case or punctuation tells two of them apart."""
    members = schema.get("enum")
    if not isinstance(members, list):
        return {}
    texts = {member for member in members if isinstance(member, str)}
    by_words = {loose(text): text for text in texts}
    return by_words if len(by_words) == len(texts) else None


def _inherited(at: Field) -> str:
    """The comparator that a policy named for a place holds for what is inside it; only arrays are sets."""
    return "" if at.comparator == "set" else at.comparator


def _suggested(name: str, kind: str, schema: Mapping[str, Any], siblings: Mapping[str, Any]) -> str:
    if kind in ("integer", "number"):
        return "number"
    if kind == "array":
        return "set" if naming.names_set(name, schema, siblings) else ""
    if kind in ("string", "") and (naming.names_identity(name, schema) or naming.names_code(name, schema)):
        return "exact"
    return ""
