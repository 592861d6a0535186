"""A step's planned calls against the calls of its samples."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

from guardrail.clustering.arguments import ArgumentTable
from guardrail.clustering.canonical import CallReader, CanonicalCall
from guardrail.clustering.comparators import check
from guardrail.clustering.counterparts import Matched, Matching, order
from guardrail.clustering.entailment import TextPair
from guardrail.clustering.equality import Difference, Held, differences, held_equal
from guardrail.clustering.hinges import Same, may_share_a_group, still_asked, without_twins
from guardrail.clustering.meaning import Meanings, StepMeaning
from guardrail.clustering.pairwise import Pairwise
from guardrail.clustering.schema import read_schema
from guardrail.comparing import Named
from guardrail.errors import ConfigError
from guardrail.types import Sample, ToolCall, ToolSpec

Comparators = Mapping[str, Mapping[str, Named]]


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
    comparators: Mapping[str, Named] | None = None,
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
            name of its comparator, one of ``COMPARATORS`` ("number:0.01" with a tolerance) or of another package.
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
    round does where every answer may come at once (``pairs``). The meaning is the same either way. Who also
    needs the samples grouped argument by argument asks ``argument_pairs`` in the second round.
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
        self._pairwise = Pairwise()
        self._matching = Matching(planned, self._pairwise)
        self._drawn = [None if calls is None else self._matching.by_structure(calls) for calls in drawn]
        self._tables: dict[tuple[int, tuple[tuple[str, str] | None, ...]], ArgumentTable] = {}

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
            self._matching.match(calls, same) if calls is not None and self._matching.settled(calls, same) else None
            for calls in self._drawn
        ]
        for index in range(len(self._planned)):
            for one, other in may_share_a_group(without_twins(self._candidates(index, matched, same))):
                found.update(still_asked(self._pairwise.hinges(one, other), same))
        return _sorted(found)

    def argument_pairs(self, same: Same) -> tuple[TextPair, ...]:
        """The pairs whose answers can still change ``CallMeaning.arguments``, given those in ``same``.

        For each planned call every two different texts that its counterparts give one argument. Which calls
        are counterparts is taken from ``same``: answer ``against_plan`` first.
        """
        matched = self._matched(same)
        return _sorted(
            {pair for index in range(len(self._planned)) for pair in self._table(index, matched).open_pairs(same)}
        )

    def resolve(self, same: Same) -> StepMeaning:
        """The step's meaning, given which texts mean the same; a pair that is not in ``same`` differs."""
        matched = self._matched(same)
        extra: Counter[str] = Counter()
        for found in matched:
            if found is not None:
                extra.update({call.call.name for call in found.surplus})
        meanings = Meanings(
            planned=self._planned,
            samples=self._samples,
            matched=tuple(matched),
            pairwise=self._pairwise,
            of_plan=self._of_plan,
            same=same,
        )
        return StepMeaning(
            calls=tuple(meanings.of(index, self._table(index, matched)) for index in range(len(self._planned))),
            extra=dict(sorted(extra.items())),
        )

    @cached_property
    def _of_plan(self) -> frozenset[TextPair]:
        found: set[TextPair] = set()
        for calls in self._drawn:
            for rivals in calls.rivals if calls is not None else ():
                for row in rivals.rows:
                    for call in rivals.calls:
                        found.update(self._pairwise.hinges(self._planned[row], call) or ())
        return frozenset(found)

    def _candidates(
        self, index: int, matched: Sequence[Matched | None], same: Same
    ) -> Iterator[tuple[CanonicalCall, bool | None]]:
        """The calls that may be a planned call's counterparts, and how they stand to it."""
        planned = self._planned[index]
        for calls, settled in zip(self._drawn, matched, strict=True):
            if calls is None or index in calls.twins:
                continue  # in its group the planned call itself stands for its twins
            if settled is not None:
                counterpart = settled.counterparts[index]
                if counterpart is not None:
                    yield counterpart, self._pairwise.equal(planned, counterpart, same)
            else:
                for rivals in calls.rivals:
                    if index in rivals.rows:
                        yield from ((call, self._pairwise.known(planned, call, same)) for call in rivals.calls)

    def _matched(self, same: Same) -> list[Matched | None]:
        return [None if calls is None else self._matching.match(calls, same) for calls in self._drawn]

    def _table(self, index: int, matched: Sequence[Matched | None]) -> ArgumentTable:
        """The counterparts of a planned call by argument; made once, as long as they stay the same."""
        counterparts = [None if found is None else found.counterparts[index] for found in matched]
        key = index, tuple(None if call is None else order(call) for call in counterparts)
        if key not in self._tables:
            self._tables[key] = ArgumentTable(
                (call, number) for number, call in enumerate(counterparts) if call is not None
            )
        return self._tables[key]


def _sorted(pairs: Iterable[TextPair]) -> tuple[TextPair, ...]:
    return tuple(sorted(pairs, key=lambda pair: (pair.tool, pair.argument, pair.a, pair.b)))


def _checked(comparators: Comparators) -> Comparators:
    for tool, named in comparators.items():
        for path, name in named.items():
            if problem := check(name):
                raise ConfigError(f"argument {path!r} of tool {tool!r} has comparator {name!r}; {problem}")
    return comparators
