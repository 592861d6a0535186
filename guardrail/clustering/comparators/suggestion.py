"""Which comparator a field's type, format, name and description suggest, and why."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import Chosen
from guardrail.clustering.naming import words


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FORMATS = {
    "email": "email",
    "idn-email": "email",
    "uri": "url",
    "iri": "url",
    "url": "url",
    "date": "date",
    "time": "date",
    "date-time": "date",
    "phone": "phone",
    "regex": "regex",
    "json": "json",
    "path": "path",
    "file-path": "path",
    "directory-path": "path",
}

_ENDINGS = (  # a name's last word
    ("email", _listed("email emails mail cc bcc")),
    ("url", _listed("url urls uri link href")),
    ("phone", _listed("phone telephone fax mobile")),
    ("path", _listed("path paths file files filename filepath directory dir folder")),
    ("timezone", _listed("timezone tz")),
    ("language", _listed("language languages lang locale")),
    ("money", _listed("currency currencies price cost budget fee")),
    (
        "quantity",
        _listed(
            "unit units measure measurement quantity distance length width height depth radius diameter weight mass "
            "volume speed velocity temperature pressure energy power dosage dose area"
        ),
    ),
    ("sql", _listed("sql")),
    ("shell", _listed("command cmd commands")),
    ("regex", _listed("regex regexp")),
    ("json", _listed("json")),
    (
        "organisation",
        _listed("company companies corporation firm employer organization organisation manufacturer team club"),
    ),
)
_ENDINGS_OF_TWO = {
    "time zone": "timezone",
    "phone number": "phone",
    "email address": "email",
    "mail address": "email",
    "company name": "organisation",
    "company names": "organisation",
    "team name": "organisation",
    "club name": "organisation",
    "currency code": "money",
    "language code": "language",
    "country code": "place",
}
_PLACE = _listed(
    "city cities town location locations loc place places country countries state states province region regions "
    "destination origin departure arrival jurisdiction court"
)
_PLACE_TEXT = re.compile(
    r"\b(?:cit(?:y|ies)|towns?|countr(?:y|ies)|locations?|states? and|provinces?|airports?|starting (?:point|location)"
    r"|end(?:ing)? (?:point|location)|destination|origin|places?|addresse?s?|U\.?S\.? states?|areas?)\b",
    re.IGNORECASE,
)
_PLACE_MAYBE = _listed("where to from start end source place area address point market home neighborhood district")
_CODE = _listed("script snippet")
_LANGUAGES = _listed("source program python javascript java js html")
_PERSON = _listed(
    "artist author actor actress director player person patient customer employee student teacher doctor composer "
    "singer celebrity scientist president passenger guest"
)
_MUSIC = re.compile(r"\b(?:music\w*|melod(?:y|ies)|scales?|chords?|keys? signature|notes?)\b", re.IGNORECASE)
_MATH = re.compile(
    r"\b(?:math\w*|derivative|integra\w+|calculus|function (?:to|as|for)|polynomial|equation)\b", re.IGNORECASE
)

_ENDINGS_BESIDE = (
    ("pitch", _listed("key note chord scale"), _MUSIC),
    ("math", _listed("function expression formula equation polynomial"), _MATH),
    ("place", _listed("area"), _PLACE_TEXT),
    ("date", _listed("format"), re.compile(r"\b(?:dates?|times?)\b", re.IGNORECASE)),
    ("sql", _listed("query statement"), re.compile(r"\bSQL\b")),
)
_TEXTS = (
    ("sql", re.compile(r"\bSQL (?:query|statement|string|to)\b|\bin SQL\b")),
    ("regex", re.compile(r"\bregular expression\b", re.IGNORECASE)),
    ("email", re.compile(r"\be-?mail address(?:es)?\b", re.IGNORECASE)),
    ("phone", re.compile(r"\b(?:tele)?phone number\b", re.IGNORECASE)),
    ("timezone", re.compile(r"\btime ?zone\b", re.IGNORECASE)),
    ("code", re.compile(r"\bPython (?:code|script|program)\b")),
)


def suggested(*, name: str, description: str, format_: str, tool: str) -> tuple[Chosen, ...]:
    """The comparators that read the values of a text field, first the one that speaks most plainly for itself."""
    if format_ in _FORMATS:
        return (Chosen(name=_FORMATS[format_], because=f"its format is {format_!r}"),)
    parts = words(name)
    if not parts:
        return ()
    found = [Chosen(name=one, because=why) for one, why in _by_name(parts, description, tool)]
    for one, pattern in _TEXTS:
        match = pattern.search(description)
        if match and not found:
            found.append(Chosen(name=one, because=f"its description speaks of {match[0]!r}"))
    return tuple(found)


def _by_name(parts: tuple[str, ...], description: str, tool: str) -> list[tuple[str, str]]:
    last, two, beside = parts[-1], " ".join(parts[-2:]), f"{description} {tool.replace('_', ' ')}"
    named = f"its name ends in {last!r}"
    if two in _ENDINGS_OF_TWO:
        return [(_ENDINGS_OF_TWO[two], f"its name ends in {two!r}")]
    for comparator, endings, pattern in _ENDINGS_BESIDE:
        if last in endings and (match := pattern.search(beside)):
            return [(comparator, f"{named} and {match[0]!r} stands beside it")]
    if last in _CODE or (last == "code" and (len(parts) == 1 or parts[-2] in _LANGUAGES)):
        return [("code", named)]
    for comparator, endings in _ENDINGS:
        if last in endings:
            return [(comparator, named)]
    return _by_any_word(parts, description)


def _by_any_word(parts: tuple[str, ...], description: str) -> list[tuple[str, str]]:
    maybe = not _PLACE_MAYBE.isdisjoint(parts)
    for comparator, known in (("place", _PLACE), ("person", _PERSON)):
        if word := next((part for part in parts if part in known), ""):
            return [(comparator, f"its name speaks of a {word}")]
    if maybe and (match := _PLACE_TEXT.search(description)):
        return [("place", f"its description speaks of {match[0]!r}")]
    return []
