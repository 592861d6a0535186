"""Texts as pieces for a template: what would not be seen stands apart, written out, and lines are lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from guardrail.visible import foreign, hidden, runs

_NAMED = 20
"""Different hidden characters of one text that are named; more are counted."""


@dataclass(frozen=True, kw_only=True)
class Piece:
    """A run of a text. ``hidden``: it would not be seen, and is written out here."""

    text: str
    hidden: bool = False
    mark: str = ""
    """``alike``: of another alphabet than the rest of its word. In a comparison: ``added``, ``removed``, or ``cut``
    for what stands in place of words."""


Line = tuple[Piece, ...]


def line(text: str, *, mark: str = "") -> Line:
    """The text as one line: line breaks are written out as well."""
    return tuple(_pieces(text, mark))


def lines(text: str) -> tuple[Line, ...]:
    """The text, a line each; what ends one is written out at its end, so that nothing of the text is lost."""
    found = []
    for part in text.split("\n"):
        pieces = [*_edge(part)]
        found.append(pieces)
    for pieces in found[:-1]:
        pieces.append(Piece(text="\\n", hidden=True))
    return tuple(tuple(pieces) for pieces in found)


def legend(text: str) -> tuple[str, ...]:
    """Every different hidden character of the text by code point and name, with how often it stands there."""
    names = hidden(text)
    if not names:
        return ()
    counts = Counter(text)
    said = []
    for name in names[:_NAMED]:
        code = name.partition(" ")[0].removeprefix("U+")
        count = counts[chr(int(code, base=16))]
        said.append(name if count == 1 else f"{name} ({count:,} times)")
    if len(names) > _NAMED:
        said.append(f"and {len(names) - _NAMED:,} more")
    return tuple(said)


def _edge(text: str) -> Iterator[Piece]:
    """One line, with the spaces at its edges written out."""
    inner = text.strip(" ")
    if not inner:
        if text:
            yield Piece(text="\N{OPEN BOX}" * len(text), hidden=True)
        return
    before = len(text) - len(text.lstrip(" "))
    if before:
        yield Piece(text="\N{OPEN BOX}" * before, hidden=True)
    yield from _pieces(inner, "")
    after = len(text) - before - len(inner)
    if after:
        yield Piece(text="\N{OPEN BOX}" * after, hidden=True)


def _pieces(text: str, mark: str) -> Iterator[Piece]:
    for run, is_hidden in runs(text):
        if is_hidden or run.isascii():
            yield Piece(text=run, hidden=is_hidden, mark=mark)
            continue
        for part, alike in foreign(run):
            if part:
                yield Piece(text=part, mark=mark or ("alike" if alike else ""))
