"""A step's planned calls against the calls of its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property

from guardrail.clustering.canonical import CallReader, CanonicalCall
from guardrail.clustering.comparators import check
from guardrail.clustering.entailment import TextPair
from guardrail.clustering.equality import Difference, Held, differences, held_equal, open_pairs
from guardrail.clustering.hinges import Hinges, Same, known, may_share_a_group, still_asked, without_twins
from guardrail.clustering.matching import assign, complete_linkage
from guardrail.clustering.schema import read_schema
from guardrail.errors import ConfigError
from guardrail.types import Cluster, MeaningKind, Sample, ToolCall, ToolSpec

_MOST_MATCHED = 32  # calls of one tool in one step; more of them match only where they are identical
_SAME_TOOL = 1_000
_TALKS = ("talks",)

Comparators = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, kw_only=True)
class CallMeaning:
    """What the samples say about one planned call.

    ``agrees`` has one entry a sample: whether it contains a call that means the same as the planned
    one (each of its calls counts for one planned call); None where the sample is not valid. An entry
    depends on the plan and on that sample alone, whatever else was drawn. ``clusters`` hold every
    valid sample once; all members of one mean the same, each as every other. So a sample that agrees
    may stand outside the planned call's cluster where it differs from another sample inside.
    """

    agrees: tuple[bool | None, ...]
    clusters: tuple[Cluster, ...]


@dataclass(frozen=True, kw_only=True)
class StepMeaning:
    """What the samples say about a step: one meaning a planned call, in the plan's order.

    ``extra`` tells of calls that match no planned one: tool name to number of samples.
    """

    calls: tuple[CallMeaning, ...]
    extra: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class CallComparison:
    """Where two calls differ; none: structure and comparators hold them equal.

    ``held`` are the places that are written differently and that a comparator holds equal.
    """

    differences: tuple[Difference, ...]
    held: tuple[Held, ...] = ()

    def equal(self, same: Same | None = None) -> bool:
        """Whether the calls mean the same, given which texts do."""
        return not any(difference.stands(same or {}) for difference in self.differences)


def compare_calls(
    a: ToolCall,
    b: ToolCall,
    tool: ToolSpec | None,
    *,
    comparators: Mapping[str, str] | None = None,
    stated_defaults: bool = True,
    now: date | None = None,
) -> CallComparison:
    """Compares two calls of one tool, argument by argument; "tomorrow" is a date only if ``now`` is given.

    Raises:
        ConfigError: a comparator has no such name.
    """
    named = _checked({a.name: comparators or {}})[a.name]
    today = "" if now is None else now.isoformat()
    read = CallReader(lambda _: read_schema(tool, named, stated_defaults=stated_defaults, now=today)).read
    one, other = read(a), read(b)
    return CallComparison(differences=differences(one, other), held=held_equal(one, other))


def compare(
    step_calls: Sequence[ToolCall],
    samples: Sequence[Sample],
    tools: Sequence[ToolSpec],
    *,
    comparators: Comparators | None = None,
    stated_defaults: bool = True,
    now: date | None = None,
) -> Comparison:
    """Compares a step's planned calls with its samples as far as structure tells.

    Args:
        step_calls: the planned calls.
        samples: the step's samples; those that are not valid are no evidence.
        tools: the tools as the model saw them; calls of others are compared exactly.
        comparators: tool name to argument path ("address.street"; arrays add nothing to a path) to the
            name of its comparator, one of ``COMPARATORS`` ("number:0.01" with a tolerance).
        stated_defaults: whether defaults stated in descriptions count, beside those the schema declares.
        now: the day against which "tomorrow" and its like are dates; without it they are not.

    Raises:
        ConfigError: a comparator has no such name.
    """
    named = _checked(comparators or {})
    today = "" if now is None else now.isoformat()
    by_name = {tool.name: tool for tool in tools}
    read = CallReader(
        lambda name: read_schema(by_name.get(name), named.get(name, {}), stated_defaults=stated_defaults, now=today)
    ).read
    return Comparison(
        planned=tuple(read(call) for call in step_calls),
        samples=tuple(samples),
        drawn=tuple(tuple(read(call) for call in sample.calls) if sample.valid else None for sample in samples),
    )


class Comparison:
    """What structure tells, and what it leaves to a judge of language.

    Two rounds of questions settle a step: ``against_plan`` first, then ``open_pairs`` of the answers. One
    round does where every answer may come at once (``pairs``). The meaning is the same either way.
    """

    def __init__(
        self,
        *,
        planned: tuple[CanonicalCall, ...],
        samples: tuple[Sample, ...],
        drawn: tuple[tuple[CanonicalCall, ...] | None, ...],
    ) -> None:
        self._planned = planned
        self._samples = samples
        self._drawn = [None if calls is None else self._with_twins(calls) for calls in drawn]
        self._open: dict[tuple[str, str], tuple[TextPair, ...] | None] = {}
        self._differences: dict[tuple[str, str], tuple[Difference, ...]] = {}

    @cached_property
    def against_plan(self) -> tuple[TextPair, ...]:
        """The texts on which hinges whether a sample's call equals a planned one, each pair once, sorted."""
        return _sorted(self._of_plan)

    @cached_property
    def pairs(self) -> tuple[TextPair, ...]:
        """Every pair of texts whose answer can matter, where none is known."""
        return self.open_pairs({})

    def open_pairs(self, same: Same) -> tuple[TextPair, ...]:
        """The pairs whose answers can still change the step's meaning, given those in ``same``.

        Those against the plan that are not answered, and those between two samples' calls that may be
        counterparts of one planned call and stand alike to it: a call that equals the planned one and a
        call that does not are in different clusters, whatever they say to each other.
        """
        found = {pair for pair in self._of_plan if pair not in same}
        matched = [
            self._counterparts(calls, same) if calls is not None and self._settled(calls, same) else None
            for calls in self._drawn
        ]
        for index in range(len(self._planned)):
            for one, other in may_share_a_group(without_twins(self._candidates(index, matched, same))):
                found.update(still_asked(self._hinges(one, other), same))
        return _sorted(found)

    def resolve(self, same: Same) -> StepMeaning:
        """The step's meaning, given which texts mean the same; a pair that is not in ``same`` differs."""
        matched = [None if calls is None else self._counterparts(calls, same) for calls in self._drawn]
        extra: Counter[str] = Counter()
        for found in matched:
            if found is not None:
                extra.update({call.call.name for call in found.surplus})
        return StepMeaning(
            calls=tuple(self._meaning(index, matched, same) for index in range(len(self._planned))),
            extra=dict(sorted(extra.items())),
        )

    @cached_property
    def _of_plan(self) -> frozenset[TextPair]:
        found: set[TextPair] = set()
        for calls in self._drawn:
            for group in calls.groups if calls is not None else ():
                for row in group.rows:
                    for call in group.calls:
                        found.update(self._hinges(self._planned[row], call) or ())
        return frozenset(found)

    def _candidates(
        self, index: int, matched: Sequence[_Matched | None], same: Same
    ) -> Iterator[tuple[CanonicalCall, bool | None]]:
        """The calls that may be a planned call's counterparts, and how they stand to it."""
        planned = self._planned[index]
        for calls, settled in zip(self._drawn, matched, strict=True):
            if calls is None or index in calls.twins:
                continue  # in its group the planned call itself stands for its twins
            if settled is not None:
                counterpart = settled.counterparts[index]
                if counterpart is not None:
                    yield counterpart, self._equal(planned, counterpart, same)
            else:
                for group in calls.groups:
                    if index in group.rows:
                        yield from ((call, known(self._hinges(planned, call), same)) for call in group.calls)

    def _settled(self, calls: _Calls, same: Same) -> bool:
        """Whether all is known on which a sample's matching with the plan hinges."""
        return all(
            pair in same
            for group in calls.groups
            for row in group.rows
            for call in group.calls
            for pair in self._hinges(self._planned[row], call) or ()
        )

    def _with_twins(self, calls: tuple[CanonicalCall, ...]) -> _Calls:
        """A sample's calls: structure's twins of planned calls are their counterparts, the others are to be matched."""
        twins: dict[int, CanonicalCall] = {}
        groups = []
        surplus: list[CanonicalCall] = []
        for name in sorted({call.call.name for call in (*self._planned, *calls)}):
            free = sorted((call for call in calls if call.call.name == name), key=_order)
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
                groups.append(_Group(rows=tuple(rows), calls=tuple(free)))
            else:
                surplus += free
        return _Calls(twins=twins, groups=tuple(groups), surplus=tuple(surplus), talks=not calls)

    def _hinges(self, a: CanonicalCall, b: CanonicalCall) -> Hinges:
        if a.form == b.form:
            return ()
        key = (a.form, b.form) if a.form <= b.form else (b.form, a.form)
        if key not in self._open:
            self._open[key] = open_pairs(a, b)
        return self._open[key]

    def _between(self, a: CanonicalCall, b: CanonicalCall) -> tuple[Difference, ...]:
        if (a.form, b.form) not in self._differences:
            self._differences[a.form, b.form] = differences(a, b)
        return self._differences[a.form, b.form]

    def _equal(self, a: CanonicalCall, b: CanonicalCall, same: Same) -> bool:
        return known(self._hinges(a, b), same) is True

    def _counterparts(self, calls: _Calls, same: Same) -> _Matched:
        """Each planned call's counterpart in a sample: a twin, then an equal call, then one of the same tool."""
        found = [calls.twins.get(index) for index in range(len(self._planned))]
        surplus = list(calls.surplus)
        for group in calls.groups:
            places = self._assigned([self._planned[row] for row in group.rows], group.calls, same)
            for row, column in zip(group.rows, places, strict=True):
                found[row] = group.calls[column] if column >= 0 else None
            surplus += [call for index, call in enumerate(group.calls) if index not in places]
        return _Matched(counterparts=tuple(found), surplus=tuple(sorted(surplus, key=_order)), talks=calls.talks)

    def _assigned(self, planned: Sequence[CanonicalCall], calls: Sequence[CanonicalCall], same: Same) -> list[int]:
        if len(planned) == len(calls) == 1:
            return [0]
        return assign([[self._gain(one, other, len(planned), same) for other in calls] for one in planned])

    def _gain(self, planned: CanonicalCall, call: CanonicalCall, rows: int, same: Same) -> int:
        if self._equal(planned, call, same):
            return _SAME_TOOL * (rows + 1)
        return max(_SAME_TOOL - len(self._between(planned, call)), 1)

    def _meaning(self, index: int, matched: Sequence[_Matched | None], same: Same) -> CallMeaning:
        planned = self._planned[index]
        agrees: list[bool | None] = []
        calling: dict[str, list[tuple[CanonicalCall, int]]] = {}
        others: dict[tuple[str, ...], list[int]] = {}
        for number, found in enumerate(matched):
            counterpart = found.counterparts[index] if found is not None else None
            agrees.append(
                None if found is None else counterpart is not None and self._equal(planned, counterpart, same)
            )
            if counterpart is not None:
                calling.setdefault(counterpart.form, []).append((counterpart, number))
            elif found is not None:
                others.setdefault(found.instead, []).append(number)
        clusters = [
            *self._calling(planned, calling, same),
            *(self._not_calling(instead, members, matched) for instead, members in others.items()),
        ]
        clusters.sort(key=lambda found: (not found[1].planned, -len(found[1].members), found[0]))
        return CallMeaning(agrees=tuple(agrees), clusters=tuple(cluster for _, cluster in clusters))

    def _calling(
        self, planned: CanonicalCall, calling: Mapping[str, Sequence[tuple[CanonicalCall, int]]], same: Same
    ) -> Iterator[tuple[tuple[str, ...], Cluster]]:
        """Clusters of samples that call the planned call's tool, each with what it is sorted by."""
        firsts = {form: min((call for call, _ in calls), key=_order) for form, calls in calling.items()}
        alike: dict[str, list[CanonicalCall]] = {planned.key: [planned]}
        unlike: dict[str, list[CanonicalCall]] = {}
        for form in sorted(firsts.keys() - {planned.form}):
            part = alike if self._equal(planned, firsts[form], same) else unlike
            part.setdefault(firsts[form].key, []).append(firsts[form])
        groups = [
            [call for twins in group for call in twins]
            for part in (alike, unlike)
            for group in complete_linkage(list(part.values()), lambda a, b: self._equal(a[0], b[0], same))
        ]
        for place, group in enumerate(groups):
            members = sorted(number for call in group for _, number in calling.get(call.form, ()))
            first = min((firsts[call.form] for call in group if call.form in firsts), key=_order, default=planned)
            yield (
                ("", *_order(first)),
                Cluster(
                    kind=MeaningKind.CALL,
                    members=tuple(members),
                    call=first.call,
                    planned=place == 0,
                    differs=() if place == 0 else self._differing(planned, first, same),
                ),
            )

    def _differing(self, planned: CanonicalCall, call: CanonicalCall, same: Same) -> tuple[str, ...]:
        """Where a call differs from the planned one, by what was asked about the plan and not by what else is known."""
        asked = {pair: same[pair] for pair in self._of_plan if pair in same}
        standing = (one for one in self._between(planned, call) if one.argument and one.stands(asked))
        return tuple(sorted({one.argument for one in standing}))

    def _not_calling(
        self, instead: tuple[str, ...], members: Sequence[int], matched: Sequence[_Matched | None]
    ) -> tuple[tuple[str, ...], Cluster]:
        """The cluster of samples that do something else, and what it is sorted by."""
        surplus = [call for number in members if (found := matched[number]) is not None for call in found.surplus]
        return instead, Cluster(
            kind=MeaningKind.OTHER_TOOL if surplus else MeaningKind.NO_CALL,
            members=tuple(members),
            call=min(surplus, key=_order).call if surplus else None,
            text=min(self._samples[number].text for number in members) if instead == _TALKS else "",
        )


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Planned calls, by their numbers, and a sample's calls of their tool that are no twins of any."""

    rows: tuple[int, ...]
    calls: tuple[CanonicalCall, ...]


@dataclass(frozen=True, kw_only=True)
class _Calls:
    """One sample's calls against the plan, as far as structure tells."""

    twins: dict[int, CanonicalCall]
    groups: tuple[_Group, ...]
    surplus: tuple[CanonicalCall, ...]
    talks: bool


@dataclass(frozen=True, kw_only=True)
class _Matched:
    """One sample's calls against the plan: a counterpart a planned call, and the calls left over."""

    counterparts: tuple[CanonicalCall | None, ...]
    surplus: tuple[CanonicalCall, ...]
    talks: bool

    @cached_property
    def instead(self) -> tuple[str, ...]:
        """What the sample does where it lacks a planned call: talk, call other tools, or just leave it out."""
        if self.talks:
            return _TALKS
        return ("calls", *sorted({call.call.name for call in self.surplus}))


def _sorted(pairs: Iterable[TextPair]) -> tuple[TextPair, ...]:
    return tuple(sorted(pairs, key=lambda pair: (pair.tool, pair.argument, pair.a, pair.b)))


def _order(call: CanonicalCall) -> tuple[str, str]:
    return call.form, call.text


def _checked(comparators: Comparators) -> Comparators:
    for tool, named in comparators.items():
        for path, name in named.items():
            if problem := check(name):
                raise ConfigError(f"argument {path!r} of tool {tool!r} has comparator {name!r}; {problem}")
    return comparators
