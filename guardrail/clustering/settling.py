"""What the comparators of a place say about two values that structure tells apart."""

from __future__ import annotations

import re
from dataclasses import dataclass

from guardrail.clustering.canonical import Scalar
from guardrail.clustering.comparators import About, settle
from guardrail.clustering.comparators.wildcards import wildcard
from guardrail.clustering.schema import Field
from guardrail.clustering.texts import certainly_different

_AMOUNT = re.compile(r"\s*\d[\d.,]*\s*[^\W\d_]{1,20}(?:\s+[^\W\d_]{1,20})?\s*")


@dataclass(frozen=True, kw_only=True)
class Settled:
    """Whether two values are the same, by which comparator, and why that one was asked."""

    same: bool
    comparator: str
    because: str


def settled(a: Scalar, b: Scalar, place: Field) -> Settled | None:
    """What a comparator says; None leaves the values to a judge of language, or apart.

    First those of the field's own kind. Words are compared last, and only where no number, date,
    negation or address separates the values.
    """
    if a.written is None or b.written is None or place.enum or not (place.known or place.named):
        return None
    if a.comparator == b.comparator == "number" and not (place.chosen and place.chosen[0].option):
        return None  # two literals: structure has compared their values
    about = place.about
    for one in place.chosen:
        same = None if one.name == "words" else settle(one.name, a.written, b.written, about)
        if same is not None:
            return Settled(same=same, comparator=one.name, because=one.because)
    if not place.chosen and not place.comparator and _equal_amounts(a.written, b.written, about):
        return Settled(same=True, comparator="quantity", because="both are amounts with a unit")
    return None if a.text is None or b.text is None else _worded(a, b, place)


def _worded(a: Scalar, b: Scalar, place: Field) -> Settled | None:
    if place.named not in ("", "words"):
        return None
    acts = place.reader is not None and (place.reader.changes or place.reader.acts)
    if not acts and all(wildcard(one.text or "", place.about) for one in (a, b)):
        return Settled(same=True, comparator="words", because="both leave it open")
    if certainly_different(a.marks, b.marks) or not settle("words", a.text or "", b.text or "", place.about):
        return None
    return Settled(same=True, comparator="words", because="other words for the same, by rule")


def _equal_amounts(a: str, b: str, about: About) -> bool:
    amounts = _AMOUNT.fullmatch(a) is not None and _AMOUNT.fullmatch(b) is not None
    return amounts and settle("quantity", a, b, about) is True
