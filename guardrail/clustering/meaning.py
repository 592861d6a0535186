"""What the samples say about planned calls: who agrees, and what groups there are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from guardrail.clustering.arguments import ArgumentTable
from guardrail.clustering.canonical import CanonicalCall
from guardrail.clustering.counterparts import TALKS, Matched, order
from guardrail.clustering.entailment import TextPair
from guardrail.clustering.hinges import Same
from guardrail.clustering.matching import complete_linkage
from guardrail.clustering.pairwise import Pairwise
from guardrail.types import Cluster, MeaningKind, Sample


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
    table: ArgumentTable | None = field(default=None, compare=False, repr=False)
    same: Same = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def arguments(self) -> Mapping[str, tuple[tuple[int, ...], ...]]:
        """The samples that call the planned tool, grouped argument by argument by what they give it.

        Each argument's dotted path ("address.street") to groups of sample numbers. A sample that leaves an argument
        out is in no group of it, unless a default says what it gives; samples without a counterpart of the planned call
        are in none at all. Where no call has arguments, "" stands for them. Texts count as equal only if they
        were judged: ``Comparison.argument_pairs`` says which are needed. Worked out when first read.
        """
        return {} if self.table is None else self.table.groups(self.same)


@dataclass(frozen=True, kw_only=True)
class StepMeaning:
    """What the samples say about a step: one meaning a planned call, in the plan's order.

    ``extra`` tells of calls that match no planned one: tool name to number of samples.
    """

    calls: tuple[CallMeaning, ...]
    extra: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Meanings:
    """Groups the samples with respect to planned calls, given which texts mean the same.

    ``of_plan`` are the pairs of texts that comparing with the plan hinges on.
    """

    planned: tuple[CanonicalCall, ...]
    samples: tuple[Sample, ...]
    matched: tuple[Matched | None, ...]
    pairwise: Pairwise
    of_plan: frozenset[TextPair]
    same: Same

    def of(self, index: int, table: ArgumentTable) -> CallMeaning:
        """The meaning of one planned call."""
        planned = self.planned[index]
        agrees: list[bool | None] = []
        calling: dict[str, list[tuple[CanonicalCall, int]]] = {}
        others: dict[tuple[str, ...], list[int]] = {}
        for number, found in enumerate(self.matched):
            counterpart = found.counterparts[index] if found is not None else None
            agrees.append(None if found is None else counterpart is not None and self._equal(planned, counterpart))
            if counterpart is not None:
                calling.setdefault(counterpart.form, []).append((counterpart, number))
            elif found is not None:
                others.setdefault(found.instead, []).append(number)
        clusters = [
            *self._calling(planned, calling),
            *(self._not_calling(instead, members) for instead, members in others.items()),
        ]
        clusters.sort(key=lambda found: (not found[1].planned, -len(found[1].members), found[0]))
        return CallMeaning(
            agrees=tuple(agrees), clusters=tuple(cluster for _, cluster in clusters), table=table, same=self.same
        )

    def _calling(
        self, planned: CanonicalCall, calling: Mapping[str, Sequence[tuple[CanonicalCall, int]]]
    ) -> Iterator[tuple[tuple[str, ...], Cluster]]:
        """Clusters of samples that call the planned call's tool, each with what it is sorted by."""
        firsts = {form: min((call for call, _ in calls), key=order) for form, calls in calling.items()}
        alike: dict[str, list[CanonicalCall]] = {planned.key: [planned]}
        unlike: dict[str, list[CanonicalCall]] = {}
        for form in sorted(firsts.keys() - {planned.form}):
            part = alike if self._equal(planned, firsts[form]) else unlike
            part.setdefault(firsts[form].key, []).append(firsts[form])
        groups = [
            [call for twins in group for call in twins]
            for part in (alike, unlike)
            for group in complete_linkage(list(part.values()), lambda a, b: self._equal(a[0], b[0]))
        ]
        for place, group in enumerate(groups):
            members = sorted(number for call in group for _, number in calling.get(call.form, ()))
            first = min((firsts[call.form] for call in group if call.form in firsts), key=order, default=planned)
            yield (
                ("", *order(first)),
                Cluster(
                    kind=MeaningKind.CALL,
                    members=tuple(members),
                    call=first.call,
                    planned=place == 0,
                    differs=() if place == 0 else self._differing(planned, first),
                ),
            )

    def _differing(self, planned: CanonicalCall, call: CanonicalCall) -> tuple[str, ...]:
        """Where a call differs from the planned one, by what was asked about the plan and not by what else is known."""
        asked = {pair: self.same[pair] for pair in self.of_plan if pair in self.same}
        standing = (one for one in self.pairwise.differences(planned, call) if one.argument and one.stands(asked))
        return tuple(sorted({one.argument for one in standing}))

    def _not_calling(self, instead: tuple[str, ...], members: Sequence[int]) -> tuple[tuple[str, ...], Cluster]:
        """The cluster of samples that do something else, and what it is sorted by."""
        surplus = [call for number in members if (found := self.matched[number]) is not None for call in found.surplus]
        return instead, Cluster(
            kind=MeaningKind.OTHER_TOOL if surplus else MeaningKind.NO_CALL,
            members=tuple(members),
            call=min(surplus, key=order).call if surplus else None,
            text=min(self.samples[number].text for number in members) if instead == TALKS else "",
        )

    def _equal(self, a: CanonicalCall, b: CanonicalCall) -> bool:
        return self.pairwise.equal(a, b, self.same)
