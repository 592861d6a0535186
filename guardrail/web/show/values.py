"""A JSON value for a person who decides by it: names and types are visible, nothing is lost, what is big is folded."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from guardrail.codec import digest
from guardrail.visible import texts, warnings
from guardrail.web.show.folds import CLOSED, OF_PARTS, OF_TEXT, Fold, Opening, Path, fold, not_opened
from guardrail.web.show.jsontext import pretty, scalar
from guardrail.web.show.texts import Line, legend, line, lines

LONG: Final = 2_000
"""Characters of a text that are shown at once."""
MANY_LINES: Final = 40
MANY: Final = 50
"""Parts of a list or object that are shown at once."""
DEEP: Final = 8
_LONG_NAME: Final = 200
_ALL_PARTS: Final = 400
_ALL_CHARACTERS: Final = 20_000
_SPENT: Final = 80
"""Characters that a text may still have when the room for all is used up."""
_GROUPED: Final = 10_000
_KINDS: Final = {bool: "boolean", int: "whole number", float: "number", type(None): "null"}


@dataclass(frozen=True, kw_only=True)
class Value:
    """One value. ``kind`` is text, whole number, number, boolean, null, list or object; ``name`` is its key or index.

    A text has ``lines``, another value without parts has ``written``, its JSON. ``note`` says what the eye may miss.
    ``parts`` are what a list or object holds. ``fold`` is there instead of all these, or holds what is left of a
    collection after its first parts. ``differs`` is for comparisons.
    """

    path: Path
    name: Line
    kind: str
    note: str = ""
    lines: tuple[Line, ...] = ()
    written: str = ""
    legend: tuple[str, ...] = ()
    parts: tuple[Value, ...] = ()
    fold: Fold | None = None
    differs: bool = False

    def folds(self) -> Iterator[Fold]:
        """All that is folded in it."""
        if self.fold is not None:
            yield self.fold
        for part in self.parts:
            yield from part.folds()


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A value with all that is folded in it and what a reader should beware of."""

    root: Value
    folds: tuple[Fold, ...]
    warnings: tuple[str, ...]


def show_value(value: object, opening: Opening = CLOSED, *, at: Path = (), differing: Iterable[Path] = ()) -> Shown:
    """The value fit for a page. ``at`` is the path where it stands; ``differing`` are those of the parts to be marked.

    Never raises: what is no JSON is shown as what comes closest.
    """
    root = _Room(opening, frozenset(differing), len(at)).value(value, at, "")
    return Shown(root=root, folds=tuple(root.folds()), warnings=tuple(warnings(value)))


def unopened(value: object, tokens: Iterable[str], *, secret: str, bound: str, base: object = None) -> tuple[Fold, ...]:
    """What is folded in the value and was not opened, by the tokens that a form sent.

    With ``base``, from which the value was edited, it is what is folded there and may still stand in the value: what a
    person wrote instead was seen by that person.
    """
    if base is None:
        return not_opened(show_value(value).folds, tokens, secret=secret, bound=bound)
    kept = set(texts(value))
    folds = (one for one in show_value(base).folds if one.digest_of != OF_TEXT or one.text in kept)
    return not_opened(folds, tokens, secret=secret, bound=bound)


class _Room:
    """What one value may take of a page."""

    def __init__(self, opening: Opening, differing: frozenset[Path], depth: int) -> None:
        self._opening, self._differing, self._depth = opening, differing, depth
        self._parts, self._characters = 0, 0

    def value(self, value: object, path: Path, name: str) -> Value:
        self._parts += 1
        if isinstance(value, str):
            return self._text(value, path, name)
        if isinstance(value, dict):
            return self._object(value, path, name)
        if isinstance(value, list | tuple):
            return self._list(value, path, name)
        written = scalar(value)
        kind = _KINDS.get(type(value), type(value).__name__)
        if len(written) > LONG:
            what = f"a {kind} of {len(written):,} digits"
            return self._folded(written, path, name, kind, what=what, digest_of="its digits")
        self._characters += len(written)
        return self._made(path, name, kind, written=written, note=_grouped(value))

    def _text(self, text: str, path: Path, name: str) -> Value:
        count = text.count("\n") + 1
        limit = LONG if self._characters < _ALL_CHARACTERS else _SPENT
        if len(text) > limit or count > MANY_LINES:
            what = f"a text of {len(text):,} characters" + (f" in {count:,} lines" if count > 1 else "")
            return self._folded(text, path, name, "text", what=what, digest_of=OF_TEXT)
        self._characters += len(text)
        return self._made(path, name, "text", lines=lines(text), legend=legend(text), note=_of_text(text, count))

    def _object(self, value: dict[str, object], path: Path, name: str) -> Value:
        parts = [(str(key), part) for key, part in value.items()]
        if any(len(key) > _LONG_NAME for key, _ in parts):
            return self._whole(value, path, name, "object", "an object with long names")
        return self._collection(value, parts, path, name, "object")

    def _list(self, value: list[object] | tuple[object, ...], path: Path, name: str) -> Value:
        return self._collection(value, list(enumerate(value)), path, name, "list")

    def _collection(
        self, value: object, parts: Sequence[tuple[str | int, object]], path: Path, name: str, kind: str
    ) -> Value:
        count = len(parts)
        what = f"{'an' if kind == 'object' else 'a'} {kind} of {count:,}"
        if count and (len(path) - self._depth >= DEEP or (self._parts > 1 and self._full())):
            return self._whole(value, path, name, kind, what)
        shown: list[Value] = []
        for key, part in parts[:MANY]:
            if shown and self._full() and isinstance(part, dict | list | tuple | str):
                break
            shown.append(self.value(part, (*path, key), str(key)))
        rest = parts[len(shown) :]
        folded = None
        if rest:
            left = {str(key): part for key, part in rest} if kind == "object" else [part for _, part in rest]
            folded = self._fold_json(left, path, f"{len(rest):,} more of the {kind}, after {len(shown):,}")
        part_word = "name" if kind == "object" else "item"
        note = "empty" if not count else f"{count:,} {part_word}{'s' * (count > 1)}"
        return self._made(path, name, kind, parts=tuple(shown), fold=folded, note=note)

    def _full(self) -> bool:
        return self._parts > _ALL_PARTS or self._characters > _ALL_CHARACTERS

    def _whole(self, value: object, path: Path, name: str, kind: str, what: str) -> Value:
        return self._made(path, name, kind, fold=self._fold_json(value, path, what))

    def _fold_json(self, value: object, path: Path, what: str) -> Fold:
        try:
            sha = digest(value)
        except (ValueError, TypeError, RecursionError):
            sha = ""
        return fold(pretty(value), path=path, what=what, digest_of=OF_PARTS, opening=self._opening, digest=sha)

    def _folded(self, text: str, path: Path, name: str, kind: str, *, what: str, digest_of: str) -> Value:
        folded = fold(text, path=path, what=what, digest_of=digest_of, opening=self._opening)
        return self._made(path, name, kind, fold=folded)

    def _made(self, path: Path, name: str, kind: str, **more: object) -> Value:
        return Value(path=path, name=line(name), kind=kind, differs=path in self._differing, **more)  # type: ignore[arg-type]


def _grouped(value: object) -> str:
    return f"{value:,}" if type(value) in (int, float) and _GROUPED <= abs(value) < 1e21 else ""  # type: ignore[arg-type]


def _of_text(text: str, count: int) -> str:
    if not text:
        return "empty"
    said = []
    if count > 1:
        said.append(f"{count:,} lines")
    if text[0] == " " or text[-1] == " ":
        said.append("only spaces" if not text.strip(" ") else "spaces at its edges")
    if any(unicodedata.bidirectional(character) in ("R", "AL") for character in set(text)):
        said.append("has letters that are read from right to left")
    return ", ".join(said)
