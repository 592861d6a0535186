"""The calls of one tool in several samples, compared argument by argument.

An argument is what no object lies inside of: arrays are compared as wholes, and so is an object that not every
call gives as one. What no call writes, and only a default fills in, is no argument here: it would be equal
everywhere and say nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations
from typing import Any

from guardrail.clustering.canonical import CanonicalCall, Members, Value
from guardrail.clustering.entailment import TextPair
from guardrail.clustering.equality import open_pairs_at
from guardrail.clustering.hinges import Hinges, Same, known, still_asked
from guardrail.clustering.matching import complete_linkage
from guardrail.clustering.schema import Field
from guardrail.clustering.settling import said_beside

_DEEPEST = 6
_MOST_COMPARED = 100  # arguments of one tool; the values of further ones are equal only where structure holds them so
_QUOTED = frozenset(".'\"")


@dataclass(frozen=True, kw_only=True)
class _Object:
    """What one call gives as an object: what was read of it, and as it was written."""

    read: Members
    written: Any

    def wrote(self, name: str) -> bool:
        """Whether the call itself names the member; one written as a text of JSON counts as having done so."""
        return not isinstance(self.written, dict) or name in self.written


@dataclass(frozen=True, kw_only=True)
class _Argument:
    """One argument: the numbers of the calls by the key of what they give it."""

    path: str
    place: Field
    tool: str
    values: dict[str, Value]
    givers: dict[str, list[int]]
    objects: Mapping[int, _Object] = field(repr=False)
    compared: bool = True

    @cached_property
    def keys(self) -> list[str]:
        """The keys by the form of their values: the order in which they are grouped."""
        return sorted(self.values, key=lambda key: (self.values[key].form, key))

    @cached_property
    def hinges(self) -> dict[tuple[str, str], Hinges]:
        """On what the equality of two values hinges."""
        if not self.compared:
            return {}
        return {pair: self._between(*pair) for pair in combinations(self.keys, 2)}

    def _between(self, a: str, b: str) -> Hinges:
        first, *others = (self.objects[number].read for number in (*self.givers[a], *self.givers[b]))
        beside = frozenset.intersection(*(said_beside(first, other) for other in others))
        return open_pairs_at(self.values[a], self.values[b], self.place, self.tool, beside)

    def groups(self, same: Same) -> Iterator[list[int]]:
        """Numbers of calls that give the same; every one that gives the argument is in one group."""

        def equal(a: str, b: str) -> bool:
            pair = (a, b) if (a, b) in self.hinges else (b, a)
            return known(self.hinges.get(pair), same) is True

        for keys in complete_linkage(self.keys, equal):
            yield [number for key in keys for number in self.givers[key]]


class ArgumentTable:
    """The calls of one tool, each with the number of its sample, side by side by argument."""

    def __init__(self, calls: Iterable[tuple[CanonicalCall, int]]) -> None:
        self._members: dict[str, list[int]] = {}
        firsts: dict[str, CanonicalCall] = {}
        for call, number in calls:
            self._members.setdefault(call.form, []).append(number)
            first = firsts.setdefault(call.form, call)
            if call.text < first.text:
                firsts[call.form] = call
        self._calls = [firsts[form] for form in sorted(firsts)]

    def groups(self, same: Same) -> dict[str, tuple[tuple[int, ...], ...]]:
        """Each argument's path to groups of samples that give it the same, given which texts mean the same."""
        if not self._calls:
            return {}
        unread: dict[str, list[int]] = {}
        for number in self._unread:
            unread.setdefault(self._calls[number].key, []).append(number)
        found = {one.path: [*one.groups(same), *unread.values()] for one in self._arguments}
        if not found:
            readable = [number for number in range(len(self._calls)) if number not in self._unread]
            found = {"": [*([readable] if readable else []), *unread.values()]}
        return {path: self._samples(groups) for path, groups in found.items()}

    def open_pairs(self, same: Same) -> Iterator[TextPair]:
        """The texts on which hinges what ``groups`` says, given the answers in ``same``."""
        for one in self._arguments:
            for hinges in one.hinges.values():
                yield from still_asked(hinges, same)

    def _samples(self, groups: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
        found = [
            tuple(sorted(sample for number in group for sample in self._members[self._calls[number].form]))
            for group in groups
        ]
        return tuple(sorted(found))

    @cached_property
    def _unread(self) -> frozenset[int]:
        """Calls whose arguments are too large to be read: each is as a whole like another or like none."""
        return frozenset(number for number, call in enumerate(self._calls) if not isinstance(call.arguments, Members))

    @cached_property
    def _arguments(self) -> tuple[_Argument, ...]:
        objects = {
            number: _Object(read=call.arguments, written=call.call.arguments)
            for number, call in enumerate(self._calls)
            if isinstance(call.arguments, Members)
        }
        tool = self._calls[0].call.name if self._calls else ""
        return tuple(
            _argument(path, name, inside, tool, compared=position < _MOST_COMPARED)
            for position, (path, name, inside) in enumerate(_found(objects, "", 0))
        )


def _argument(path: str, name: str, objects: Mapping[int, _Object], tool: str, *, compared: bool) -> _Argument:
    values: dict[str, Value] = {}
    givers: dict[str, list[int]] = {}
    for number, one in objects.items():
        if name in one.read.values:
            value = one.read.values[name]
            if value.key not in values or value.form < values[value.key].form:
                values[value.key] = value
            givers.setdefault(value.key, []).append(number)
    return _Argument(
        path=path,
        place=next(one.read.places[name] for one in objects.values() if name in one.read.places),
        tool=tool,
        values=values,
        givers=givers,
        objects=objects,
        compared=compared,
    )


def _found(objects: Mapping[int, _Object], above: str, depth: int) -> Iterator[tuple[str, str, Mapping[int, _Object]]]:
    """The path and name of each argument, with the objects that it is a member of."""
    for name in sorted({name for one in objects.values() for name in one.read.values}):
        if not any(one.wrote(name) for one in objects.values()):
            continue
        path = f"{above}.{_named(name)}" if above else _named(name)
        inner = {
            number: _Object(read=value, written=one.written.get(name, {}) if isinstance(one.written, dict) else None)
            for number, one in objects.items()
            if isinstance(value := one.read.values.get(name), Members)
        }
        if len(inner) == len(objects) and depth < _DEEPEST and any(one.read.values for one in inner.values()):
            yield from _found(inner, path, depth + 1)
        else:
            yield path, name, objects


def _named(name: str) -> str:
    """A name in a path; quoted where it could be read as another path."""
    return name if name and _QUOTED.isdisjoint(name) else repr(name)
