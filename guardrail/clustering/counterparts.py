"""The calls of one sample against the planned calls: which one answers to which."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from guardrail.clustering.canonical import CanonicalCall
from guardrail.clustering.hinges import Same
from guardrail.clustering.matching import assign
from guardrail.clustering.pairwise import Pairwise

TALKS = ("talks",)
_MOST_MATCHED = 32  # calls of one tool in one step; more of them match only where they are identical
_SAME_TOOL = 1_000


@dataclass(frozen=True, kw_only=True)
class Rivals:
    """Planned calls, by their numbers, and a sample's calls of their tool that are no twins of any."""

    rows: tuple[int, ...]
    calls: tuple[CanonicalCall, ...]


@dataclass(frozen=True, kw_only=True)
class SampleCalls:
    """One sample's calls against the plan, as far as structure tells.

    ``twins`` are those that structure holds equal to a planned call, by its number; ``rivals`` are to be matched.
    """

    twins: dict[int, CanonicalCall]
    rivals: tuple[Rivals, ...]
    surplus: tuple[CanonicalCall, ...]
    talks: bool


@dataclass(frozen=True, kw_only=True)
class Matched:
    """One sample's calls against the plan: a counterpart a planned call, and the calls left over."""

    counterparts: tuple[CanonicalCall | None, ...]
    surplus: tuple[CanonicalCall, ...]
    talks: bool

    @cached_property
    def instead(self) -> tuple[str, ...]:
        """What the sample does where it lacks a planned call: talk, call other tools, or just leave it out."""
        if self.talks:
            return TALKS
        return ("calls", *sorted({call.call.name for call in self.surplus}))


class Matching:
    """Finds each planned call's counterpart in a sample."""

    def __init__(self, planned: Sequence[CanonicalCall], pairwise: Pairwise) -> None:
        self._planned = planned
        self._pairwise = pairwise

    def by_structure(self, calls: Sequence[CanonicalCall]) -> SampleCalls:
        """Structure's twins of planned calls are their counterparts, the others are to be matched."""
        twins: dict[int, CanonicalCall] = {}
        rivals = []
        surplus: list[CanonicalCall] = []
        for name in sorted({call.call.name for call in (*self._planned, *calls)}):
            free = sorted((call for call in calls if call.call.name == name), key=order)
            rows = sorted(
                (index for index, call in enumerate(self._planned) if call.call.name == name),
                key=lambda index: (self._planned[index].form, index),
            )
            for row in list(rows):
                twin = next((call for call in free if call.key == self._planned[row].key), None)
                if twin is not None:
                    twins[row] = twin
                    free.remove(twin)
                    rows.remove(row)
            if rows and free and max(len(rows), len(free)) <= _MOST_MATCHED:
                rivals.append(Rivals(rows=tuple(rows), calls=tuple(free)))
            else:
                surplus += free
        return SampleCalls(twins=twins, rivals=tuple(rivals), surplus=tuple(surplus), talks=not calls)

    def settled(self, calls: SampleCalls, same: Same) -> bool:
        """Whether all is known on which a sample's matching with the plan hinges."""
        return all(
            pair in same
            for rivals in calls.rivals
            for row in rivals.rows
            for call in rivals.calls
            for pair in self._pairwise.hinges(self._planned[row], call) or ()
        )

    def match(self, calls: SampleCalls, same: Same) -> Matched:
        """Each planned call's counterpart in a sample: a twin, then an equal call, then one of the same tool."""
        found = [calls.twins.get(index) for index in range(len(self._planned))]
        surplus = list(calls.surplus)
        for rivals in calls.rivals:
            places = self._assigned([self._planned[row] for row in rivals.rows], rivals.calls, same)
            for row, column in zip(rivals.rows, places, strict=True):
                found[row] = rivals.calls[column] if column >= 0 else None
            surplus += [call for index, call in enumerate(rivals.calls) if index not in places]
        return Matched(counterparts=tuple(found), surplus=tuple(sorted(surplus, key=order)), talks=calls.talks)

    def _assigned(self, planned: Sequence[CanonicalCall], calls: Sequence[CanonicalCall], same: Same) -> list[int]:
        if len(planned) == len(calls) == 1:
            return [0]
        return assign([[self._gain(one, other, len(planned), same) for other in calls] for one in planned])

    def _gain(self, planned: CanonicalCall, call: CanonicalCall, rows: int, same: Same) -> int:
        if self._pairwise.equal(planned, call, same):
            return _SAME_TOOL * (rows + 1)
        return max(_SAME_TOOL - len(self._pairwise.differences(planned, call)), 1)


def order(call: CanonicalCall) -> tuple[str, str]:
    """What calls are sorted by, so that nothing depends on the order in which they came."""
    return call.form, call.text
