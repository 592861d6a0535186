"""One tool call in canonical form: equal meaning by structure is equal ``key``, at any nesting.

Every call is read once. What the schema does not describe is compared exactly; what is too deep or
too large to read is compared as its JSON text.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import Any

from guardrail.clustering.dates import read_moment
from guardrail.clustering.naming import looks_like_identity
from guardrail.clustering.numbers import number_key, read_number
from guardrail.clustering.schema import Field, chosen_word
from guardrail.clustering.stated import NOT_STATED, states_none
from guardrail.clustering.texts import Marks, essence, identity, marks, shown
from guardrail.types import ToolCall

_DEEPEST = 40
_MOST_NODES = 20_000
_LONGEST_LITERAL = 2_000
_NOTHING = ("none", "null")


class _TooMuch(Exception):
    """The value is compared as its JSON text instead."""


@dataclass(frozen=True, kw_only=True)
class Scalar:
    """A value compared as one.

    ``text`` is what a judge of language would read, None where none is asked. ``written`` is what the
    comparators of its place read, None where there is nothing to read.
    """

    key: str
    comparator: str = "exact"
    text: str | None = None
    written: str | None = None

    @property
    def form(self) -> str:
        return self.key if self.text is None else _pack("x", (self.text,))

    @cached_property
    def marks(self) -> Marks:
        return marks(self.text or "")


@dataclass(frozen=True, kw_only=True)
class Items:
    """An array; ``ordered`` unless its order cannot matter."""

    values: tuple[Value, ...]
    ordered: bool

    @cached_property
    def key(self) -> str:
        keys = [value.key for value in self.values]
        return _pack("list", keys) if self.ordered else _pack("set", sorted(keys))

    @cached_property
    def form(self) -> str:
        forms = [value.form for value in self.values]
        return _pack("list", forms) if self.ordered else _pack("set", sorted(forms))


@dataclass(frozen=True, kw_only=True)
class Members:
    """An object, its members in alphabetical order."""

    values: dict[str, Value]
    places: dict[str, Field] = field(default_factory=dict, repr=False)

    @cached_property
    def key(self) -> str:
        return _pack("object", [part for name, value in self.values.items() for part in (name, value.key)])

    @cached_property
    def form(self) -> str:
        return _pack("object", [part for name, value in self.values.items() for part in (name, value.form)])


Value = Scalar | Items | Members


@dataclass(frozen=True, kw_only=True)
class CanonicalCall:
    """A call and what it is compared by: ``key`` ignores what structure ignores, ``form`` keeps texts as written.

    ``text`` is the call's arguments as they came, in JSON.
    """

    call: ToolCall
    arguments: Value
    place: Field
    text: str

    @cached_property
    def key(self) -> str:
        return _pack("call", (self.call.name, self.arguments.key))

    @cached_property
    def form(self) -> str:
        return _pack("call", (self.call.name, self.arguments.form))


class CallReader:
    """Reads the calls of one comparison; what it has read once it does not read again."""

    def __init__(self, places: Callable[[str], Field]) -> None:
        self._places = cache(places)
        self._calls: dict[tuple[str, str], CanonicalCall] = {}
        self._scalars: dict[tuple[Field, str], Scalar] = {}
        self._unreadable = 0

    def read(self, call: ToolCall) -> CanonicalCall:
        """The call in canonical form, by what its tool's schema describes."""
        place, text = self._places(call.name), _json(call.arguments)
        if text is None:  # it equals no other call, nor itself on another day
            self._unreadable += 1
            return CanonicalCall(call=call, arguments=Scalar(key=f"no JSON {self._unreadable}"), place=place, text="")
        if (call.name, text) not in self._calls:
            self._calls[call.name, text] = CanonicalCall(
                call=ToolCall(name=call.name, arguments=call.arguments),
                arguments=self._arguments(text, place),
                place=place,
                text=text,
            )
        return self._calls[call.name, text]

    def _arguments(self, text: str, place: Field) -> Value:
        try:
            return _Reading(self._scalars).members(json.loads(text), place, 0)
        except (_TooMuch, RecursionError):
            return Scalar(key=f"json:{text}")


class _Reading:
    """Reads one call's arguments, up to a number of values."""

    def __init__(self, scalars: dict[tuple[Field, str], Scalar]) -> None:
        self.left = _MOST_NODES
        self.scalars = scalars

    def value(self, value: Any, place: Field, depth: int) -> Value:
        self.left -= 1
        if self.left < 0 or depth > _DEEPEST:
            raise _TooMuch
        value = _unwrapped(value, place)
        if isinstance(value, list):
            return self.items(value, place, depth)
        if isinstance(value, dict):
            return self.members(value, place, depth)
        if not isinstance(value, str):
            return _scalar(value, place)
        if (place, value) not in self.scalars:
            self.scalars[place, value] = _scalar(value, place)
        return self.scalars[place, value]

    def items(self, values: list[Any], place: Field, depth: int) -> Value:
        read = tuple(self.value(value, place.item(index), depth + 1) for index, value in enumerate(values))
        if place.comparator != "set":
            return Items(values=read, ordered=True)
        if place.unique:
            read = tuple({value.key: value for value in sorted(read, key=_form)}.values())
        return Items(values=tuple(sorted(read, key=_form)), ordered=False)

    def members(self, given: dict[str, Any], place: Field, depth: int) -> Members:
        found: dict[str, Value] = {}
        places: dict[str, Field] = {}
        for name in sorted({**place.properties, **given}):
            at = place.inside(name)
            if at.comparator == "ignore":
                continue
            value = given.get(name, _OMITTED)
            optional = at.known and name not in place.required
            if optional:
                value = _given(value, at)
            if value is _OMITTED:
                continue
            read = self.value(value, at, depth + 1)
            if optional and isinstance(read, Members) and not read.values:
                continue
            found[name], places[name] = read, at
        return Members(values=found, places=places)


class _Omitted:
    """The argument is not there."""


_OMITTED = _Omitted()


def _given(value: Any, at: Field) -> Any:
    """What an optional argument counts as: its default where it is omitted.

    A null that the schema has no room for is an omission, and so is an empty value that no default
    competes with; in a tool that changes things both clear what is there and stay values.
    """
    changes = at.reader is not None and at.reader.changes
    declared_null = "default" in at.schema and at.schema["default"] is None
    if value is None:
        omitted = declared_null or not (at.nullable or changes)
    else:
        blank = not value.strip() if isinstance(value, str) else value == [] or (value == {} and not at.properties)
        clears = changes or not (at.default is NOT_STATED or at.left_open_if_blank)
        nothing = isinstance(value, str) and value.strip().casefold() in _NOTHING and not changes
        omitted = value is _OMITTED or (blank and not clears) or (nothing and states_none(at.description))
    if not omitted:
        return value
    return _OMITTED if at.default is NOT_STATED else at.default


def _unwrapped(value: Any, place: Field) -> Any:
    """Arrays and objects written as text, one value where the schema wants an array of them."""
    if isinstance(value, str) and place.kind in ("array", "object"):
        parsed = _parsed(value)
        if isinstance(parsed, list if place.kind == "array" else dict):
            return parsed
        if place.kind == "array":
            parts = [part.strip() for part in value.split(",")]
            chosen = place.items.enum and all(chosen_word(part) in place.items.enum for part in parts)
            return parts if chosen else [value]
        return value
    if place.kind == "array" and value is not None and not isinstance(value, list):
        return [value]
    return value


def _parsed(text: str) -> Any:
    """The array or object that a text writes, in JSON or as a Python literal."""
    if text.strip()[:1] not in ("[", "{"):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        pass
    if len(text) > _LONGEST_LITERAL:
        return None
    try:
        written = _json(ast.literal_eval(text.strip()))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        return None
    return None if written is None else json.loads(written)


def _scalar(value: Any, place: Field) -> Scalar:
    if value is None:
        return Scalar(key="null")
    if place.kind == "boolean" and (truth := _truth(value)) is not None:
        return Scalar(key=f"bool:{truth}")
    if (place.comparator == "number" or place.numeric) and (number := read_number(value)) is not None:
        return Scalar(key=f"number:{number_key(number)}", comparator="number", written=str(value))
    if isinstance(value, bool | int | float) and place.kind != "string":
        number = read_number(value)
        key = f"json:{value}" if number is None else f"number:{number_key(number)}"
        return Scalar(key=key, written=None if isinstance(value, bool) else str(value))
    return _text(str(value), place)


def _truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().casefold())
    return {0: False, 1: True}.get(value) if isinstance(value, int) else None


def _text(value: str, place: Field) -> Scalar:
    if place.enum:
        member = place.enum.get(chosen_word(value))
        return Scalar(key=f"exact:{identity(value) if member is None else member}", written=value)
    if place.moment and (moment := read_moment(shown(value), place.order)) is not None:
        return Scalar(key=f"moment:{moment}", comparator="date", written=value)
    plain = identity(value)
    if place.comparator != "text":
        shaped = not place.cased and looks_like_identity(plain)
        if shaped or not place.known or place.comparator in ("exact", "number"):
            named = place.chosen[0].name if place.chosen and place.comparator != "number" else "exact"
            return Scalar(key=f"exact:{plain}", comparator=named, written=value)
    if plain[:1] in ("{", "[") and isinstance(_parsed(plain), dict | list) and (text := _json(_parsed(plain))):
        return Scalar(key=f"json:{text}")
    words = essence(value, place.echoes, keep_case=place.cased and (len(plain) <= 3 or plain[:1].isdigit()))
    return Scalar(key=f"text:{words}", comparator="text", text=shown(value) if words else None, written=value)


def _json(value: Any) -> str | None:
    try:
        return json.dumps(value, sort_keys=True, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        return None


def _form(value: Value) -> str:
    return value.form


def _pack(tag: str, parts: Any) -> str:
    """Parts joined so that different parts never give the same text."""
    return tag + "".join(f"|{len(part)}:{part}" for part in parts)
