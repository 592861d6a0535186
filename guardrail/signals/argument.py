"""Entropy by argument, so that one sees that the amount is unsure and the recipient is not."""

from __future__ import annotations

from collections.abc import Iterator

from guardrail.catalogue import BUILT_IN
from guardrail.signals.entropy import discrete_entropy, entropy_bounds
from guardrail.signals.evidence import Evidence
from guardrail.signals.over_samples import over_samples
from guardrail.types import MeaningKind, Signal


class ArgumentEntropy:
    """The greatest entropy of an argument, in nats; ``parts`` has that of each by its dotted path.

    The entropy of an argument is over all valid samples, in groups that give it the same. Those that call the tool
    without it are one group. A sample that does not call the tool gives the argument no value and is a group of its
    own: what it does instead makes no argument look sure. A call without arguments has no parts, and the
    entropy of whether it is called.

    Missing where no valid sample calls the tool. The bounds are exact: the open samples give every argument
    what most give it, or each something of its own. They hold as long as values held equal still are when others have
    been drawn.
    """

    info = BUILT_IN["argument_entropy"]

    def measure(self, evidence: Evidence) -> Signal:
        """The greatest of the entropies; missing where drawing stopped early."""
        missing = evidence.no_spread()
        if evidence.valid and not missing:
            missing = _not_by_argument(evidence)
        if missing:
            return over_samples(self.info, evidence, missing=missing)
        counts = {path: list(_counts(groups, evidence)) for path, groups in evidence.arguments.items()}
        parts = {path: discrete_entropy(sizes) for path, sizes in counts.items()}
        reached = [entropy_bounds(sizes, evidence.open) for sizes in counts.values()]
        return over_samples(
            self.info,
            evidence,
            max(parts.values()),
            bounds=(max(least for least, _ in reached), max(most for _, most in reached)),
            parts={path: value for path, value in parts.items() if path},
        )


def callers(evidence: Evidence) -> frozenset[int]:
    """The valid samples that call the tool."""
    calling = (cluster.members for cluster in evidence.clusters if cluster.kind is MeaningKind.CALL)
    return frozenset(i for members in calling for i in members if evidence.samples[i].valid)


def _not_by_argument(evidence: Evidence) -> str | None:
    if not callers(evidence):
        return f"none of the {evidence.valid} valid samples calls the tool"
    return None if evidence.arguments else "the samples were not compared argument by argument"


def _counts(groups: tuple[tuple[int, ...], ...], evidence: Evidence) -> Iterator[int]:
    calling = callers(evidence)
    given = [sum(i in calling for i in group) for group in groups]
    yield from (count for count in given if count)
    without = len(calling) - sum(given)
    if without > 0:
        yield without
    yield from [1] * (evidence.valid - len(calling))
