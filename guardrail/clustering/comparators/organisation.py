"""Names of companies and clubs without the words for their legal form."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.place import city_countries
from guardrail.clustering.texts import loose
from guardrail.clustering.vocabulary import LEGAL_FORMS

_CAPITALISED = re.compile(r"\b[A-Z]\w+")
_CLIPPED = 5
_CLUB = frozenset(("fc", "afc", "cf"))


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """True where two names differ in their legal form at most; None otherwise, which is for a judge."""
    one, other = _reading(a), _reading(b)
    if one != other:
        short = _abbreviated(a, b) or _abbreviated(b, a) or _nickname(one, other) or _nickname(other, one)
        return True if short else None
    # two different forms are two companies
    return True if one and (not _form(a) or not _form(b) or _form(a) == _form(b)) else None


def _abbreviated(short: str, name: str) -> bool:
    """Whether a text is a name's initials (three, or two before "FC"), or the beginnings of each of its words."""
    short = short.replace(".", "").strip()
    letters = "".join(word[0] for word in _CAPITALISED.findall(name))
    if len(letters) > 1 and short in (letters if len(letters) > 2 else "", f"{letters}FC", f"{letters}AFC"):
        return True
    parts, whole = short.casefold().split(), name.casefold().split()
    begun = len(parts) == len(whole) > 1 and len(parts[0]) > 2
    return begun and all(
        part == long or (len(part) < _CLIPPED and len(part) + 2 < len(long) and long.startswith(part))
        for part, long in zip(parts, whole, strict=True)
    )


def _nickname(short: str, name: str) -> bool:
    """Whether a North American team is called without its town: there nicknames are plural, and one town's."""
    town, _, nickname = name.rpartition(" ")
    if not town or short != nickname or not nickname.endswith("s"):
        return False
    return any(country in ("US", "CA") for country in city_countries(town))


def _parts(text: str) -> list[str]:
    return loose(text).replace(",", "").replace(".", "").split()


def _form(text: str) -> tuple[str, ...]:
    return tuple(sorted(_LONG.get(part, part) for part in _parts(text) if part in LEGAL_FORMS))


def _reading(text: str) -> str:
    parts = _parts(text)
    while len(parts) > 1 and parts[-1] in LEGAL_FORMS | _CLUB:
        parts = parts[:-1]
    while len(parts) > 1 and parts[0] in _CLUB:
        parts = parts[1:]
    return " ".join(parts)


_LONG = {"incorporated": "inc", "limited": "ltd", "corporation": "corp", "company": "co"}
