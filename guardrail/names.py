"""Names of people: which of them a reader would not tell apart."""

from __future__ import annotations

import unicodedata
from typing import Final

# Letters of other alphabets, and digits, that are drawn like a Latin one (after Unicode's confusables, UTS 39).
_LOOK_ALIKE: Final = str.maketrans(
    {
        **dict(zip("аеорсухіјѕһԁԛԝѵӏвкмнт", "aeopcyxijshdqwvlbkmht", strict=True)),  # Cyrillic
        **dict(zip("αεορυχικντ", "aeopuxiknt", strict=True)),  # Greek
        **dict(zip("\u0585\u057d\u0570\u0578\u0581\u0584", "oshngq", strict=True)),  # Armenian
        **dict(zip("01|\u0251\u0261\u0131", "ollagi", strict=True)),
    }
)
_ACCENTS: Final = range(0x300, 0x370)
_BLANK: Final = frozenset("\u115f\u1160\u2800\u3164\uffa0")


def same_person(one: str, other: str) -> bool:
    """Whether two names may be one person: case, spaces, invisible characters, accents and look-alikes do not count."""
    return skeleton(one) == skeleton(other)


def skeleton(name: str) -> str:
    """What is left of a name when all is taken away that a reader would not tell apart."""
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", name).casefold())
    return "".join(each for each in text if not _no_ink(each)).translate(_LOOK_ALIKE)


def _no_ink(character: str) -> bool:
    """An accent, or something that is not seen. Vowel signs of other scripts tell names apart, and stay."""
    return ord(character) in _ACCENTS or character in _BLANK or unicodedata.category(character)[0] in "CZ"
