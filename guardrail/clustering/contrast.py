"""When two texts differ in words that rule each other out, whatever a judge of language would say."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from guardrail.clustering import contrast_words as words
from guardrail.clustering.texts import certainly_different, marks, shown

_WORD = re.compile(r"[^\W_]+")
_OWNER = re.compile(r"['\u2019]s\b")
_ENDINGS = (("ies", "y"), ("sses", "ss"), ("shes", "sh"), ("ches", "ch"), ("xes", "x"), ("s", ""))
_WORN = ("ing", "ed")
_AMERICAN = (
    (re.compile(r"our(?=$|s$|al|ed$|ing$|ful|ite)"), "or"),
    (re.compile(r"is(?=e$|es$|ed$|ing$|ation)"), "iz"),
    (re.compile(r"(met|lit|cent|theat|fib|calib)re(?=s?$)"), r"\1er"),
    (re.compile(r"ogue(?=s?$)"), "og"),
    (re.compile(r"(?<=[aeiou]l)l(?=ed$|ing$|er$)"), ""),
    (re.compile(r"^grey"), "gray"),
)
_ABBREVIATED = 4
_SHORT_VALUE = 4


@dataclass(frozen=True, kw_only=True)
class Wording:
    """The content words (stems) that two texts share, and those that only one of them has.

    Words of grammar, of courtesy and of seeking ("find information on") are left out.
    """

    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    shared: tuple[str, ...]

    @property
    def adds(self) -> bool:
        """Whether exactly one of the texts says something that the other does not."""
        return bool(self.only_a) != bool(self.only_b)


def wording(a: str, b: str, *, said: str = "") -> Wording:
    """How the content words of two texts relate; those of ``said`` are not held to be missing in either."""
    left, right = Counter(_content(a)), Counter(_content(b))
    for word in _content(said.replace("_", " ")) if said else ():
        fewest = min(left[word], right[word])
        left[word] = right[word] = fewest
    return Wording(
        only_a=tuple((left - right).elements()),
        only_b=tuple((right - left).elements()),
        shared=tuple((left & right).elements()),
    )


def narrows(a: str, b: str, *, said: str = "") -> bool:
    """Whether of two short values one is the other and a common word more ("coconut", "coconut milk").

    Such a word names a part, a product or a kind. A name ("Messi", "Lionel Messi"), a word beside a name
    of several words ("the Treaty of Lisbon", "its signing") and a word of ``said``, what is known beside
    the texts (the argument's name), do not narrow.
    """
    found = wording(a, b, said=said)
    more = found.only_a or found.only_b
    if not found.adds or len(found.shared) + len(more) > _SHORT_VALUE:
        return False
    named = [{stem(word) for word in _tokens(text) if word[0].isupper()} for text in (a, b)]
    if any(len(names.intersection(found.shared)) > 1 for names in named):
        return False
    return any(stem(word) in more and not word[0].isupper() for word in _tokens(a if found.only_a else b))


def never_same(a: str, b: str) -> bool:
    """Whether two texts differ in their marks (numbers, dates, negations, addresses) or contrast.

    The guard that stands before every judge of language.
    """
    return certainly_different(marks(a), marks(b)) or contrast(a, b)


def contrast(a: str, b: str) -> bool:
    """Whether two texts differ in words that rule each other out.

    These are members of one closed class (units, currencies, colours, times of day, opposites), a word
    that makes another thing of its neighbour ("deputy", "former"), one name instead of another beside
    words that are shared ("Emma Clarke", "Emily Clarke"), or the same words in an order that gives them
    other parts ("dog bites man").
    """
    first, second = _tokens(a), _tokens(b)
    left, right = _surplus(first, second), _surplus(second, first)
    if not left and not right:
        return _rearranged(first, second)
    one, other = {word.casefold() for word in left}, {word.casefold() for word in right}
    return (
        not words.ALTERING.isdisjoint(one ^ other)
        or _excluded(one, other)
        or any(_contrary(x, y) or _contrary(y, x) for x in one for y in other)
        or _renamed(first, second, left, right)
    )


@lru_cache(maxsize=8192)
def stem(word: str) -> str:
    """A word without the endings of number and tense, in American spelling."""
    word = word.casefold()
    if len(word) <= 3 or not word.isascii():
        return word
    for pattern, replacement in _AMERICAN:
        word = pattern.sub(replacement, word)
    for ending, replacement in _ENDINGS:
        if word.endswith(ending) and not word.endswith(("ss", "us", "is")) and len(word) - len(ending) >= 3:
            word = word[: len(word) - len(ending)] + replacement
            break
    for ending in _WORN:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            word = word[: len(word) - len(ending)]
            if word[-1] == word[-2] and word[-1] not in "aeiolsz":
                word = word[:-1]
            break
    return word[:-1] if len(word) > 4 and word.endswith("e") else word


@lru_cache(maxsize=4096)
def _tokens(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(_OWNER.sub("", shown(text))))


@lru_cache(maxsize=4096)
def _content(text: str) -> tuple[str, ...]:
    found = tuple(stem(word) for word in _tokens(text) if not _says_nothing(word))
    asked = tuple(word for word in found if word not in _SEEKING)
    return asked or found


def _says_nothing(word: str) -> bool:
    """Whether a word is one of grammar or courtesy; in capitals it is a name ("US", "IT")."""
    if len(word) > 1 and word.isupper():
        return False
    return word.casefold() in words.FUNCTION or word.casefold() in words.COURTESY


def _surplus(a: Iterable[str], b: Iterable[str]) -> list[str]:
    spare = Counter(map(stem, b))
    left = []
    for word in a:
        if spare[stem(word)] > 0:
            spare[stem(word)] -= 1
        else:
            left.append(word)
    return left


def _excluded(a: set[str], b: set[str]) -> bool:
    lone = [{word for word in side if len(word) == 1 and word not in "ai"} for side in (a, b)]
    if lone[0] and lone[1]:
        return True
    members = [_members(side) for side in (a, b)]
    return any(members[0][group] != members[1][group] for group in members[0].keys() & members[1].keys())


def _members(side: set[str]) -> dict[int, set[int]]:
    """The closed classes that a side's words belong to, and which of their members they are."""
    found: dict[int, set[int]] = {}
    for word in side:
        places = words.EXCLUSIVE.get(word) or words.EXCLUSIVE.get(word.removesuffix("s")) or _BY_STEM.get(stem(word))
        for group, member in places or ():
            found.setdefault(group, set()).add(member)
    return found


_SEEKING = frozenset(map(stem, words.SEEKING))
_BY_STEM = {stem(word): places for word, places in words.EXCLUSIVE.items() if len(word) > 3}


def _contrary(a: str, b: str) -> bool:
    """Whether one word is the other with a beginning or an ending that opposes it ("upgrade", "downgrade")."""
    if any(a == prefix + b and len(b) > 2 for prefix in words.OTHER_PREFIXES):
        return True
    for begins, instead in (*words.OPPOSED_PREFIXES, *((y, x) for x, y in words.OPPOSED_PREFIXES)):
        rest = a.removeprefix(begins)
        if rest != a and len(rest) > 2 and b == instead + rest:
            return True
    for ends, instead in words.OPPOSED_SUFFIXES:
        rest = a.removesuffix(ends)
        if rest != a and len(rest) > 2 and b == rest + instead:
            return True
    return False


def _rearranged(first: tuple[str, ...], second: tuple[str, ...]) -> bool:
    """Whether the same words stand in another order; not if they are listed, or a part moved as a whole."""
    one, other = [word.casefold() for word in first], [word.casefold() for word in second]
    if len(one) < 3 or one == other or sorted(one) != sorted(other) or not words.LISTING.isdisjoint(one):
        return False
    return not any(one[cut:] + one[:cut] == other for cut in range(1, len(one)))


def _renamed(first: tuple[str, ...], second: tuple[str, ...], left: list[str], right: list[str]) -> bool:
    """Whether a name stands for another beside words that are shared; an abbreviation is no other name."""
    if len(left) == len(first) or len(right) == len(second):
        return False
    here, there = _names(first, left), _names(second, right)
    if not (here and there) or _initials(here, there) or _initials(there, here):
        return False
    return not any(_short_for(a, b) or _short_for(b, a) for a in here for b in there)


def _names(text: tuple[str, ...], surplus: list[str]) -> list[str]:
    titled = all(word[0].isupper() or word[0].isdigit() or _says_nothing(word) for word in text)
    return [word for word in surplus if word[0].isupper() and (titled or word != text[0])]


def _initials(short: list[str], names: list[str]) -> bool:
    """Whether a word in capitals begins with the initials of several names ("USA", "United States")."""
    initials = "".join(name[0] for name in names)
    return len(names) > 1 and any(word.isupper() and word.startswith(initials) for word in short)


def _short_for(short: str, name: str) -> bool:
    """Whether a word may abbreviate another: in capitals or of two letters, all of which stand in it, in order."""
    if len(short) >= len(name) or len(short) > _ABBREVIATED or not (short.isupper() or len(short) <= 2):
        return False
    short, name = short.casefold(), name.casefold()
    letters = iter(name)
    return short[0] == name[0] and all(letter in letters for letter in short)
