"""What a reader of a text would not see, or would see elsewhere or in another order, written out.

Arguments come from a model that may have been told to deceive its reviewer.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import chain, groupby

# Letters and marks that have no ink, besides those whose category says so.
_BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_SELECTORS = (range(0x180B, 0x1810), range(0xFE00, 0xFE10), range(0xE0100, 0xE01F0))
_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"})
_ALPHABETS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE")
_LAYOUT = frozenset("\n\r\t")
_PILE = 4
"""Marks on one letter that writing systems need; more only cover the lines above and below."""
_WORD = re.compile(r"\w+")
_ASCII_WORD = re.compile(r"[A-Za-z0-9]{2,}")
_ADDRESS = re.compile(r"[A-Za-z0-9@/:_\\]")
_LOOKS = dict(
    zip(
        # Cyrillic, Greek, Armenian, Cherokee: the letters that fonts draw like a Latin one.
        "аеорсухіјѕһԁԛԝӏвкмнтгАВЕЅІЈКМНОРСТУХԌԚԜҮӀαορνυικτωΑΒΕΖΗΙΚΜΝΟΡΤΥΧօսոհցլԼՕՏᎪᏴᏟᎠᎬᎻᎥᎫᏦᏞᎷᏢᎡᏚᎢᏙᎳᏃ",
        "aeopcyxijshdqwlbkmhtrABESIJKMHOPCTYXGQWYIaopvuiktwABEZHIKMNOPTYXounhglLOSABCDEHiJKLMPRSTVWZ",
        strict=True,
    )
)


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
    return "".join(piece for piece, _ in runs(text))


def runs(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it was hidden and is written out here."""
    for piece, is_hidden in spans(text):
        yield "".join(map(_escape, piece)) if is_hidden else piece, is_hidden


def spans(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces as they are, each with whether it is hidden.

    Marks that pile up on a letter, or stand on none, cover what is beside them: they count as hidden.
    """
    found = _to_write_out(text)
    start = 0
    if found is not None:
        for match in found.finditer(text):
            if match.start() > start:
                yield text[start : match.start()], False
            yield match.group(), True
            start = match.end()
    if start < len(text):
        yield text[start:], False


def foreign(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces as they are, each with whether it is of another alphabet than the Latin rest of its word."""
    start = 0
    for match in () if text.isascii() else _WORD.finditer(text):
        alphabets = _alphabets(match.group())
        if len(alphabets) > 1 and "Latin" in alphabets:
            yield text[start : match.start()], False
            for is_other, letters in groupby(match.group(), _is_foreign):
                yield "".join(letters), is_other
            start = match.end()
    yield text[start:], False


def _is_foreign(letter: str) -> bool:
    return _alphabets(letter) not in ([], ["Latin"])


def hidden(text: str) -> list[str]:
    """The different characters of a text that would not be seen, each as code point and name, in their order."""
    return [_name(one) for one in dict.fromkeys(text) if hides(one) and one not in _LAYOUT]


def warnings(value: object) -> list[str]:
    """What a reader should know about the texts in a JSON value before deciding by them."""
    all_texts = list(texts(value))
    names = list(dict.fromkeys(chain.from_iterable(map(hidden, all_texts))))
    found = []
    if names:
        found.append(f"holds characters that cannot be seen: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}")
    others = [text for text in all_texts if not text.isascii()]
    mixed = dict.fromkeys(word for text in others for word in _WORD.findall(text) if len(_alphabets(word)) > 1)
    if mixed:
        words = ", ".join(f"{plain(word[:40])} ({' and '.join(_alphabets(word))})" for word in list(mixed)[:5])
        found.append(f"mixes alphabets within a word, which may imitate another word: {words}")
    alike = look_alikes(all_texts)
    if alike:
        pairs = ", ".join(f"{plain(word[:40])} reads like {other[:40]}" for word, other in list(alike.items())[:5])
        found.append(f"has words in other letters that look like Latin ones: {pairs}")
    return found


def look_alikes(all_texts: Iterable[str]) -> dict[str, str]:
    """Words that have letters of one other alphabet only, and what they would be read as in Latin letters.

    Only where they are likely to be taken for Latin: within an address, a path or a name with digits, or where the
    Latin word stands as well. Words of a language that is written so are left alone.
    """
    known: set[str] = set()
    suspects: dict[str, str] = {}
    addressed: set[str] = set()
    for text in all_texts:
        known.update(word.lower() for word in _ASCII_WORD.findall(text))
        if text.isascii():
            continue
        for token in text.split():
            if token.isascii():
                continue
            for word in _WORD.findall(token):
                read = "" if word.isascii() or len(_alphabets(word)) > 1 else _read(word)
                if len(read) > 1:
                    suspects[word] = read
                    if _ADDRESS.search(token):
                        addressed.add(word)
    return {word: read for word, read in suspects.items() if word in addressed or read.lower() in known}


def _read(word: str) -> str:
    """What the word would be taken for if all its letters were Latin; empty if it would not."""
    read = "".join(_LOOKS.get(character) or _compatible(character) for character in word)
    return read if len(read) == len(word) and read.isascii() else ""


def _compatible(character: str) -> str:
    if character.isascii() or ord(character) < 0x250:  # letters with accents and signs that keyboards have
        return character
    return unicodedata.normalize("NFKC", character)


def _to_write_out(text: str) -> re.Pattern[str] | None:
    """What finds the runs of a text that are written out; None where there are none."""
    if text.isascii() and text.isprintable():
        return None
    characters = set(text)
    unseen = {character for character in characters if hides(character)}
    marks = {
        character
        for character in characters - unseen
        if not character.isascii() and unicodedata.category(character) in ("Mn", "Me")
    }
    without_ink, piled = (re.escape("".join(sorted(some))) for some in (unseen, marks))
    found = []
    if unseen:
        found.append(f"[{without_ink}][{without_ink}{piled}]*")
    if marks:
        found += [rf"\A[{piled}]+", f"(?<={f'[{piled}]' * _PILE})[{piled}]+"]
    return re.compile("|".join(found)) if found else None


def texts(value: object) -> Iterator[str]:
    """Every text in a JSON value, names of objects included."""
    waiting = [value]
    while waiting:  # no recursion: a value may be nested deeper than calls can be
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [part for key, inner in reversed(one.items()) for part in (inner, str(key))]
        elif isinstance(one, list | tuple):
            waiting += reversed(one)


def _alphabets(word: str) -> list[str]:
    if word.isascii():
        return []
    names = {unicodedata.name(character, "").partition(" ")[0] for character in set(word)}
    return [alphabet.capitalize() for alphabet in _ALPHABETS if alphabet in names]


def _escape(character: str) -> str:
    code = ord(character)
    if character in _LAYOUT:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _name(character: str) -> str:
    return f"U+{ord(character):04X} {unicodedata.name(character, 'without a name')}"
