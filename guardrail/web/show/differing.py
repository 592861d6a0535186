"""Where two JSON values differ: the paths, both sides, and within texts the words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from typing import Final

from guardrail.review.votes import same_json
from guardrail.web.show.folds import CLOSED, Opening, Path
from guardrail.web.show.jsontext import pretty
from guardrail.web.show.texts import Line, Piece, line
from guardrail.web.show.values import LONG, Shown, show_value

MANY: Final = 50
"""Differences that are shown; more are counted."""
_WORDS: Final = 400
"""Words of each text that are compared, after what both begin and end with."""
_LONGEST: Final = 200_000
"""Characters of a text that is compared word by word."""
_AROUND: Final = 60
_DEEP: Final = 16
_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")
_CHANGED: Final = frozenset({"added", "removed"})
_NOTHING: Final = object()


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One place. ``before`` or ``after`` is None where there is nothing. ``words`` are both texts in one, with what
    was removed and added marked; empty where they are no texts, or too long to be compared.
    """

    path: Path
    name: Line
    before: Shown | None
    after: Shown | None
    words: Line = ()

    @property
    def kind(self) -> str:
        """``added``, ``removed`` or ``changed``."""
        return "added" if self.before is None else "removed" if self.after is None else "changed"


@dataclass(frozen=True, kw_only=True)
class Differences:
    """All places in their order, and how many more there are."""

    items: tuple[Difference, ...]
    more: int = 0

    @property
    def paths(self) -> tuple[Path, ...]:
        """The paths of those that are shown."""
        return tuple(item.path for item in self.items)


def show_differences(before: object, after: object, opening: Opening = CLOSED) -> Differences:
    """What has to be changed in ``before`` to get ``after``. The kind of a number counts: 1 is not 1.0."""
    found = list(_different(before, after, ()))
    opening = replace(opening, where=f"d{opening.where}-")  # the same values may stand elsewhere in the page
    items = tuple(_difference(path, one, other, opening) for path, one, other in found[:MANY])
    return Differences(items=items, more=len(found) - len(items))


def words(before: str, after: str) -> Line:
    """Two texts in one, with what was removed and added marked, and only the words around it. Empty if they have no
    word in common, or are too long to be compared.
    """
    if len(before) > _LONGEST or len(after) > _LONGEST:
        return ()
    one, other = _WORD.findall(before), _WORD.findall(after)
    start = _common(one, other)
    end = _common(one[start:][::-1], other[start:][::-1])
    left, right = one[start : len(one) - end], other[start : len(other) - end]
    if any(len(part) > _WORDS or sum(map(len, part)) > LONG for part in (left, right)):
        return ()
    found = _around(one[:start], from_end=True)
    for what, a, b, c, d in SequenceMatcher(None, left, right, autojunk=False).get_opcodes():
        if what == "equal":
            found += line("".join(left[a:b]))
            continue
        found += line("".join(left[a:b]), mark="removed")
        found += line("".join(right[c:d]), mark="added")
    found += _around(one[len(one) - end :], from_end=False)
    return tuple(found) if any(piece.mark not in _CHANGED and piece.text.strip() for piece in found) else ()


def _around(part: list[str], *, from_end: bool) -> list[Piece]:
    """What both texts have before or behind their difference, as far as it helps to find the place."""
    kept = part[-_AROUND:] if from_end else part[:_AROUND]
    pieces = list(line("".join(kept)[-LONG:] if from_end else "".join(kept)[:LONG]))
    if len(kept) == len(part):
        return pieces
    cut = Piece(text=f"[{len(part) - len(kept):,} words and signs alike]", mark="cut")
    return [cut, *pieces] if from_end else [*pieces, cut]


def _difference(path: Path, before: object, after: object, opening: Opening) -> Difference:
    return Difference(
        path=path,
        name=line(".".join(map(str, path))),
        before=None if before is _NOTHING else show_value(before, opening, at=path),
        after=None if after is _NOTHING else show_value(after, opening, at=path),
        words=words(before, after) if isinstance(before, str) and isinstance(after, str) else (),
    )


def _different(before: object, after: object, path: Path) -> Iterator[tuple[Path, object, object]]:
    if same_json(before, after):
        return
    if isinstance(before, dict) and isinstance(after, dict) and len(path) < _DEEP:
        for key in dict.fromkeys([*before, *after]):
            yield from _pair(before.get(key, _NOTHING), after.get(key, _NOTHING), (*path, str(key)))
    elif isinstance(before, list) and isinstance(after, list) and len(path) < _DEEP:
        yield from _in_lists(before, after, path)
    else:
        yield path, before, after


def _in_lists(before: list[object], after: list[object], path: Path) -> Iterator[tuple[Path, object, object]]:
    """Items that were put in or taken out leave those before and behind them as they were."""
    start = end = 0
    if len(before) != len(after):
        one, other = ([pretty(item) for item in items] for items in (before, after))
        start = _common(one, other)
        end = _common(one[start:][::-1], other[start:][::-1])
    middle, changed = before[start : len(before) - end], after[start : len(after) - end]
    for place in range(max(len(middle), len(changed))):
        one_item = middle[place] if place < len(middle) else _NOTHING
        other_item = changed[place] if place < len(changed) else _NOTHING
        yield from _pair(one_item, other_item, (*path, start + place))


def _pair(before: object, after: object, path: Path) -> Iterator[tuple[Path, object, object]]:
    if before is _NOTHING or after is _NOTHING:
        yield path, before, after
    else:
        yield from _different(before, after, path)


def _common(one: list[str], other: list[str]) -> int:
    """How many items both begin with."""
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
