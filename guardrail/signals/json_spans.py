"""Reads the JSON objects in a text, and remembers where each value stands."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

MAX_DEPTH: Final = 64

_SPACE: Final = re.compile(r"[ \t\n\r]*")
_STRING: Final = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')
_ATOM: Final = re.compile(r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null", re.ASCII)


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


def objects(text: str) -> Iterator[Node]:
    """Every JSON object of a text that is not inside another, in order. An object with a key twice is none."""
    position = text.find("{")
    while position >= 0:
        try:
            node = _value(text, position, 0)
        except _TooDeep:
            return
        except ValueError:
            position = text.find("{", position + 1)
            continue
        yield node
        position = text.find("{", node.end)


def _value(text: str, position: int, depth: int) -> Node:
    if depth > MAX_DEPTH:
        raise _TooDeep
    opening = text[position : position + 1]
    if opening in ("{", "["):
        return _container(text, position, depth)
    found = (_STRING if opening == '"' else _ATOM).match(text, position)
    if found is None:
        raise _NoJson
    return Node(json.loads(found[0]), position, found.end())


def _container(text: str, start: int, depth: int) -> Node:
    is_object = text[start] == "{"
    closing = "}" if is_object else "]"
    members: list[tuple[str, Node]] = []
    position = _skip(text, start + 1)
    while text[position : position + 1] != closing:
        if members:
            position = _expect(text, position, ",")
        key = ""
        if is_object:
            name = _STRING.match(text, position)
            if name is None:
                raise _NoJson
            key = json.loads(name[0])
            position = _expect(text, _skip(text, name.end()), ":")
        node = _value(text, position, depth + 1)
        members.append((key, node))
        position = _skip(text, node.end)
    if is_object and len({key for key, _ in members}) != len(members):
        raise _NoJson
    value: Any = {key: node.value for key, node in members} if is_object else [node.value for _, node in members]
    return Node(value, start, position + 1, tuple(members))


def _expect(text: str, position: int, char: str) -> int:
    if text[position : position + 1] != char:
        raise _NoJson
    return _skip(text, position + 1)


def _skip(text: str, position: int) -> int:
    found = _SPACE.match(text, position)
    return found.end() if found else position
