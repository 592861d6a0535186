"""Equality that hinges on texts, some of which nobody has judged yet.

``hinges`` are the pairs of texts on which alone the equality of two calls depends: () where structure holds
them equal, None where it holds them different (``equality.open_pairs``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations
from typing import TypeVar

from guardrail.clustering.canonical import CanonicalCall
from guardrail.clustering.entailment import TextPair

T = TypeVar("T")
Same = Mapping[TextPair, bool]
Hinges = tuple[TextPair, ...] | None


def known(hinges: Hinges, same: Same) -> bool | None:
    """Whether two calls mean the same; None where that hinges on a pair without an answer."""
    if hinges is None or any(pair in same and same[pair] is not True for pair in hinges):
        return False
    return True if all(pair in same for pair in hinges) else None


def still_asked(hinges: Hinges, same: Same) -> Iterator[TextPair]:
    """The pairs without an answer, if the answers that are there leave anything open."""
    if hinges is not None and known(hinges, same) is None:
        yield from (pair for pair in hinges if pair not in same)


def may_share_a_group(candidates: Iterable[tuple[T, bool | None]]) -> Iterator[tuple[T, T]]:
    """The pairs that grouping compares, given how each candidate stands to the first of all: equal, unlike, not known.

    Those that stand differently to it never share a group.
    """
    for (one, first), (other, second) in combinations(candidates, 2):
        if first is None or second is None or first == second:
            yield one, other


def without_twins(candidates: Iterable[tuple[CanonicalCall, bool | None]]) -> list[tuple[CanonicalCall, bool | None]]:
    """The candidates, of those that structure holds equal and that stand alike the first only."""
    firsts: dict[tuple[str, bool | None], CanonicalCall] = {}
    for call, standing in sorted(candidates, key=lambda one: (one[0].form, one[0].text)):
        firsts.setdefault((call.form if standing is None else call.key, standing), call)
    return [(call, standing) for (_, standing), call in firsts.items()]
