"""A step's planned calls against the calls of its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from guardrail.clustering.canonical import CallReader, CanonicalCall
from guardrail.clustering.entailment import TextPair
from guardrail.clustering.equality import Difference, differences, open_pairs
from guardrail.clustering.matching import assign, complete_linkage
from guardrail.clustering.schema import COMPARATORS, read_schema
from guardrail.errors import ConfigError
from guardrail.types import Cluster, MeaningKind, Sample, ToolCall, ToolSpec

_MOST_MATCHED = 32  # calls of one tool in one step; more of them match only where they are identical
_SAME_TOOL = 1_000
_TALKS = ("talks",)

Same = Mapping[TextPair, bool]
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
    """Where two calls differ; none: structure holds them equal."""

    differences: tuple[Difference, ...]

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
) -> CallComparison:
    """Compares two calls of one tool, argument by argument.

    Raises:
        ConfigError: a comparator has no such name.
    """
    named = _checked({a.name: comparators or {}})[a.name]
    read = CallReader(lambda _: read_schema(tool, named, stated_defaults=stated_defaults)).read
    return CallComparison(differences=differences(read(a), read(b)))


def compare(
    step_calls: Sequence[ToolCall],
    samples: Sequence[Sample],
    tools: Sequence[ToolSpec],
    *,
    comparators: Comparators | None = None,
    stated_defaults: bool = True,
) -> Comparison:
    """Compares a step's planned calls with its samples as far as structure tells.

    Args:
        step_calls: the planned calls.
        samples: the step's samples; those that are not valid are no evidence.
        tools: the tools as the model saw them; calls of others are compared exactly.
        comparators: tool name to argument path ("address.street"; arrays add nothing to a path) to the
            name of its comparator, one of ``COMPARATORS``.
        stated_defaults: whether defaults stated in descriptions count, beside those the schema declares.

    Raises:
        ConfigError: a comparator has no such name.
    """
    named = _checked(comparators or {})
    by_name = {tool.name: tool for tool in tools}
    read = CallReader(
        lambda name: read_schema(by_name.get(name), named.get(name, {}), stated_defaults=stated_defaults)
    ).read
    return Comparison(
        planned=tuple(read(call) for call in step_calls),
        samples=tuple(samples),
        drawn=tuple(tuple(read(call) for call in sample.calls) if sample.valid else None for sample in samples),
    )


class Comparison:
    """What structure tells, and what it leaves to a judge of language."""

    def __init__(
        self,
        *,
        planned: tuple[CanonicalCall, ...],
        samples: tuple[Sample, ...],
        drawn: tuple[tuple[CanonicalCall, ...] | None, ...],
    ) -> None:
        self._planned = planned
        self._samples = samples
        self._drawn = drawn
        self._open: dict[tuple[str, str], tuple[TextPair, ...] | None] = {}
        self._differences: dict[tuple[str, str], tuple[Difference, ...]] = {}

    @cached_property
    def pairs(self) -> tuple[TextPair, ...]:
        """The texts that a judge is to compare, each pair once, sorted.

        Those on which alone hinges whether a planned call equals a sample's, or one sample's another's.
        """
        forms: dict[str, dict[str, CanonicalCall]] = {call.call.name: {} for call in self._planned}
        for calls in (self._planned, *(calls for calls in self._drawn if calls)):
            counts = Counter(call.call.name for call in calls)
            for call in calls:
                if call.call.name in forms and counts[call.call.name] <= _MOST_MATCHED:
                    forms[call.call.name].setdefault(call.form, call)
        found: set[TextPair] = set()
        for by_form in forms.values():
            ordered = list(by_form.values())
            for index, one in enumerate(ordered):
                for other in ordered[index + 1 :]:
                    found.update(self._hinges(one, other) or ())
        return tuple(sorted(found, key=lambda pair: (pair.tool, pair.argument, pair.a, pair.b)))

    def resolve(self, same: Same) -> StepMeaning:
        """The step's meaning, given which texts mean the same; a pair that is not in ``same`` differs."""
        matched = [self._counterparts(calls, same) if calls is not None else None for calls in self._drawn]
        extra: Counter[str] = Counter()
        for found in matched:
            if found is not None:
                extra.update({call.call.name for call in found.surplus})
        return StepMeaning(
            calls=tuple(self._meaning(index, matched, same) for index in range(len(self._planned))),
            extra=dict(sorted(extra.items())),
        )

    def _hinges(self, a: CanonicalCall, b: CanonicalCall) -> tuple[TextPair, ...] | None:
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
        pairs = self._hinges(a, b)
        return pairs is not None and all(same.get(pair) is True for pair in pairs)

    def _counterparts(self, calls: tuple[CanonicalCall, ...], same: Same) -> _Matched:
        """Each planned call's counterpart in a sample: an equal call before one of the same tool."""
        found: list[CanonicalCall | None] = [None] * len(self._planned)
        surplus: list[CanonicalCall] = []
        for name in {call.call.name for call in (*self._planned, *calls)}:
            rows = sorted(
                (index for index, call in enumerate(self._planned) if call.call.name == name),
                key=lambda index: (self._planned[index].form, index),
            )
            columns = sorted((call for call in calls if call.call.name == name), key=_order)
            places = self._assigned([self._planned[row] for row in rows], columns, same)
            for row, column in zip(rows, places, strict=True):
                found[row] = columns[column] if column >= 0 else None
            surplus += [call for index, call in enumerate(columns) if index not in places]
        return _Matched(counterparts=tuple(found), surplus=tuple(sorted(surplus, key=_order)), talks=not calls)

    def _assigned(self, planned: Sequence[CanonicalCall], calls: Sequence[CanonicalCall], same: Same) -> list[int]:
        if len(planned) == len(calls) == 1:
            return [0]
        all_identical = sorted(call.key for call in planned) == sorted(call.key for call in calls)
        if all_identical or max(len(planned), len(calls)) > _MOST_MATCHED:
            return _matched_by_key(planned, calls)
        return assign([[self._gain(one, other, len(planned), same) for other in calls] for one in planned])

    def _gain(self, planned: CanonicalCall, call: CanonicalCall, rows: int, same: Same) -> int:
        if self._equal(planned, call, same):
            return _SAME_TOOL * (rows + 1) + (planned.key == call.key)
        standing = sum(difference.stands(same) for difference in self._between(planned, call))
        return max(_SAME_TOOL - standing, 1)

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
        forms = [planned, *(firsts[form] for form in sorted(firsts) if form != planned.form)]
        groups = complete_linkage(forms, lambda a, b: self._equal(a, b, same))
        for place, group in enumerate(groups):
            members = sorted(number for call in group for _, number in calling.get(call.form, ()))
            first = min((firsts[call.form] for call in group if call.form in firsts), key=_order, default=planned)
            standing = () if place == 0 else self._between(planned, first)
            yield (
                ("", *_order(first)),
                Cluster(
                    kind=MeaningKind.CALL,
                    members=tuple(members),
                    call=first.call,
                    planned=place == 0,
                    differs=tuple(sorted({one.argument for one in standing if one.argument and one.stands(same)})),
                ),
            )

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


def _matched_by_key(planned: Sequence[CanonicalCall], calls: Sequence[CanonicalCall]) -> list[int]:
    free: dict[str, list[int]] = {}
    for index, call in enumerate(calls):
        free.setdefault(call.key, []).append(index)
    return [free[call.key].pop() if free.get(call.key) else -1 for call in planned]


def _order(call: CanonicalCall) -> tuple[str, str]:
    return call.form, call.text


def _checked(comparators: Comparators) -> Comparators:
    for tool, named in comparators.items():
        for path, name in named.items():
            if name not in COMPARATORS:
                raise ConfigError(
                    f"argument {path!r} of tool {tool!r} has comparator {name!r}; use one of {', '.join(COMPARATORS)}"
                )
    return comparators
