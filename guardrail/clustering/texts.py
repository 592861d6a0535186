"""When two texts are the same words, and when no judge needs to be asked whether they mean the same."""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass
from functools import cached_property

from guardrail.clustering import vocabulary
from guardrail.clustering.dates import MONTHS, with_plain_dates
from guardrail.clustering.numbers import number_key, read_number

_QUOTES = str.maketrans(
    {
        "\u2018": "'",
        "\u2019": "'",
        "\u201b": "'",
        "\u00b4": "'",
        "\u0060": "'",
        "\u201c": '"',
        "\u201d": '"',
        "\u201e": '"',
    }
)
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212", "-"))
_JOINED = re.compile(r"(?<=[^\W\d_])-(?=[^\W\d_])|_+")
_INITIAL = re.compile(r"(?<![^\W_])([^\W\d_])\.")
_COMMA = re.compile(r"(?<=[^\W\d_]),(?=\s)")
_TAIL = re.compile(r"(?<=[^\W\d_])[.,;:!]+$")
_SHORT = 6

_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_NUMBER = re.compile(r"[-+]?\d+(?:[.,:]\d+)*")
_LABELLED = re.compile(r"(?<![^\W\d_])[^\W\d_]++[-_./#]?\d[\w-]*")
_BETWEEN = re.compile(r"[\s<>\"',;()]+")
_LOCATES = frozenset("@/\\")
_ROMAN = re.compile(r"\b(?:I{2,3}|IV|VI{0,3}|IX|XI{0,3}|XIV|XV)\b")
_SYMBOL = re.compile(r"[$€£¥₹₩₿%°<>=+*&|~^#]")

_NONE: frozenset[str] = frozenset()
_PREFIXES = ("un", "in", "im", "il", "ir", "non", "dis", "de", "mis", "anti", "a")
_TIMES = {
    **{word: f"day {day}" for word, day in vocabulary.WEEKDAYS.items()},
    **{word: f"month {month}" for word, month in MONTHS.items() if word not in ("may", "mar", "march")},
    **{word: word for word in vocabulary.RELATIVE},
}


def shown(text: str) -> str:
    """The text without differences nobody sees: compatibility forms and runs of white space."""
    return " ".join(unicodedata.normalize("NFKC", text).split())


def identity(text: str) -> str:
    """The text in the one Unicode form in which names of accounts, files and people are compared."""
    return unicodedata.normalize("NFC", text).strip()


def loose(text: str, *, keep_case: bool = False) -> str:
    """The words of a text: without letter case, joining marks, and the punctuation around words.

    A single letter keeps its case ("C" is a note, "c" a variable), and so do all where
    ``keep_case`` is asked for.
    """
    text = html.unescape(shown(text)).translate(_QUOTES).translate(_DASHES)
    if len(text) > 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if len(text) > 1 and not keep_case:
        text = text.casefold()
    text = _INITIAL.sub(r"\1", _JOINED.sub(" ", text))
    if text.count(" ") < _SHORT and not _negations(text):
        text = _COMMA.sub("", text)
    return " ".join(_TAIL.sub("", text).split())


def essence(text: str, echoes: frozenset[str], *, keep_case: bool = False) -> str:
    """The loose words of a text without an article in front and echoes of its argument's name at the ends.

    A ``room_type`` is "single" as it is "single room", a ``museum`` "louvre" as it is "the louvre museum".
    Addresses, links and paths inside the text keep every character.
    """
    words = loose(text, keep_case=True)
    parts = words.split(" ")
    if len(parts) <= _SHORT:
        first = parts[0].casefold()
        if len(parts) > 1 and (first == "the" or (first in ("a", "an") and len(parts) > 2)):
            parts = parts[1:]
        while len(parts) > 1 and parts[-1].casefold() in echoes:
            parts = parts[:-1]
        while len(parts) > 1 and parts[0].casefold() in echoes:
            parts = parts[1:]
        words = " ".join(parts)
    folded = words if keep_case or len(words) == 1 else words.casefold()
    return " ".join([folded, *locators(shown(text))])


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What in a text no judge of language may wave through when it changes.

    ``signature`` holds its numbers in their order (dates inside the text as ISO), words with a number
    (INV-7), Roman numbers, symbols, e-mail addresses, links, handles and paths, week days, months and words such as
    "tomorrow", the count of negations, and whether it is a lone "any" or "all".
    """

    signature: tuple[object, ...]
    words: tuple[str, ...]
    unordered: tuple[str, ...] | None
    """The words in alphabetical order where a direction or an operator makes their order matter."""

    @cached_property
    def vocabulary(self) -> frozenset[str]:
        return frozenset(self.words)


def marks(text: str) -> Marks:
    """The marks of a text."""
    text = shown(text).translate(_QUOTES).translate(_DASHES)
    words = tuple(_WORD.findall(text.casefold()))
    counted = with_plain_dates(" ".join(vocabulary.COUNTS.get(word.casefold(), word) for word in text.split()))
    symbols = sorted(_SYMBOL.findall(text))
    directed = bool(symbols) or " - " in text or " / " in text or not vocabulary.DIRECTED.isdisjoint(words)
    return Marks(
        signature=(
            tuple(_value(match) for match in _NUMBER.findall(counted)),
            sorted(match.casefold() for match in _LABELLED.findall(counted)),
            symbols,
            sorted(_ROMAN.findall(text)),
            locators(text),
            sorted(_TIMES[word] for word in words if word in _TIMES),
            _negations(text),
            len(words) == 1 and words[0] in vocabulary.WILDCARDS,
        ),
        words=words,
        unordered=tuple(sorted(words)) if directed else None,
    )


def locators(text: str) -> list[str]:
    """The e-mail addresses, links, handles and paths inside a text, as they are written."""
    if _LOCATES.isdisjoint(text):
        return []
    return sorted(part.rstrip(".!?:") for part in _BETWEEN.split(text) if not _LOCATES.isdisjoint(part))


def certainly_different(a: Marks, b: Marks) -> bool:
    """Whether two texts differ in their marks, say opposites, or turn a direction round ("from A to B")."""
    if a.signature != b.signature:
        return True
    if a.unordered is not None and a.unordered == b.unordered and a.words != b.words:
        return True
    left, right = a.vocabulary - b.vocabulary, b.vocabulary - a.vocabulary
    return any(
        not vocabulary.OPPOSITES.get(word, _NONE).isdisjoint(right) or _without_prefix(word, right) for word in left
    ) or any(_without_prefix(word, left) for word in right)


def _value(literal: str) -> str:
    number = read_number(literal)
    return literal if number is None else number_key(number)


def _negations(text: str) -> int:
    words = _WORD.findall(text.casefold())
    return sum(word.replace("'", "") in vocabulary.NEGATION or word.endswith("n't") for word in words)


def _without_prefix(word: str, others: frozenset[str]) -> bool:
    """Whether a word says the contrary of one of the others by its prefix ("unpaid", "paid")."""
    return word.startswith(_PREFIXES) and any(
        word.startswith(prefix) and len(word) > len(prefix) + 2 and word[len(prefix) :] in others
        for prefix in _PREFIXES
    )
