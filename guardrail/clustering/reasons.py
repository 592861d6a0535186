"""Why two calls are held equal or different, argument by argument, for people."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from guardrail.clustering.canonical import CanonicalCall, Items, Members, Scalar, Value
from guardrail.clustering.entailment import TextPair
from guardrail.clustering.equality import differences, held_equal
from guardrail.clustering.schema import Field

_OMITTED = object()


@dataclass(frozen=True, kw_only=True)
class Reason:
    """Why one argument, written differently in two calls, is held equal or different.

    ``comparator`` is what decided, or "text" where it was left to a judge of language: then ``pair`` is
    what that was asked. ``argument`` is "" where it is about the calls as wholes.
    """

    tool: str
    argument: str
    equal: bool
    comparator: str
    because: str
    pair: TextPair | None = None


def reasons(a: CanonicalCall, b: CanonicalCall, same: Mapping[TextPair, bool]) -> tuple[Reason, ...]:
    """The reasons, in the order of arguments; none where two calls are written alike."""
    tool = a.call.name
    found = [
        Reason(
            tool=tool,
            argument=one.argument,
            equal=not one.stands(same),
            comparator=one.comparator,
            because=_because(one.comparator, one.pair, same),
            pair=one.pair,
        )
        for one in differences(a, b)
    ]
    found += [
        Reason(tool=tool, argument=one.argument, equal=True, comparator=one.comparator, because=one.because)
        for one in held_equal(a, b)
    ]
    found += [
        Reason(tool=tool, argument=path, equal=True, comparator=comparator, because="structure holds them equal")
        for path, comparator in _alike(a.arguments, b.arguments, a.call.arguments, b.call.arguments, a.place)
    ]
    return tuple(sorted(found, key=lambda one: one.argument))


def _because(comparator: str, pair: TextPair | None, same: Mapping[TextPair, bool]) -> str:
    if pair is not None:
        return "judged" if pair in same else "not asked: something else tells"
    if comparator == "text":
        return "their words cannot mean the same, whatever a judge says"
    return "left out in one of them" if comparator == "given" else ""


def _alike(a: Value, b: Value, written_a: Any, written_b: Any, place: Field) -> Iterator[tuple[str, str]]:
    """The places written differently that structure holds equal, each with how it is compared."""
    if written_a is not _OMITTED and written_b is not _OMITTED and _json(written_a) == _json(written_b):
        return
    if (
        isinstance(a, Members)
        and isinstance(b, Members)
        and isinstance(written_a, dict)
        and isinstance(written_b, dict)
    ):
        for name in sorted({**written_a, **written_b}):
            at = a.places.get(name) or b.places.get(name) or place.inside(name)
            one, other = written_a.get(name, _OMITTED), written_b.get(name, _OMITTED)
            if name in a.values and name in b.values:
                yield from _alike(a.values[name], b.values[name], one, other, at)
            elif name not in a.values and name not in b.values and _json(one) != _json(other):
                yield at.path, "ignore" if at.comparator == "ignore" else "empty"
    elif a.key == b.key:
        if written_a is _OMITTED or written_b is _OMITTED:
            yield place.path, "default"
        elif isinstance(a, Items):
            yield place.path, "list" if a.ordered else "set"
        else:
            yield place.path, a.comparator if isinstance(a, Scalar) else "object"


def _json(value: Any) -> str | None:
    try:
        return json.dumps(value, sort_keys=True, default=repr)
    except (TypeError, ValueError, RecursionError):
        return None
