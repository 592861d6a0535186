"""A tool's JSON Schema, read once into what comparing its calls needs. Broken schemas never raise."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

from guardrail.clustering import naming, vocabulary
from guardrail.clustering.comparators import COMPARATORS, About, Chosen
from guardrail.clustering.comparators.wildcards import wildcard
from guardrail.clustering.dates import declared_order
from guardrail.clustering.plan import Plan, named_plan, suggested_plan
from guardrail.clustering.stated import NOT_STATED, stated_default
from guardrail.clustering.subschema import resolved
from guardrail.clustering.texts import loose
from guardrail.comparing import Named, Own
from guardrail.types import ToolSpec

__all__ = ["COMPARATORS", "Field", "Reader", "chosen_word", "read_schema"]

_DEEPEST = 12
_SIMPLE_PATTERN = re.compile(r"[\w^$.*+\[\]\\-]{1,60}")  # none whose search could explode
_BLANK = re.compile(
    r"\b(?:if|when)\s+(?:it\s+is\s+|is\s+)?(?:left\s+)?(?:empty|blank|omitted|unspecified|not\s+(?:specified|given|provided|set))\b",
    re.IGNORECASE,
)
_LONGEST_NAME = 200
_MOST_FIRST = 100
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

    ``kind`` is its JSON type, "" where the schema does not say. ``named`` is the comparator that the policy
    named. ``comparator`` is how its values are told apart by structure: "" leaves it to the value;
    ``chosen`` are the comparators that may hold equal what structure tells apart, and ``because`` says why.
    ``order`` is the order of day, month and year in dates.
    """

    path: str
    kind: str = ""
    named: str = ""
    comparator: str = ""
    because: str = ""
    chosen: tuple[Chosen, ...] = ()
    numeric: bool = False
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

    def item(self, index: int) -> Field:
        """The place of an array's item at that position, for arrays that are tuples."""
        first = self._first_items
        return first[index] if index < len(first) else self.items

    @cached_property
    def _first_items(self) -> tuple[Field, ...]:
        return self.reader.first_items(self) if self.reader else ()

    @cached_property
    def about(self) -> About:
        """What the comparators are told of this place."""
        return About(
            name=self.path.rpartition(".")[2],
            description=self.description,
            tool=self.reader.tool if self.reader else "",
            kind=self.kind,
            order=self.order,
            now=self.reader.now if self.reader else "",
            option=self.chosen[0].option if self.chosen else "",
        )

    @cached_property
    def required(self) -> frozenset[str]:
        names = self.schema.get("required")
        return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()

    @cached_property
    def left_open_if_blank(self) -> bool:
        """Whether an empty text counts as none: where the description says so, or the default leaves it open."""
        blank = _BLANK.search(self.description) is not None
        return blank or (isinstance(self.default, str) and wildcard(self.default, self.about))

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
        if self.reader is None:
            return Field(path=_join(self.path, name), known=False)
        return self.reader.undescribed(self, name)


class Reader:
    """Reads one tool's schema under one policy."""

    def __init__(
        self, tool: ToolSpec, comparators: Mapping[str, Named], *, stated_defaults: bool, now: str = ""
    ) -> None:
        self.tool = tool.name
        self.root = tool.parameters
        self.comparators = comparators
        self.stated_defaults = stated_defaults
        self.now = now
        self.acts = not vocabulary.ACTING.isdisjoint(naming.words(tool.name)[:2])
        self.changes = not vocabulary.CHANGING.isdisjoint(naming.words(tool.name)[:2])

    def top(self) -> Field:
        return self._field("", "", self.root, named="", siblings={}, depth=0)

    def properties(self, at: Field) -> dict[str, Field]:
        found = at.schema.get("properties")
        if not isinstance(found, dict) or at.depth >= _DEEPEST:
            return {}
        return {name: self._inside(at, name, schema, found) for name, schema in found.items()}

    def items(self, at: Field) -> Field:
        if at.depth >= _DEEPEST:
            return Field(path=at.path, known=False)
        schema = at.schema.get("items")
        if isinstance(at.schema.get("prefixItems"), list) and not isinstance(schema, dict):
            schema = {}
        return self._item(at, schema)

    def first_items(self, at: Field) -> tuple[Field, ...]:
        for key in ("prefixItems", "items"):  # the second in drafts before 2020-12
            schemas = at.schema.get(key)
            if isinstance(schemas, list) and at.depth < _DEEPEST:
                return tuple(self._item(at, schema) for schema in schemas[:_MOST_FIRST])
        return ()

    def undescribed(self, at: Field, name: str) -> Field:
        """The place of a member that no property describes: by pattern, else by what all others are."""
        if at.depth < _DEEPEST:
            patterns = at.schema.get("patternProperties")
            for pattern, schema in patterns.items() if isinstance(patterns, dict) else ():
                if isinstance(schema, dict) and _matches(pattern, name):
                    return self._inside(at, name, schema, {})
            others = at.schema.get("additionalProperties")
            if isinstance(others, dict) and others:
                return self._inside(at, name, others, {})
        path = _join(at.path, name)
        named = self.comparators.get(path, "") or _inherited(at)
        plan = named_plan(named)
        return Field(
            path=path,
            known=False,
            named=str(named),
            comparator=plan.comparator,
            chosen=plan.chosen,
            because=plan.because or "its schema does not describe it",
            reader=self,
        )

    def _inside(self, at: Field, name: str, schema: object, siblings: Mapping[str, Any]) -> Field:
        path = _join(at.path, name)
        named = self.comparators.get(path, "") or _inherited(at)
        return self._field(name, path, schema, named=named, siblings=siblings, depth=at.depth + 1)

    def _item(self, at: Field, schema: object) -> Field:
        name = at.path.rpartition(".")[2]
        if isinstance(schema, dict) and "description" not in schema and at.description:
            schema = {**schema, "description": at.description}
        return self._field(name, at.path, schema, named=_inherited(at), siblings={}, depth=at.depth + 1)

    def _field(
        self, name: str, path: str, schema: object, *, named: Named, siblings: Mapping[str, Any], depth: int
    ) -> Field:
        schema = resolved(self.root, schema)
        kind, nullable, numeric = _kind(schema)
        description = schema.get("description")
        description = description if isinstance(description, str) else ""
        moment = named == "date" or (not named and kind in ("string", "") and naming.names_moment(name, schema))
        enum = _enum(schema)
        if named:
            plan = named_plan(named)
        elif enum is None:
            plan = Plan(comparator="exact", because="only letter case or punctuation tells its values apart")
        else:
            plan = suggested_plan(name, kind, schema, siblings=siblings, moment=moment, tool=self.tool)
        return Field(
            path=path,
            kind=kind,
            named=str(named),
            comparator=plan.comparator,
            because=plan.because,
            chosen=plan.chosen,
            numeric=numeric and not named,
            known=bool(schema),
            nullable=nullable,
            moment=moment,
            cased=naming.keeps_case(name) or any(one.name == "quantity" for one in plan.chosen),
            echoes=naming.echoes(name),
            order=declared_order(description) if moment else "",
            unique=schema.get("uniqueItems") is True,
            description=description,
            enum=enum or {},
            schema=schema,
            reader=self,
            depth=depth,
        )


def read_schema(
    tool: ToolSpec | None, comparators: Mapping[str, Named], *, stated_defaults: bool, now: str = ""
) -> Field:
    """The arguments of a tool; a place about which nothing is known where the tool is not.

    Relative dates are resolved only against ``now``, a date in ISO form.
    """
    if tool is None:
        return Reader(ToolSpec(name=""), comparators, stated_defaults=False).top()
    try:
        text = json.dumps(tool.parameters, sort_keys=True)
    except (TypeError, ValueError, RecursionError):
        return Reader(ToolSpec(name=tool.name), comparators, stated_defaults=False).top()
    return _read(tool.name, text, tuple(sorted(comparators.items())), stated_defaults, now)


@lru_cache(maxsize=512)
def _read(
    name: str, parameters: str, comparators: tuple[tuple[str, Named], ...], stated_defaults: bool, now: str
) -> Field:
    tool = ToolSpec(name=name, parameters=json.loads(parameters))
    return Reader(tool, dict(comparators), stated_defaults=stated_defaults, now=now).top()


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _kind(schema: Mapping[str, Any]) -> tuple[str, bool, bool]:
    """The one JSON type, whether null is another, and whether numbers are among several."""
    kind = schema.get("type")
    nullable, numeric = schema.get("nullable") is True, False
    if isinstance(kind, list):
        kinds = [_SPELT.get(one, one) for one in kind if isinstance(one, str) and one != "null"]
        nullable = nullable or "null" in kind
        numeric = "number" in kinds or "integer" in kinds
        if numeric and set(kinds) <= {"number", "integer"}:
            return "number", nullable, True
        kind = kinds[0] if len(kinds) == 1 else ""
    found = _SPELT.get(kind, kind) if isinstance(kind, str) else ""
    if not found and isinstance(schema.get("properties"), dict):
        found = "object"
    return found, nullable, numeric


def chosen_word(text: str) -> str:
    """The words of an enumerated text, in any letter case."""
    return loose(text).casefold()


def _enum(schema: Mapping[str, Any]) -> dict[str, str] | None:
    """Enumerated texts by their words; None where only letter case or punctuation tells two of them apart."""
    members = schema.get("enum")
    if not isinstance(members, list):
        return {}
    texts = {member for member in members if isinstance(member, str)}
    by_words = {chosen_word(text): text for text in texts}
    return by_words if len(by_words) == len(texts) else None


def _inherited(at: Field) -> Named:
    """The comparator that a policy named for a place holds for what is inside it; only arrays have an order."""
    own: Own | None = at.chosen[0].own if at.named and at.chosen else None
    return own or ("" if at.named in ("set", "sequence") else at.named)


def _matches(pattern: str, name: str) -> bool:
    repeats = pattern.count("*") + pattern.count("+")
    if len(name) > _LONGEST_NAME or repeats > 1 or not _SIMPLE_PATTERN.fullmatch(pattern):
        return False
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return False
