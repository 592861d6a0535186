"""Where two canonical calls of one tool differ, and on which texts their equality hinges."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from guardrail.clustering.canonical import CanonicalCall, Items, Members, Scalar, Value
from guardrail.clustering.entailment import TextPair
from guardrail.clustering.schema import Field
from guardrail.clustering.texts import certainly_different


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


def differences(a: CanonicalCall, b: CanonicalCall) -> tuple[Difference, ...]:
    """The places in which two calls differ; none where structure alone holds them equal."""
    if a.call.name != b.call.name:
        return (Difference(argument="", comparator="tool"),)
    if not (a.readable and b.readable):
        return (Difference(argument="", comparator="exact"),)
    return tuple(_between(a.arguments, b.arguments, a.place, a.call.name))


def _between(a: Value, b: Value, place: Field, tool: str) -> Iterator[Difference]:
    if a.key == b.key:
        return
    if isinstance(a, Members) and isinstance(b, Members):
        for name in sorted({**a.values, **b.values}):
            at = a.places.get(name) or b.places[name]
            if name in a.values and name in b.values:
                yield from _between(a.values[name], b.values[name], at, tool)
            else:
                yield Difference(argument=at.path, comparator="given")
    elif isinstance(a, Items) and isinstance(b, Items):
        yield from _between_items(a, b, place, tool)
    elif isinstance(a, Scalar) and isinstance(b, Scalar):
        yield _between_scalars(a, b, place, tool)
    else:
        yield Difference(argument=place.path, comparator="exact")


def _between_items(a: Items, b: Items, place: Field, tool: str) -> Iterator[Difference]:
    left, right = (a.values, b.values) if a.ordered and b.ordered else _unshared(a.values, b.values)
    ordered = a.ordered and b.ordered
    if len(left) != len(right) or (not ordered and len(left) != 1):
        yield Difference(argument=place.path, comparator="exact" if ordered else "set")
        return
    for one, other in zip(left, right, strict=True):
        yield from _between(one, other, place.items, tool)


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


def _between_scalars(a: Scalar, b: Scalar, place: Field, tool: str) -> Difference:
    comparator = a.comparator if a.comparator == b.comparator else "exact"
    if a.text is None or b.text is None or certainly_different(a.marks, b.marks):
        return Difference(argument=place.path, comparator=comparator)
    first, second = sorted((a.text, b.text))
    pair = TextPair(tool=tool, argument=place.path, a=first, b=second, description=place.description)
    return Difference(argument=place.path, comparator=comparator, pair=pair)
