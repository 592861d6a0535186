"""Which places of a call's arguments are hidden, and the paths by which a policy names them.

A path is made of keys, ``card.number`` or ``/card/number``; ``*`` is any key or any item of a list. A list is also gone
through where the path does not say so, and case does not count: rather too much is hidden than too little.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from guardrail.redaction.marks import forged
from guardrail.redaction.names import kind_of
from guardrail.redaction.shapes import find_secrets, is_card
from guardrail.types import Hiding

ANY: Final = "*"
_LONGEST_KIND: Final = 40
_LEAST_CARD: Final = 10**12
_GREATEST_CARD: Final = 10**19 - 1


@lru_cache(maxsize=1024)
def steps(path: str) -> tuple[str, ...]:
    """The steps of a path, dotted or as a JSON pointer.

    Raises:
        ValueError: it has none, or an empty one.
    """
    if path.startswith("/"):
        parts = tuple(part.replace("~1", "/").replace("~0", "~") for part in path[1:].split("/"))
    else:
        parts = tuple(path.split("."))
    if not all(parts):
        raise ValueError(f"{path!r} has an empty step: write keys with dots between them, such as card.number")
    return tuple(_folded(part) for part in parts)


def pointer(parent: str, key: str | int) -> str:
    """The JSON pointer (RFC 6901) of what stands under a key."""
    return f"{parent}/{str(key).replace('~', '~0').replace('/', '~1')}"


def hidden_places(arguments: Mapping[str, Any], hiding: Hiding) -> dict[str, str]:
    """JSON pointers of the values that are hidden whole, each with its kind. Nothing within one is listed.

    A mapping with a key that looks like a secret, or like a mark, is hidden whole; of the arguments themselves, that
    key's value is.
    """
    found: dict[str, str] = {}
    for path in hiding.paths:
        parts = steps(path)
        for place, value in _at(arguments, "", parts):
            if value is not None and value not in ("", [], {}):
                found.setdefault(place, _kind(parts))
    _walk(arguments, "", hiding.secrets, found)
    return {place: kind for place, kind in found.items() if not _within(place, found)}


def odd_key(key: str, *, secrets: bool) -> str | None:
    """What is wrong with a key: it holds a secret, or looks like a mark. None: nothing."""
    if forged(key):
        return "name in the form of this mark"
    spans = find_secrets(key) if secrets else []
    return f"{spans[0].kind} in a name" if spans else None


def _walk(value: Any, place: str, secrets: bool, found: dict[str, str]) -> None:
    if place in found:
        return
    if isinstance(value, Mapping):
        odd = {key: kind for key in value if (kind := odd_key(str(key), secrets=secrets)) is not None}
        if odd and place:
            found[place] = next(iter(odd.values()))
            return
        for key, each in value.items():
            under = pointer(place, key)
            kind = odd.get(key) or (_named(str(key), each) if secrets else None)
            if kind is not None:
                found.setdefault(under, kind)
            _walk(each, under, secrets, found)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            _walk(each, pointer(place, index), secrets, found)
    elif secrets and is_card_number(value):
        found[place] = "card number"


def _named(key: str, value: Any) -> str | None:
    """The kind of secret that a key tells of, where its value can be one."""
    if value is None or isinstance(value, bool) or value in ("", [], {}):
        return None
    return kind_of(key)


def is_card_number(value: Any) -> bool:
    """Whether a value is a number, not a text, that is one of a payment card."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    number = isinstance(value, int) and not isinstance(value, bool)
    return number and _LEAST_CARD <= value <= _GREATEST_CARD and is_card(str(value))


def _at(value: Any, place: str, parts: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if not parts:
        yield place, value
        return
    first, rest = parts[0], parts[1:]
    if isinstance(value, Mapping):
        for key, each in value.items():
            if first in (ANY, _folded(str(key))):
                yield from _at(each, pointer(place, key), rest)
    elif isinstance(value, list | tuple):
        for index, each in enumerate(value):
            here = pointer(place, index)
            if first in (ANY, str(index)):
                yield from _at(each, here, rest)
            if first != str(index):
                yield from _at(each, here, parts)


def _within(place: str, found: Mapping[str, str]) -> bool:
    """Whether a place stands within another one that is hidden."""
    end = place.rfind("/")
    while end > 0:
        if place[:end] in found:
            return True
        end = place.rfind("/", 0, end)
    return False


def _kind(parts: tuple[str, ...]) -> str:
    named = [part for part in parts if part != ANY and not part.isdigit()]
    text = "".join(
        each if each.isascii() and (each.isalnum() or each in " ._-") else "-" for each in "".join(named[-1:])
    )
    return text.strip()[:_LONGEST_KIND] or "by policy"


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()
