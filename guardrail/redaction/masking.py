"""Marks in place of what is hidden, over all that belongs together: one planning step, one edit.

First everything is looked through (``look``), then it is masked: what is hidden in one place is hidden wherever it
stands, in words and tokens too.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final
from urllib.parse import quote

from guardrail.redaction.marks import FORGED, MARK, forged, mark
from guardrail.redaction.places import hidden_places, odd_key, pointer
from guardrail.redaction.shapes import VALUE, Span, find_secrets, may_hold_secret, merged
from guardrail.types import Hiding

_LEAST: Final = 3
"""Characters from which a hidden value is looked for in words."""
_FREE: Final = 8
"""Characters from which it is found within longer words too."""
_IN_A_NAME: Final = "value in a name"
_TAIL: Final = 6
"""Characters of a hidden value at a text's end that are taken for its beginning, cut off."""


class Masker:
    """Masks what belongs together. ``first`` stands before every number; ``trusted`` leaves other marks as they are.
    ``begin`` is the last number that is taken.

    ``names`` are arguments whose values a policy hides: they are hidden in texts too, where they stand as
    ``"name": value``.
    """

    def __init__(
        self, *, first: str = "", secrets: bool = True, names: Iterable[str] = (), trusted: bool = False, begin: int = 0
    ) -> None:
        self._first = first
        self._begin = begin
        self._secrets = secrets
        self._trusted = trusted
        self._numbers: dict[str, str] = {}
        self._forms: dict[str, tuple[str, str]] = {}
        """What is looked for, in lower case: the value's own text and its kind."""
        self._shaped: dict[str, tuple[Span, ...]] = {}
        """What was found in texts: those of a step repeat each other."""
        words = "|".join(re.escape(name) for name in sorted(set(names)) if name)
        self._named = (
            re.compile(rf"(?<![A-Za-z0-9_])(?:{words})\\?[\"']?\s{{0,3}}[:=]\s{{0,3}}{VALUE}", re.IGNORECASE)
            if words
            else None
        )

    def look(self, arguments: Mapping[str, Any], hiding: Hiding) -> None:
        """Note what is hidden in a call's arguments."""
        places = hidden_places(arguments, hiding)
        self._look(arguments, "", places)

    def look_text(self, text: str) -> None:
        """Note what is hidden in a text."""
        for span in self._shapes(text):
            self._note(text[span.start : span.end], span.kind)

    def finds_nothing(self, texts: Collection[str]) -> bool:
        """Whether there is nothing to hide in any of the texts: one search over all of them tells it of most."""
        if self._forms:
            return False
        together = "\n".join(texts)
        if not (
            (self._secrets and may_hold_secret(together))
            or forged(together)
            or (self._named is not None and self._named.search(together))
        ):
            return True
        return not any(map(self._shapes, texts))

    def arguments(self, arguments: Mapping[str, Any], hiding: Hiding) -> tuple[dict[str, Any], tuple[str, ...]]:
        """The arguments masked, and the JSON pointers (into what is returned) of what is hidden."""
        places = hidden_places(arguments, hiding)
        hidden: list[str] = []
        masked: dict[str, Any] = {}
        for name, value in arguments.items():
            key = str(name)
            kind = odd_key(key, secrets=hiding.secrets)
            if kind is None and self._in_name(key):
                kind = _IN_A_NAME
                places[pointer("", name)] = kind
            shown = key if kind is None else self._mark(key, kind)
            masked[shown] = self._value(value, pointer("", name), pointer("", shown), places, hidden)
        return masked, tuple(hidden)

    def text(self, text: str) -> str:
        """A text with marks in place of what is hidden in it."""
        spans = self.spans(text)
        return self.replaced(text, spans) if spans else text

    def spans(self, text: str) -> list[Span]:
        """Where something is hidden in a text."""
        if not text:
            return []
        found = [*self._shapes(text), *self._known(text)]
        return merged(found) if found else []

    def _in_name(self, name: str) -> bool:
        """Whether something hidden stands in the name of an argument. Names are not cut: one that only begins as a
        hidden value does is a name.
        """
        return bool(name) and bool(self._shapes(name) or self._known(name, cut=False))

    def replaced(self, text: str, spans: Iterable[Span]) -> str:
        """The text with a mark in place of each span."""
        parts: list[str] = []
        end = 0
        for span in spans:
            parts += [text[end : span.start], self.mark_of(text, span)]
            end = span.end
        return "".join([*parts, text[end:]])

    def mark_of(self, text: str, span: Span) -> str:
        """The mark for a span of a text."""
        piece = text[span.start : span.end]
        value, kind = self._forms.get(piece.lower(), (piece, span.kind))
        return self._mark(value, kind)

    def known(self, text: str) -> bool:
        """Whether a short text is, but for spaces around it, something that is hidden."""
        return text.strip().lower() in self._forms

    def _value(self, value: Any, place: str, shown: str, places: Mapping[str, str], hidden: list[str]) -> Any:
        found = self._whole(value, places.get(place))
        if found is not None:
            hidden.append(shown)
            return found
        if isinstance(value, Mapping):
            return {
                str(key): self._value(each, pointer(place, key), pointer(shown, key), places, hidden)
                for key, each in value.items()
            }
        if isinstance(value, list | tuple):
            return [
                self._value(each, pointer(place, index), pointer(shown, index), places, hidden)
                for index, each in enumerate(value)
            ]
        return value

    def _whole(self, value: Any, kind: str | None) -> str | None:
        """What stands in place of a value of which something is hidden; None: nothing is, or what is in it may be."""
        if kind is not None:
            return self._mark(_plain(value), kind)
        if isinstance(value, str):
            text = self.text(value)
            return None if text == value else text
        if isinstance(value, Mapping) and any(self._in_name(str(key)) for key in value):
            return self._mark(_plain(value), _IN_A_NAME)
        if _is_number(value) and len(text := _plain(value)) > _LEAST and text.lower() in self._forms:
            return self._mark(*self._forms[text.lower()])
        return None

    def _look(self, value: Any, place: str, places: Mapping[str, str]) -> None:
        if place in places:
            self._note_all(value, places[place])
        elif isinstance(value, str):
            self.look_text(value)
        elif isinstance(value, Mapping):
            for key, each in value.items():
                self.look_text(str(key))
                self._look(each, pointer(place, key), places)
        elif isinstance(value, list | tuple):
            for index, each in enumerate(value):
                self._look(each, pointer(place, index), places)

    def _note_all(self, value: Any, kind: str) -> None:
        if isinstance(value, Mapping):
            for key, each in value.items():
                self.look_text(str(key))
                self._note_all(each, kind)
        elif isinstance(value, list | tuple):
            for each in value:
                self._note_all(each, kind)
        elif isinstance(value, str) or _is_number(value):
            self._note(_plain(value), kind)
            if isinstance(value, str):
                self.look_text(value)

    def _note(self, text: str, kind: str) -> None:
        if len(text.strip()) < _LEAST or kind == FORGED:
            return
        for form in {text, text.strip(), *_written(text)}:
            self._forms.setdefault(form.lower(), (text, kind))

    def _shapes(self, text: str) -> tuple[Span, ...]:
        known = self._shaped.get(text)
        if known is None:
            known = self._shaped[text] = tuple(self._searched(text))
        return known

    def _searched(self, text: str) -> list[Span]:
        found = find_secrets(text) if self._secrets else []
        if self._named is not None:
            for one in self._named.finditer(text):
                start, end = next(one.span(group) for group in range(1, 5) if one[group] is not None)
                found.append(Span(start=start, end=end, kind="by policy"))
        marks = [one.span() for one in MARK.finditer(text)] if self._trusted else []
        found += [Span(start=start, end=end, kind=FORGED) for start, end in forged(text) if (start, end) not in marks]
        return [one for one in found if not any(start <= one.start and one.end <= end for start, end in marks)]

    def _known(self, text: str, *, cut: bool = True) -> list[Span]:
        if not self._forms:
            return []
        lowered = text.lower() if len(text.lower()) == len(text) else text
        found: list[Span] = []
        for form, (_, kind) in self._forms.items():
            if form in lowered or lowered is text:
                edge = "" if len(form) >= _FREE else r"(?![^\W_])"
                before = "" if len(form) >= _FREE else r"(?<![^\W_])"
                pattern = re.compile(f"{before}{re.escape(form)}{edge}", re.IGNORECASE)
                found += [Span(start=one.start(), end=one.end(), kind=kind) for one in pattern.finditer(text)]
            if cut and len(form) > _TAIL and (start := _cut(lowered, form)) is not None:
                found.append(Span(start=start, end=len(text), kind=kind))
        return found

    def _mark(self, value: str, kind: str) -> str:
        number = self._numbers.setdefault(value, f"{self._first}{self._begin + len(self._numbers) + 1}")
        return mark(number, kind)


def _cut(text: str, form: str) -> int | None:
    """Where a text ends with the beginning of a form."""
    if len(text) < _TAIL:
        return None  # shorter pieces tell nothing
    ended = text.rstrip(".\u2026\"' )")
    start = ended.find(form[:_TAIL], max(len(ended) - len(form) + 1, 0))
    while start >= 0:
        if form.startswith(ended[start:]):
            return start
        start = ended.find(form[:_TAIL], start + 1)
    return None


def _written(text: str) -> set[str]:
    """The ways in which programs write a text within another one."""
    try:
        return {
            json.dumps(text)[1:-1],
            json.dumps(text, ensure_ascii=False)[1:-1],
            repr(text)[1:-1],
            quote(text, safe=""),
        }
    except UnicodeEncodeError:
        return {json.dumps(text)[1:-1], repr(text)[1:-1]}


def _plain(value: Any) -> str:
    """A value as text: what is equal has the same."""
    if isinstance(value, str):
        return value
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
