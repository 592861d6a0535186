"""What the comparators of a place say about two values that structure tells apart."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from guardrail.clustering.canonical import Members, Scalar
from guardrail.clustering.comparators import About, Chosen, settle
from guardrail.clustering.comparators.wildcards import wildcard
from guardrail.clustering.naming import words
from guardrail.clustering.schema import Field
from guardrail.clustering.texts import certainly_different

_FEW = 3
_AMOUNT = re.compile(r"\s*\d[\d.,]*\s*[^\W\d_]{1,20}(?:\s+[^\W\d_]{1,20})?\s*")


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Whether two values are the same, by which comparator, and why that one was asked."""

    same: bool
    comparator: str
    because: str


def settled(a: Scalar, b: Scalar, place: Field, beside: frozenset[str] = frozenset()) -> Settled | None:
    """What a comparator says; None leaves the values to a judge of language, or apart.

    First those of the field's own kind. Words are compared last, and only where no number, date,
    negation or address separates the values. ``beside`` are words that the rest of both calls says.
    """
    if a.written is None or b.written is None or place.enum or not (place.known or place.named):
        return None
    if a.comparator == b.comparator == "number" and not (place.chosen and place.chosen[0].option):
        return None  # two literals: structure has compared their values
    about = place.about
    for one in place.chosen:
        same = _said(one, a.written, b.written, about)
        if same is not None:
            return Settled(same=same, comparator=one.name, because=one.because)
    plain = not place.comparator and (not place.chosen or place.chosen[0].name == "date")
    if plain and _equal_amounts(a.written, b.written, about):
        return Settled(same=True, comparator="quantity", because="both are amounts with a unit")
    return None if a.text is None or b.text is None else _worded(a, b, place, beside)


def _said(one: Chosen, a: str, b: str, about: About) -> bool | None:
    if one.own is not None:
        return one.own.settle(a, b, about)
    return None if one.name == "words" else settle(one.name, a, b, about)


def _worded(a: Scalar, b: Scalar, place: Field, beside: frozenset[str]) -> Settled | None:
    if place.named not in ("", "words"):
        return None
    acts = place.reader is not None and (place.reader.changes or place.reader.acts)
    if not acts and all(wildcard(one.text or "", place.about) for one in (a, b)):
        return Settled(same=True, comparator="words", because="both leave it open")
    about = replace(place.about, beside=beside) if beside else place.about
    if certainly_different(a.marks, b.marks) or not settle("words", a.text or "", b.text or "", about):
        return None
    return Settled(same=True, comparator="words", because="other words for the same, by rule")


def _equal_amounts(a: str, b: str, about: About) -> bool:
    amounts = _AMOUNT.fullmatch(a) is not None and _AMOUNT.fullmatch(b) is not None
    return amounts and settle("quantity", a, b, about) is True


def said_beside(a: Members, b: Members) -> frozenset[str]:
    """The words that two objects say alike: of short equal texts, and the names of what is true in both."""
    found: set[str] = set()
    for name, value in a.values.items():
        other = b.values.get(name)
        if not isinstance(value, Scalar) or not isinstance(other, Scalar) or value.key != other.key:
            continue
        if value.key == "bool:True":
            found.update(words(name))
        elif value.text is not None and len(value.marks.words) <= _FEW:
            found.update(value.marks.words, other.marks.words)
    return frozenset(found)
