"""What a reader of a text would not see, or would see elsewhere or in another order, written out.

Arguments come from a model that may have been told to deceive its reviewer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from itertools import chain, groupby

# Letters and marks that have no ink, besides those whose category says so.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
_LAYOUT = frozenset("\n\r\t")


def hides(character: str) -> bool:
    """Whether a reader would not see this character for what it is."""
    if character.isascii():
        return not character.isprintable()
    return (
        unicodedata.category(character) in _HIDDEN_CATEGORIES
        or character in _BLANK
        or any(ord(character) in selectors for selectors in _SELECTORS)
    )


def plain(text: str) -> str:
    """The text with everything hidden written out, as one line."""
    return "".join(_escape(character) if hides(character) else character for character in text)


def runs(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it was hidden and is written out here."""
    for hidden, characters in groupby(text, hides):
        yield plain("".join(characters)), hidden


def warnings(value: object) -> list[str]:
    """What a reader should know about the texts in a JSON value before deciding by them."""
    texts = list(_texts(value))
    hidden = dict.fromkeys(
        character for character in chain.from_iterable(texts) if hides(character) and character not in _LAYOUT
    )
    found = []
    if hidden:
        names = ", ".join(_name(character) for character in list(hidden)[:5])
        found.append(f"holds characters that cannot be seen: {names}{', …' if len(hidden) > 5 else ''}")
    mixed = dict.fromkeys(word for text in texts for word in re.findall(r"\w+", text) if len(_alphabets(word)) > 1)
    if mixed:
        words = ", ".join(f"{plain(word[:40])} ({' and '.join(_alphabets(word))})" for word in list(mixed)[:5])
        found.append(f"mixes alphabets within a word, which may imitate another word: {words}")
    return found


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for key, inner in value.items() for text in (str(key), *_texts(inner))]
    if isinstance(value, list | tuple):
        return [text for inner in value for text in _texts(inner)]
    return []


def _alphabets(word: str) -> list[str]:
    if word.isascii():
        return []
    names = {unicodedata.name(character, "").partition(" ")[0] for character in word}
    return [alphabet.capitalize() for alphabet in _ALPHABETS if alphabet in names]


def _escape(character: str) -> str:
    code = ord(character)
    if character in _LAYOUT:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"
