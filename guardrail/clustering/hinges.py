"""Equality that hinges on texts, some of which nobody has judged yet.

``hinges`` are the pairs of texts on which alone the equality of two calls depends: () where structure holds
them equal, None where it holds them different (``equality.open_pairs``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

from guardrail.clustering.canonical import CanonicalCall
from guardrail.clustering.entailment import TextPair

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


def may_share_a_group(
    candidates: Iterable[tuple[CanonicalCall, bool | None]],
) -> Iterator[tuple[CanonicalCall, CanonicalCall]]:
    """The pairs of calls that grouping compares, given how each stands to the first call: equal, unlike, or not known.

    Calls that stand differently to it never share a group. Calls that structure holds equal are one where
    they stand alike.
    """
    firsts: dict[tuple[str, bool | None], CanonicalCall] = {}
    for call, standing in sorted(candidates, key=lambda one: (one[0].form, one[0].text)):
        firsts.setdefault((call.form if standing is None else call.key, standing), call)
    for ((_, one), first), ((_, other), second) in combinations(firsts.items(), 2):
        if one is None or other is None or one == other:
            yield first, second
