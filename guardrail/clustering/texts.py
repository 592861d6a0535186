"""When two texts are the same words, and when no judge needs to be asked whether they mean the same."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from dataclasses import dataclass

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
_SYMBOL = re.compile(r"[$€£¥₹₩₿%°<>=+*&|~^#]")

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
    text = shown(text).translate(_QUOTES).translate(_DASHES)
    if len(text) > 2 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1].strip()
    if len(text) > 1 and not keep_case:
        text = text.casefold()
    text = _INITIAL.sub(r"\1", _JOINED.sub(" ", text))
    if text.count(" ") < _SHORT and not _negations(text):
        text = _COMMA.sub("", text)
    return " ".join(_TAIL.sub("", text).split())


@dataclass(frozen=True, kw_only=True)
class Marks:
    """What in a text no judge of language may wave through when it changes.

    ``numbers`` come in their order, dates inside the text as ISO; ``labelled`` are words with a number
    (INV-7); ``locators`` e-mail addresses, links, handles and paths; ``times`` week days, months and
    words such as "tomorrow".
    """

    numbers: tuple[str, ...]
    labelled: Counter[str]
    symbols: Counter[str]
    locators: Counter[str]
    times: Counter[str]
    negations: int
    words: tuple[str, ...]


def marks(text: str) -> Marks:
    """The marks of a text."""
    text = shown(text).translate(_QUOTES).translate(_DASHES)
    words = tuple(_WORD.findall(text.casefold()))
    counted = with_plain_dates(" ".join(vocabulary.COUNTS.get(word.casefold(), word) for word in text.split()))
    return Marks(
        numbers=tuple(_value(match) for match in _NUMBER.findall(counted)),
        labelled=Counter(match.casefold() for match in _LABELLED.findall(counted)),
        symbols=Counter(_SYMBOL.findall(text)),
        locators=Counter(part.rstrip(".!?:") for part in _BETWEEN.split(text) if not _LOCATES.isdisjoint(part)),
        times=Counter(_TIMES[word] for word in words if word in _TIMES),
        negations=_negations(text),
        words=words,
    )


def certainly_different(a: Marks, b: Marks) -> bool:
    """Whether two texts differ in their marks, say opposites, or turn a direction round ("from A to B")."""
    if (a.numbers, a.labelled, a.symbols, a.locators, a.times, a.negations) != (
        b.numbers,
        b.labelled,
        b.symbols,
        b.locators,
        b.times,
        b.negations,
    ):
        return True
    if a.words != b.words and not vocabulary.DIRECTED.isdisjoint(a.words) and sorted(a.words) == sorted(b.words):
        return True
    left, right = set(a.words) - set(b.words), set(b.words) - set(a.words)
    if any(len(pair & left) == 1 and len(pair & right) == 1 and pair <= left | right for pair in vocabulary.OPPOSITES):
        return True
    return any(_prefixed(word, right) for word in left) or any(_prefixed(word, left) for word in right)


def _value(literal: str) -> str:
    number = read_number(literal)
    return literal if number is None else number_key(number)


def _negations(text: str) -> int:
    words = _WORD.findall(text.casefold())
    return sum(word.replace("'", "") in vocabulary.NEGATION or word.endswith("n't") for word in words)


def _prefixed(word: str, others: set[str]) -> bool:
    return any(prefix + word in others for prefix in _PREFIXES if len(word) > 2)
