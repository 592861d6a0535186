"""The views of an edit form: a tree of fields, each with what is typed in it and the value that it stands for."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

import markupsafe

from guardrail.markup import typed, unseen
from guardrail.visible import plain
from guardrail.web.show.folds import Path
from guardrail.web.show.jsontext import escaped
from guardrail.web.show.texts import Line


class Absent:
    """No value at all, which is something else than null."""

    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Final = Absent()
_ONE_LINE: Final = 100
"""Characters of a text that still go into a field of one line."""


class How(StrEnum):
    """What a field is made of."""

    LINE = "line"
    LINES = "lines"
    SELECT = "select"
    GROUP = "group"
    ROWS = "rows"
    KEPT = "kept"


@dataclass(frozen=True, kw_only=True)
class Option:
    """One value that can be chosen."""

    code: str
    label: Line
    chosen: bool


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field. ``name`` is that of its control and ``path`` that of its value.

    ``as_json``: what is typed is JSON text. ``switch``: it has a box that says whether it is sent at all, and
    ``included`` whether that is ticked. ``optional`` groups and lists can be taken out and put in by buttons.
    ``fields`` are those of an object or the rows of a list, ``rows`` their numbers. A union has ``options`` and in
    ``fields`` the one that is chosen, ``was``. ``value`` is what it stands for: ABSENT if nothing, or if ``error`` says
    what is wrong.
    """

    name: str
    label: Line
    path: Path
    how: How
    words: str
    hint: str = ""
    note: str = ""
    required: bool = False
    text: str = field(default="", repr=False)
    as_json: bool = False
    mode: str = ""
    numeric: str = ""
    switch: bool = False
    optional: bool = False
    included: bool = True
    options: tuple[Option, ...] = ()
    union: bool = False
    was: str = ""
    fields: tuple[Field, ...] = ()
    rows: str = ""
    more: Field | None = None
    removable: bool = False
    replaced: bool = False
    error: str = ""
    value: Any = field(default=ABSENT, repr=False)

    @property
    def id(self) -> str:
        """The id of its control."""
        return f"edit-{self.name}"

    @property
    def typed(self) -> markupsafe.Markup:
        """What is in the control."""
        return typed(self.text)

    @property
    def described(self) -> str:
        """The ids of what describes it, for ``aria-describedby``."""
        parts = (("hint", self.hint), ("note", self.note), ("error", self.error))
        return " ".join(f"{self.id}-{part}" for part, said in parts if said)

    def wrong(self) -> bool:
        """Whether it or a part of it has an error."""
        return bool(self.error) or any(part.wrong() for part in self.parts())

    def parts(self) -> tuple[Field, ...]:
        """The fields in it."""
        return self.fields if self.more is None else (*self.fields, self.more)


def safe(text: str) -> bool:
    """Whether a text comes back from a field as it was, and everything in it can be seen."""
    return not unseen(text)


def one_line(text: str) -> bool:
    """Whether a text fits a field of one line, which has no line breaks."""
    return len(text) <= _ONE_LINE and "\n" not in text and "\t" not in text


def again(text: str, *, as_json: bool) -> str:
    """What was typed, to be put into the field again, with what cannot be seen written out."""
    if safe(text):
        return text
    if as_json:
        return escaped(text)
    return "\n".join("\t".join(plain(cell) for cell in row.split("\t")) for row in text.split("\n"))
