"""Reads the JSON objects in a text, and remembers where each value stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

MAX_DEPTH: Final = 64

Span = tuple[int, int]

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_ATOM: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null", re.ASCII)
_CHARACTER: Final = re.compile(
    r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\.|[^\\]", re.DOTALL
)


@dataclass(frozen=True)
class Node:
    """A JSON value in a text, from ``start`` up to ``end``; ``members`` are an object's or a list's own values."""

    value: Any
    start: int
    end: int
    members: tuple[tuple[str, Node], ...] = ()

    def member(self, key: str) -> Node | None:
        """An object's value of that key."""
        return next((node for name, node in self.members if name == key), None)


class _NoJson(ValueError):
    """What stands here is not JSON."""


class _TooDeep(Exception):
    """Nested deeper than any call, so that starting again inside would take long and find nothing."""


def objects(text: str, start: int = 0) -> Iterator[Node]:
    """Every JSON object of a text, from ``start`` on, that is not inside another, in order.

    An object with a key twice is none. Braces may be doubled, as some models copy them from a template's source:
    ``{{`` cannot begin an object otherwise.
    """
    reader = _Reader(text)
    position = text.find("{", start)
    while position >= 0:
        try:
            node = reader.value(position)
        except _TooDeep:
            return
        except ValueError:
            position = text.find("{", position + 1)
            continue
        yield node
        position = text.find("{", node.end)


def values(node: Node) -> list[Span]:
    """Where an object's values stand, as JSON writes them: texts with their quotes, lists and objects whole."""
    return [(member.start, member.end) for _, member in node.members]


def written_as_text(text: str, node: Node) -> tuple[Any, list[Span]] | None:
    """The object that a JSON string spells as JSON once more, and where its values stand in ``text``.

    None where the string spells no object.
    """
    if not isinstance(node.value, str):
        return None
    starts = [found.start() for found in _CHARACTER.finditer(text, node.start + 1, node.end - 1)]
    if len(starts) != len(node.value):
        return None
    starts.append(node.end - 1)
    reader = _Reader(node.value)
    try:
        inner = reader.value(reader.skip(0))
    except (ValueError, _TooDeep):
        return None
    if not isinstance(inner.value, dict) or reader.skip(inner.end) < len(node.value):
        return None
    return inner.value, [(starts[left], starts[right]) for left, right in values(inner)]


class _Reader:
    """Reads JSON values of one text."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._broken: set[int] = set()
        """Where objects and lists begin that are none: each is read once, also where it stands in others."""

    def value(self, position: int, depth: int = 0) -> Node:
        """The value that begins here.

        Raises:
            ValueError: there is none.
            _TooDeep: it goes too deep.
        """
        if depth > MAX_DEPTH:
            raise _TooDeep
        opening = self._text[position : position + 1]
        if opening in ("{", "["):
            if position in self._broken:
                raise _NoJson
            try:
                return self._container(position, depth)
            except ValueError:
                self._broken.add(position)
                raise
        found = (_STRING if opening == '"' else _ATOM).match(self._text, position)
        if found is None:
            raise _NoJson
        return Node(json.loads(found[0]), position, found.end())

    def skip(self, position: int) -> int:
        """Behind white space."""
        found = _SPACE.match(self._text, position)
        return found.end() if found else position

    def _container(self, start: int, depth: int) -> Node:
        is_object = self._text[start] == "{"
        width = 2 if self._text.startswith("{{", start) else 1
        closing = "}" * width if is_object else "]"
        members: list[tuple[str, Node]] = []
        position = self.skip(start + width)
        while not self._text.startswith(closing, position):
            if members:
                position = self._expect(position, ",")
            key = ""
            if is_object:
                name = _STRING.match(self._text, position)
                if name is None:
                    raise _NoJson
                key = json.loads(name[0])
                position = self._expect(self.skip(name.end()), ":")
            node = self.value(position, depth + 1)
            members.append((key, node))
            position = self.skip(node.end)
        if is_object and len({key for key, _ in members}) != len(members):
            raise _NoJson
        value: Any = {key: node.value for key, node in members} if is_object else [node.value for _, node in members]
        return Node(value, start, position + width, tuple(members))

    def _expect(self, position: int, char: str) -> int:
        if self._text[position : position + 1] != char:
            raise _NoJson
        return self.skip(position + 1)
