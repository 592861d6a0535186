"""Values to JSON and back, unchanged, and the JSON Schema of each.

Built on pydantic's adapters over the plain dataclasses of ``guardrail.types``; pydantic is loaded on
first use, so that importing this package stays cheap.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any, TypeVar

from guardrail.errors import ConfigError

if TYPE_CHECKING:
    from pydantic import TypeAdapter

T = TypeVar("T")
_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_plain = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode
_OTHERWISE = ("\x7f", "NaN", "Infinity")
"""Where text may be another one than Python's: a character that need not be escaped, and what may be no JSON."""
_adapters: dict[Any, TypeAdapter[Any]] = {}


def _adapter(kind: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    if kind not in _adapters:
        _adapters[kind] = TypeAdapter(kind)
    return _adapters[kind]


def to_json(value: object) -> dict[str, Any]:
    """The value as plain JSON data (dicts, lists, strings, numbers, booleans, None)."""
    data: dict[str, Any] = _adapter(type(value)).dump_python(value, mode="json")
    return data


def from_json(kind: type[T], data: object) -> T:
    """The value of that kind which ``to_json`` gave.

    Raises:
        ConfigError: the data does not describe such a value; the message says where.
    """
    from pydantic import ValidationError

    try:
        value: T = _adapter(kind).validate_python(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise ConfigError(f"this is not a {kind.__name__}: {first['msg']} at {where}") from error
    return value


def to_text(value: object) -> str:
    """The value as ASCII JSON text, without spaces, which holds any text: that of what ``to_json`` gives.

    Raises:
        ValueError, TypeError, RecursionError: it holds something that is no JSON, or is nested too deeply.
    """
    try:
        text = _adapter(type(value)).serializer.to_json(value).decode("ascii")
    except ValueError:  # beyond ASCII, half a character, or no JSON at all: the long way tells
        return _plain(to_json(value))
    return _plain(to_json(value)) if any(each in text for each in _OTHERWISE) else text


def from_text(kind: type[T], text: str) -> T:
    """The value of that kind which ``to_text`` gave.

    Raises:
        ConfigError: the data does not describe such a value; the message says where.
        ValueError, RecursionError: it is no JSON.
    """
    try:
        value: T = _adapter(kind).validator.validate_json(text)
    except ValueError:  # it may hold half a character; and the long way says what is wrong
        return from_json(kind, json.loads(text))
    return value


def json_schema(kind: type[object]) -> dict[str, Any]:
    """JSON Schema (2020-12) of a value's JSON form."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_adapter(kind).json_schema(mode="serialization"),
    }


def unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs, for ``json.loads(object_pairs_hook=...)``, which would let the last of two win.

    Raises:
        ValueError: a key stands twice in one object.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in one object")
    return found


def canonical(data: object) -> str:
    """JSON text that is equal for equal data: sorted keys, no spaces, no NaN.

    Raises:
        ValueError: a number is not finite.
        TypeError: something is not JSON.
    """
    return _canonical(data)


def digest(*parts: object) -> str:
    """SHA-256, in hex, of the canonical JSON of the parts."""
    return hashlib.sha256(canonical(parts).encode("utf-8", "surrogatepass")).hexdigest()
