"""JSON text of a value for people, however deep it is nested, and back without losing anything."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from guardrail.codec import unique_keys
from guardrail.visible import spans

_DEEPEST_INDENT: Final = 20
_LONGEST_NUMBER: Final = 4_000
"""Digits of a number. Python refuses to read a whole number with more than 4,300."""


def pretty(value: object) -> str:
    """The value as JSON text with a line for each part. Deep parts are not indented further, as it would be all
    spaces. What is no JSON is written as what comes closest, such as ``NaN``.
    """
    return "".join(_written(value))


def typeable(value: object) -> str:
    """``pretty``, with everything hidden as an escape of JSON: to be changed in a text field, and sent back."""
    return escaped(pretty(value))


def escaped(text: str) -> str:
    r"""JSON text with what cannot be seen as ``\\uXXXX``, which means the same within its strings. Line breaks stay."""
    return "".join(
        "".join(one if one == "\n" else _escape(one) for one in piece) if hidden else piece
        for piece, hidden in spans(text)
    )


def read_json(text: str) -> Any:
    """The value of JSON text, exactly.

    Raises:
        ValueError: it is no JSON, a key stands twice, or a number would not be kept as it is written.
    """
    try:
        return json.loads(
            text,
            object_pairs_hook=unique_keys,
            parse_constant=_no_constant,
            parse_float=read_decimal,
            parse_int=read_whole,
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"this is no JSON: {error.msg}, line {error.lineno}, character {error.colno}") from error
    except RecursionError as error:
        raise ValueError("this is nested too deep") from error


def read_whole(text: str) -> int:
    """A whole number, of any size that can be written.

    Raises:
        ValueError: it has too many digits.
    """
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text):,} digits is too long: at most {_LONGEST_NUMBER:,}")
    return int(text)


def read_decimal(text: str) -> float:
    """A number with a fraction or exponent.

    Raises:
        ValueError: it is beyond what a double holds, or has more digits than it keeps.
    """
    if len(text) > _LONGEST_NUMBER:
        raise ValueError(f"a number of {len(text):,} digits is too long: at most {_LONGEST_NUMBER:,}")
    found = float(text)
    short = text if len(text) <= 40 else f"{text[:40]}…"
    if found in (float("inf"), float("-inf")):
        raise ValueError(f"{short} is beyond the numbers that a tool can be given")
    try:
        kept = Decimal(text) == Decimal(repr(found))
    except InvalidOperation:  # an exponent beyond all bounds
        kept = False
    if not kept:
        raise ValueError(f"{short} has more digits than are kept: it would become {found!r}")
    return found


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a JSON number")


def scalar(value: object) -> str:
    """JSON of a value that has no parts."""
    try:
        return json.dumps(value, ensure_ascii=False)
    except ValueError:  # a whole number longer than Python writes in decimals
        return hex(value) if isinstance(value, int) else "?"
    except TypeError:
        return json.dumps(str(value), ensure_ascii=False)


def _written(value: object) -> Iterator[str]:
    """Without recursion, since a value may be nested deeper than calls can be."""
    waiting: list[tuple[str, object, int]] = [("", value, 0)]
    while waiting:
        before, one, depth = waiting.pop()
        yield before
        if isinstance(one, _Mark):
            continue
        if isinstance(one, dict) and one:
            inner = _indent(depth + 1)
            parts = [(f"{inner}{scalar(str(key))}: ", part) for key, part in one.items()]
            brackets = "{}"
        elif isinstance(one, list | tuple) and one:
            inner = _indent(depth + 1)
            parts = [(inner, part) for part in one]
            brackets = "[]"
        else:
            yield "{}" if isinstance(one, dict) else "[]" if isinstance(one, list | tuple) else scalar(one)
            continue
        yield brackets[0]
        waiting.append((f"{_indent(depth)}{brackets[1]}", _END, depth))
        last = len(parts) - 1
        for place in range(last, -1, -1):
            text, part = parts[place]
            if place < last:
                waiting.append((",", _END, depth))
            waiting.append((text, part, depth + 1))


class _Mark:
    """Text only: no value follows."""


_END: Final = _Mark()


def _indent(depth: int) -> str:
    return "\n" + "  " * min(depth, _DEEPEST_INDENT)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x10000:
        return f"\\u{code:04x}"
    high, low = divmod(code - 0x10000, 0x400)
    return f"\\u{0xD800 + high:04x}\\u{0xDC00 + low:04x}"
