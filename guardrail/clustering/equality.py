"""Where two canonical calls of one tool differ, and on which texts their equality hinges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from guardrail.clustering.canonical import CanonicalCall, Items, Members, Scalar, Value
from guardrail.clustering.contrast import contrast
from guardrail.clustering.entailment import TextPair
from guardrail.clustering.matching import assign
from guardrail.clustering.schema import Field
from guardrail.clustering.settling import said_beside, settled
from guardrail.clustering.texts import certainly_different

EQUALITY_VERSION: Final = "1"
"""Raised with every change after which calls compare otherwise: scores of two versions are not comparable."""
_MOST_PAIRED = 12


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A place in which two calls differ.

    ``comparator`` is what compared it ("given" where one call leaves the argument out). With a ``pair``
    it is a difference only if the two texts do not mean the same.
    """

    argument: str
    comparator: str
    pair: TextPair | None = None

    def stands(self, same: Mapping[TextPair, bool]) -> bool:
        """Whether it is a difference, given which texts mean the same; texts nobody judged do not."""
        return self.pair is None or same.get(self.pair) is not True


@dataclass(frozen=True, kw_only=True)
class Held:
    """A place in which two calls are written differently and a comparator holds them equal."""

    argument: str
    comparator: str
    because: str
    a: str
    b: str


def differences(a: CanonicalCall, b: CanonicalCall) -> tuple[Difference, ...]:
    """The places in which two calls differ; none where structure and comparators hold them equal."""
    found = (_judged(one) if isinstance(one, _Texts) else one for one in _between_calls(a, b))
    return tuple(one for one in found if isinstance(one, Difference))


def held_equal(a: CanonicalCall, b: CanonicalCall) -> tuple[Held, ...]:
    """The places in which a comparator holds equal what is written differently, whether or not the calls differ."""
    return tuple(one for one in _between_calls(a, b) if isinstance(one, Held))


def open_pairs(a: CanonicalCall, b: CanonicalCall) -> tuple[TextPair, ...] | None:
    """The texts on which alone the equality of two calls hinges: () if they are equal, None if they differ."""
    return _hinges(_between_calls(a, b))


def open_pairs_at(
    a: Value, b: Value, place: Field, tool: str, beside: frozenset[str] = frozenset()
) -> tuple[TextPair, ...] | None:
    """As ``open_pairs``, of two values of one place; ``beside`` are words that the rest of both calls says."""
    return _hinges(_between(a, b, place, tool, beside))


def _hinges(between: Iterator[_Found]) -> tuple[TextPair, ...] | None:
    texts: list[_Texts] = []
    for one in between:
        if isinstance(one, Difference):
            return None
        if isinstance(one, _Texts):
            texts.append(one)
    found: list[TextPair] = []
    for one in texts:
        pair = _judged(one).pair
        if pair is None:
            return None
        found.append(pair)
    return tuple(found)


@dataclass(frozen=True, kw_only=True)
class _Texts:
    """Two free texts whose difference is yet to be looked at."""

    a: Scalar
    b: Scalar
    place: Field
    tool: str


_Found = Difference | Held | _Texts


def _judged(texts: _Texts) -> Difference:
    place = texts.place
    first, second = sorted((texts.a.text or "", texts.b.text or ""))
    if (
        first.casefold() == second.casefold()
        or certainly_different(texts.a.marks, texts.b.marks)
        or contrast(first, second)
    ):
        return Difference(argument=place.path, comparator="text")
    pair = TextPair(tool=texts.tool, argument=place.path, a=first, b=second, description=place.description)
    return Difference(argument=place.path, comparator="text", pair=pair)


def _between_calls(a: CanonicalCall, b: CanonicalCall) -> Iterator[_Found]:
    if a.call.name != b.call.name:
        yield Difference(argument="", comparator="tool")
    else:
        yield from _between(a.arguments, b.arguments, a.place, a.call.name)


def _between(a: Value, b: Value, place: Field, tool: str, beside: frozenset[str] = frozenset()) -> Iterator[_Found]:
    if a.key == b.key:
        return
    if isinstance(a, Members) and isinstance(b, Members):
        beside = said_beside(a, b)
        for name in a.values if a.values.keys() == b.values.keys() else sorted({**a.values, **b.values}):
            at = a.places.get(name) or b.places[name]
            if name in a.values and name in b.values:
                yield from _between(a.values[name], b.values[name], at, tool, beside)
            else:
                yield Difference(argument=at.path, comparator="given")
    elif isinstance(a, Items) and isinstance(b, Items):
        yield from _between_items(a, b, place, tool)
    elif isinstance(a, Scalar) and isinstance(b, Scalar):
        yield _between_scalars(a, b, place, tool, beside)
    else:
        comparators = {one.comparator for one in (a, b) if isinstance(one, Scalar)}
        yield Difference(argument=place.path, comparator=comparators.pop() if len(comparators) == 1 else "exact")


def _between_scalars(a: Scalar, b: Scalar, place: Field, tool: str, beside: frozenset[str]) -> _Found:
    said = settled(a, b, place, beside)
    if said is not None and said.same:
        written = (a.written or "", b.written or "")
        return Held(argument=place.path, comparator=said.comparator, because=said.because, a=written[0], b=written[1])
    if said is not None:
        return Difference(argument=place.path, comparator=said.comparator)
    if a.text is not None and b.text is not None:
        return _Texts(a=a, b=b, place=place, tool=tool)
    comparators = {a.comparator, b.comparator}
    return Difference(argument=place.path, comparator=comparators.pop() if len(comparators) == 1 else "exact")


def _between_items(a: Items, b: Items, place: Field, tool: str) -> Iterator[_Found]:
    left, right = _unshared(a.values, b.values)
    if not a.ordered and (held := _paired(left, right, place, tool)) is not None:
        yield from held
        return
    if a.ordered:
        rearranged = not left and not right
        left, right = a.values, b.values
        comparable = len(left) == len(right) and not rearranged
    else:
        comparable = len(left) == len(right) == 1
    if not comparable:
        yield Difference(argument=place.path, comparator="exact" if a.ordered else "set")
        return
    for index, (one, other) in enumerate(zip(left, right, strict=True)):
        yield from _between(one, other, place.item(index) if a.ordered else place.items, tool)


def _paired(left: tuple[Value, ...], right: tuple[Value, ...], place: Field, tool: str) -> list[Held] | None:
    """What holds the items of two sets equal one to one; None where nothing does."""
    if not 1 < len(left) == len(right) <= _MOST_PAIRED:
        return None
    found = [[list(_between(one, other, place.items, tool)) for other in right] for one in left]
    columns = assign([[int(all(isinstance(one, Held) for one in cell)) for cell in row] for row in found])
    if -1 in columns:
        return None
    return [one for row, column in enumerate(columns) for one in found[row][column] if isinstance(one, Held)]


def _unshared(a: tuple[Value, ...], b: tuple[Value, ...]) -> tuple[tuple[Value, ...], tuple[Value, ...]]:
    left, right = Counter(value.key for value in a), Counter(value.key for value in b)
    return _surplus(a, left - right), _surplus(b, right - left)


def _surplus(values: tuple[Value, ...], surplus: Counter[str]) -> tuple[Value, ...]:
    kept = []
    for value in values:
        if surplus[value.key] > 0:
            surplus[value.key] -= 1
            kept.append(value)
    return tuple(kept)
