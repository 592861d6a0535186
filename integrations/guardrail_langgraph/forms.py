"""What a form in a browser makes of a call's arguments, read back.

The forms of agent user interfaces hand back text where there was a number or a list, and a browser keeps only 53 bits
of a whole number. What can be told without guessing is put right; the rest is left as it came, or refused.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from guardrail.review import check_arguments
from guardrail.types import ToolSpec

_EXACT: Final = 2**53
"""Above it, not every whole number can be told from its neighbours in a browser."""
_UNREAD: Final = object()


def read_back(tool: ToolSpec | None, planned: Mapping[str, Any], edited: Mapping[str, Any]) -> dict[str, Any]:
    """The edited arguments, without the texts that stand for something else.

    Text becomes a value where the tool's schema takes no text there, but takes what the text is in JSON, digit by
    digit. A text that only shows the planned value is that value.
    """
    found = dict(edited)
    for name, value in edited.items():
        if not isinstance(value, str) or tool is None:
            continue
        read = _value(value)
        if read is _UNREAD:
            continue
        unchanged = name in planned and not isinstance(planned[name], str) and same(planned[name], read)
        if unchanged and _fits(tool, name, planned[name]):
            found[name] = planned[name]
        elif not _fits(tool, name, value) and _fits(tool, name, read):
            found[name] = read
    return found


def same(planned: Any, given: Any) -> bool:
    """Whether a browser that was given the planned value would give this one back."""
    if isinstance(planned, bool) or isinstance(given, bool) or planned is None or given is None:
        return planned is given
    if isinstance(planned, int | float) and isinstance(given, int | float):
        return planned == given or _rounds(planned, given)
    if isinstance(planned, Mapping) and isinstance(given, Mapping):
        return planned.keys() == given.keys() and all(same(planned[name], given[name]) for name in planned)
    if isinstance(planned, list | tuple) and isinstance(given, list | tuple):
        return len(planned) == len(given) and all(map(same, planned, given))
    return type(planned) is type(given) and bool(planned == given)


def shows(planned: Mapping[str, Any], given: Mapping[str, Any]) -> bool:
    """Whether these are the planned arguments as a form shows them: unchanged, or as text."""
    if planned.keys() != given.keys():
        return False
    return all(
        same(planned[name], value)
        or (isinstance(value, str) and not isinstance(planned[name], str) and same(planned[name], _value(value)))
        for name, value in given.items()
    )


def rounded(planned: Any, edited: Any, place: str = "") -> Iterator[str]:
    """The places where a planned number came back as the nearest one that a browser knows."""
    if isinstance(planned, Mapping) and isinstance(edited, Mapping):
        for name in planned.keys() & edited.keys():
            yield from rounded(planned[name], edited[name], f"{place}.{name}" if place else str(name))
    elif isinstance(planned, list | tuple) and isinstance(edited, list | tuple):
        for index, (one, other) in enumerate(zip(planned, edited, strict=False)):
            yield from rounded(one, other, f"{place}.{index}")
    elif (
        isinstance(planned, int) and isinstance(edited, int | float) and planned != edited and _rounds(planned, edited)
    ):
        yield place


def _rounds(planned: float, given: float) -> bool:
    if not isinstance(planned, int) or abs(planned) <= _EXACT:
        return False
    try:
        return float(planned) == float(given)
    except OverflowError:
        return False


def _value(text: str) -> Any:
    """What the text is in JSON, nothing lost; ``_UNREAD`` if it is none, or says something twice."""
    try:
        return json.loads(text, parse_float=_exact, parse_constant=_none_such, object_pairs_hook=_once)
    except (ValueError, RecursionError):
        return _UNREAD


def _exact(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")) or Decimal(text) != Decimal(repr(number)):
        raise ValueError(text)
    return number


def _none_such(text: str) -> Any:
    raise ValueError(text)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name stands there twice")
    return found


def _fits(tool: ToolSpec, name: str, value: Any) -> bool:
    """Whether the tool takes this value for this argument, whatever it is given for the others."""
    schema = tool.parameters
    properties = schema.get("properties")
    if not isinstance(properties, dict) or name not in properties:
        return False
    alone: dict[str, Any] = {key: schema[key] for key in ("$schema", "$defs", "definitions") if key in schema}
    one = ToolSpec(name=tool.name, parameters={**alone, "type": "object", "properties": {name: properties[name]}})
    return not check_arguments(one, {name: value})
