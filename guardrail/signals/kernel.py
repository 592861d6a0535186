"""Kernel language entropy (Nikitin et al. 2024, arXiv 2405.20003): how spread the samples are, near ones counted less.

Semantic entropy knows only same and different: ten calls that differ in one argument of five are as spread as ten
that share nothing. Here the samples have a kernel, positive semidefinite and of trace 1, and its von Neumann
entropy is the measure. The kernel of two samples is the share of the arguments they give that is held equal:
1 where they mean the same, 0 between different tools and where one makes no call. For one argument that is the
heat kernel, with unit diagonal and in the limit of long times, of the graph that joins the samples which give the
argument the same; for several their mean. So there is no time to choose, and calls do not grow alike by being many.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

from guardrail.catalogue import BUILT_IN
from guardrail.signals.argument import callers
from guardrail.signals.evidence import Evidence
from guardrail.signals.over_samples import Interval, over_samples
from guardrail.signals.spectrum import eigenvalues
from guardrail.types import MeaningKind, Signal

_NOTHING: Final = 1e-12


class KernelEntropy:
    """Von Neumann entropy of the samples' kernel, in nats, from at least two valid samples.

    0 where all mean the same, ln N where no two have anything in common, and never more than the semantic
    entropy, which it equals where different meanings have nothing in common (Nikitin et al. 2024, theorem on
    semantic entropy as a special case).

    The upper bound is exact: each open sample does something of its own. The lower one holds but may not be
    reached: the open samples would all lie along the main direction of the others. Both hold as long as what is
    held equal still is when others have been drawn.
    """

    info = BUILT_IN["kernel_entropy"]

    def measure(self, evidence: Evidence) -> Signal:
        """The entropy; missing where drawing stopped early."""
        missing = evidence.no_spread()
        if not missing and callers(evidence) and not evidence.arguments:
            missing = "the samples were not compared argument by argument"
        if missing:
            return over_samples(self.info, evidence, missing=missing)
        found = [value for value in eigenvalues(_kernel(evidence)) if value > _NOTHING]
        return over_samples(self.info, evidence, _entropy(found), bounds=_bounds(found, evidence))


def _bounds(spectrum: Sequence[float], evidence: Evidence) -> Interval:
    """What further samples leave possible: pure states mixed in, apart from all others or along the greatest."""
    kept, each = evidence.valid / evidence.asked, 1 / evidence.asked
    scaled = sorted(kept * value for value in spectrum)
    least = _entropy([*scaled[:-1], scaled[-1] + evidence.open * each])
    return least, _entropy([*scaled, *[each] * evidence.open])


def _entropy(spectrum: Sequence[float]) -> float:
    total = math.fsum(spectrum)
    return max(0.0, -math.fsum(value / total * math.log(value / total) for value in spectrum))


def _kernel(evidence: Evidence) -> list[list[float]]:
    """The kernel over meanings, each weighted by its share: that over samples without its eigenvalues of 0."""
    clusters = [
        (cluster.kind is MeaningKind.CALL, [i for i in cluster.members if evidence.samples[i].valid])
        for cluster in evidence.clusters
    ]
    meanings = [(calls, members) for calls, members in clusters if members]
    given = _given(evidence)
    return [
        [
            math.sqrt(len(one) * len(other))
            / evidence.valid
            * (1.0 if one is other else _likeness(one, other, given) if calls and call else 0.0)
            for call, other in meanings
        ]
        for calls, one in meanings
    ]


def _given(evidence: Evidence) -> dict[int, dict[str, int]]:
    """What each sample gives: the group it is in by argument."""
    found: dict[int, dict[str, int]] = {i: {} for i in callers(evidence)}
    for path, groups in evidence.arguments.items():
        for place, group in enumerate(groups):
            for i in group:
                found.setdefault(i, {})[path] = place
    return found


def _likeness(one: Sequence[int], other: Sequence[int], given: dict[int, dict[str, int]]) -> float:
    """Mean over pairs of the arguments given alike, as a share of those that both give (Dice): a kernel."""
    shares = (_dice(given[i], given[j]) for i in one for j in other)
    return math.fsum(shares) / (len(one) * len(other))


def _dice(a: dict[str, int], b: dict[str, int]) -> float:
    both = len(a) + len(b)
    return 2 * sum(b.get(path) == place for path, place in a.items()) / both if both else 0.0
