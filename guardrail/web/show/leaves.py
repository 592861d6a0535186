"""Fields of one control: texts, numbers and JSON. An untouched one stands for the very value that it started from."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from guardrail.web.show.fields import ABSENT, Field, How, again, one_line, safe
from guardrail.web.show.folds import Path
from guardrail.web.show.jsontext import read_decimal, read_json, read_whole, typeable
from guardrail.web.show.sent import Sent
from guardrail.web.show.shapes import Kind, Shape, of_kind
from guardrail.web.show.texts import Line

LONG: Final = 20_000
"""Characters of a value that are put into a form; a longer one is kept, or replaced whole."""
_WHOLE: Final = re.compile(r"-?(?:0|[1-9][0-9]*)")
_NUMBER: Final = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_NOT_SENT: Final = "this field was not sent: load the page again"


@dataclass(frozen=True, kw_only=True)
class Asked:
    """Which field is wanted: its control, its place, and the value that it starts from. ``forced``: it cannot be left
    out.
    """

    name: str
    label: Line
    path: Path
    base: Any
    forced: bool
    required: bool


def leaf(kind: Kind, shape: Shape, asked: Asked, sent: Sent | None) -> Field:
    """The field of one text, number or JSON value."""
    base, name = asked.base, asked.name
    first, first_json = _initial(kind, base)
    kept = len(first) > LONG
    if kept:
        first, first_json = "", kind is not Kind.TEXT
    text: str | None = first
    as_json, included, replaced = first_json, asked.forced or base is not ABSENT, False
    if sent is not None:
        text = sent.text(name)
        included = asked.forced or sent.text(f"{name}:in") == "1"
        replaced = kept and sent.text(f"{name}:replace") == "1"
        if kind is Kind.TEXT and not kept:
            as_json = sent.text(f"{name}:how") == "json"
    value, error = ABSENT, ""
    untouched = text == first and as_json == first_json and not replaced
    if text is None:
        text, error = first, _NOT_SENT
    elif not included:
        if not untouched and text:
            error = "this is filled in, but not ticked to be sent: tick it, or empty it"
    elif untouched and base is not ABSENT:
        value = base
    elif kept and not replaced:
        error = "this is filled in, but not ticked to replace the planned value: tick it, or empty it"
    else:
        value, error = _read(kind, text, as_json=as_json)
    if kind is Kind.TEXT and not error and isinstance(value, str) and not untouched and not (as_json or safe(text)):
        text, as_json = typeable(value), True
    note = _note(kind, shape, base, as_json=as_json, kept=kept)
    return Field(
        name=name,
        label=asked.label,
        path=asked.path,
        how=How.KEPT
        if kept
        else How.LINE
        if one_line(text) and (base is not ABSENT or kind is not Kind.JSON)
        else How.LINES,
        words=shape.words,
        hint=shape.hint,
        note=note,
        required=asked.required,
        text=again(text, as_json=as_json),
        as_json=as_json,
        mode=("json" if as_json else "text") if kind is Kind.TEXT and not kept else "",
        numeric={Kind.INTEGER: "numeric", Kind.NUMBER: "decimal"}.get(kind, ""),
        switch=not asked.forced,
        included=included,
        replaced=replaced,
        error=error,
        value=value,
    )


def _initial(kind: Kind, base: object) -> tuple[str, bool]:
    """What is in the control at first, and whether that is JSON."""
    if base is ABSENT:
        return "", kind is Kind.JSON
    if kind is Kind.TEXT and isinstance(base, str) and safe(base):
        return base, False
    return typeable(base), kind in (Kind.TEXT, Kind.JSON)


def _read(kind: Kind, text: str, *, as_json: bool) -> tuple[Any, str]:
    if kind is Kind.TEXT and not as_json:
        return text, ""
    try:
        value = _READERS.get(kind, _json)(text)
    except ValueError as error:
        return ABSENT, str(error)
    if kind is Kind.TEXT and not isinstance(value, str):
        return ABSENT, 'this has to be a text in JSON, in quotes, such as "a text"'
    return value, ""


def _json(text: str) -> Any:
    if not text.strip():
        raise ValueError('this is empty: write JSON, such as null, 5 or "text"')
    return read_json(text)


def _whole(text: str) -> int:
    text = text.strip()
    if _WHOLE.fullmatch(text) is None:
        raise ValueError("a whole number is wanted, such as 12" if text else "a whole number is missing")
    return read_whole(text)


def _number(text: str) -> int | float:
    text = text.strip()
    if _NUMBER.fullmatch(text) is None:
        raise ValueError("a number is wanted, such as 12 or 0.5" if text else "a number is missing")
    return read_whole(text) if _WHOLE.fullmatch(text) else read_decimal(text)


_READERS: Final[dict[Kind, Callable[[str], Any]]] = {Kind.INTEGER: _whole, Kind.NUMBER: _number}


def _note(kind: Kind, shape: Shape, base: object, *, as_json: bool, kept: bool) -> str:
    if kept:
        text = base if isinstance(base, str) else typeable(base)
        sha = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return f"kept as planned: {len(text):,} characters, SHA-256 {sha}; to replace it, tick the box and write " + (
            "the whole text" if kind is Kind.TEXT else "the whole value as JSON"
        )
    if kind is Kind.TEXT and as_json:
        return "written as JSON text, because it holds characters that cannot be seen"
    if kind is Kind.JSON and base is not ABSENT and not of_kind(shape.kind, base):
        return "written as JSON, because the value is not of the kind that the tool describes"
    return "written as JSON" if kind is Kind.JSON else ""
