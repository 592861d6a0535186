"""Samples that are already there, grouped by what all their calls mean together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import chain

from guardrail.clustering.canonical import CallReader, CanonicalCall
from guardrail.clustering.entailment import TextPair
from guardrail.clustering.hinges import Same, may_share_a_group, still_asked
from guardrail.clustering.matching import assign, complete_linkage
from guardrail.clustering.pairwise import Pairwise
from guardrail.clustering.reasons import Reason, reasons
from guardrail.clustering.schema import read_schema
from guardrail.comparing import Named
from guardrail.types import Sample, ToolCall, ToolSpec

_MOST_MATCHED = 32  # calls of one tool in one sample; more of them match only where they are identical


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What one sample calls, or several whose calls structure holds equal; no calls: it answers in words."""

    calls: tuple[CanonicalCall, ...]
    members: tuple[int, ...]

    @cached_property
    def key(self) -> tuple[str, ...]:
        return tuple(sorted(call.key for call in self.calls))

    @cached_property
    def form(self) -> tuple[str, ...]:
        return tuple(call.form for call in self.calls)


@dataclass(frozen=True, kw_only=True)
class Group:
    """Plans that mean the same, each as every other; the one that most samples wrote is first.

    ``planned`` marks the meaning of the plan that the samples were drawn for; it may have no members.
    """

    plans: tuple[Plan, ...]
    planned: bool = False

    @property
    def members(self) -> tuple[int, ...]:
        """Numbers of the samples."""
        return tuple(sorted(chain.from_iterable(plan.members for plan in self.plans)))


def group_samples(
    samples: Sequence[Sample],
    tools: Sequence[ToolSpec],
    *,
    planned: Sequence[ToolCall] | None = None,
    comparators: Mapping[str, Mapping[str, Named]] | None = None,
    stated_defaults: bool = True,
) -> Grouping:
    """Compares samples with each other as far as structure tells; those that are not valid belong nowhere.

    Two samples mean the same where their calls do, one to one in any order. ``planned`` is the plan they
    were drawn for, if there is one; the other arguments are those of ``compare``.

    Raises:
        ConfigError: a comparator has no such name.
    """
    by_name = {tool.name: tool for tool in tools}
    named = comparators or {}
    read = CallReader(
        lambda name: read_schema(by_name.get(name), named.get(name, {}), stated_defaults=stated_defaults)
    ).read
    drawn: dict[tuple[str, ...], list[tuple[tuple[CanonicalCall, ...], int]]] = {}
    for number, sample in enumerate(samples):
        if sample.valid:
            calls = _in_order(read(call) for call in sample.calls)
            drawn.setdefault(tuple(sorted(call.key for call in calls)), []).append((calls, number))
    plans = [
        Plan(
            calls=min((calls for calls, _ in same), key=lambda calls: [(call.form, call.text) for call in calls]),
            members=tuple(number for _, number in same),
        )
        for same in drawn.values()
    ]
    plans.sort(key=lambda plan: (-len(plan.members), plan.form))
    if planned is not None:
        first = Plan(calls=_in_order(read(call) for call in planned), members=())
        twin = next((plan for plan in plans if plan.key == first.key), None)
        if twin is not None:
            plans.remove(twin)
            first = Plan(calls=first.calls, members=twin.members)
        plans.insert(0, first)
    return Grouping(plans, planned=planned is not None)


class Grouping:
    """What structure tells about samples, and what it leaves to a judge of language.

    As in ``Comparison``, two rounds of questions settle it: ``against_first``, then ``open_pairs``.
    """

    def __init__(self, plans: Sequence[Plan], *, planned: bool) -> None:
        self.plans = tuple(plans)
        self._planned = planned
        self._pairwise = Pairwise()

    @cached_property
    def against_first(self) -> tuple[TextPair, ...]:
        """The texts on which hinges which plans mean the same as the first, the planned or the most frequent one."""
        return _sorted(pair for plan in self.plans[1:] for pair in self._questions(self.plans[0], plan, {}))

    def open_pairs(self, same: Same) -> tuple[TextPair, ...]:
        """The pairs whose answers can still change the groups, given those in ``same``."""
        standing = [(plan, self.equal(self.plans[0], plan, same)) for plan in self.plans[1:]]
        pending = (pair for plan, stands in standing if stands is None for pair in self._of_first(plan, same))
        between = (pair for one, other in may_share_a_group(standing) for pair in self._questions(one, other, same))
        return _sorted(chain(pending, between))

    def resolve(self, same: Same) -> tuple[Group, ...]:
        """The groups, the planned one first, then the largest; a pair that is not in ``same`` differs."""
        if not self.plans:
            return ()
        first, *others = self.plans
        alike = [plan for plan in others if self.equal(first, plan, same)]
        unlike = [plan for plan in others if not self.equal(first, plan, same)]
        found = [
            group
            for part in ([first, *alike], unlike)
            for group in complete_linkage(part, lambda one, other: self.equal(one, other, same) is True)
        ]
        groups = [Group(plans=tuple(group), planned=self._planned and place == 0) for place, group in enumerate(found)]
        return tuple(sorted(groups, key=lambda group: (not group.planned, -len(group.members), group.plans[0].form)))

    def equal(self, one: Plan, other: Plan, same: Same) -> bool | None:
        """Whether two plans mean the same; None where that hinges on a pair without an answer."""
        found: bool | None = True
        for left, right in _apart(one, other):
            if len(left) != len(right) or len(left) > _MOST_MATCHED:
                return False
            cells = [[self._pairwise.known(a, b, same) for b in right] for a in left]
            if -1 in assign([[int(cell is not False) for cell in row] for row in cells]):
                return False
            if -1 in assign([[int(cell is True) for cell in row] for row in cells]):
                found = None
        return found

    def reasons(self, one: Plan, other: Plan, same: Same) -> tuple[Reason, ...]:
        """Why two plans are held equal or different, argument by argument of the calls that match best."""
        found: list[Reason] = []
        for left, right in _by_tool(one, other):
            gains = [[1_000 - sum(not reason.equal for reason in reasons(a, b, same)) for b in right] for a in left]
            columns = assign(gains) if max(len(left), len(right)) <= _MOST_MATCHED else [-1] * len(left)
            for a, column in zip(left, columns, strict=True):
                found += reasons(a, right[column], same) if column >= 0 else [_only(a)]
            found += [_only(b) for index, b in enumerate(right) if index not in columns]
        return tuple(found)

    def _questions(self, one: Plan, other: Plan, same: Same) -> Iterator[TextPair]:
        if self.equal(one, other, same) is None:
            for left, right in _apart(one, other):
                for a in left:
                    for b in right:
                        yield from still_asked(self._pairwise.hinges(a, b), same)

    def _of_first(self, plan: Plan, same: Same) -> Iterator[TextPair]:
        return self._questions(self.plans[0], plan, same)


def _only(call: CanonicalCall) -> Reason:
    return Reason(tool=call.call.name, argument="", equal=False, comparator="tool", because="no such call in the other")


def _by_tool(one: Plan, other: Plan) -> Iterator[tuple[list[CanonicalCall], list[CanonicalCall]]]:
    for name in sorted({call.call.name for call in (*one.calls, *other.calls)}):
        yield ([call for call in one.calls if call.call.name == name], [c for c in other.calls if c.call.name == name])


def _apart(one: Plan, other: Plan) -> Iterator[tuple[list[CanonicalCall], list[CanonicalCall]]]:
    """By tool, the calls of each plan that are no twins of the other's."""
    for left, right in _by_tool(one, other):
        twins = Counter(call.key for call in left) & Counter(call.key for call in right)
        rest = _without(left, twins), _without(right, twins)
        if any(rest):
            yield rest


def _without(calls: Sequence[CanonicalCall], twins: Counter[str]) -> list[CanonicalCall]:
    left, kept = Counter(twins), []
    for call in calls:
        if left[call.key]:
            left[call.key] -= 1
        else:
            kept.append(call)
    return kept


def _in_order(calls: Iterator[CanonicalCall]) -> tuple[CanonicalCall, ...]:
    return tuple(sorted(calls, key=lambda call: (call.form, call.text)))


def _sorted(pairs: Iterator[TextPair]) -> tuple[TextPair, ...]:
    return tuple(sorted(set(pairs), key=lambda pair: (pair.tool, pair.argument, pair.a, pair.b)))
