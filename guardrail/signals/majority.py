"""How large the largest meaning is, and how far the planned one leads or lags.

Bounds hold as long as samples that share a meaning still do when others have been drawn: meanings are groups in
which each sample equals every other, so that a judge who contradicts himself could regroup them.
"""

from __future__ import annotations

from guardrail.catalogue import BUILT_IN
from guardrail.signals.evidence import Evidence
from guardrail.signals.over_samples import compared, no_meanings, over_samples
from guardrail.types import Signal


class MajorityShare:
    """The largest meaning's samples as a share of those asked for, whatever was planned.

    An invalid sample is in no meaning. The bounds are exact: the open samples join the largest meaning, or
    each is one of its own.
    """

    info = BUILT_IN["majority_share"]

    def measure(self, evidence: Evidence) -> Signal:
        """The share; missing where no sample is valid or drawing stopped early."""
        asked, left = evidence.asked, evidence.open
        largest = max(map(len, evidence.members), default=0)
        return over_samples(
            self.info,
            evidence,
            largest / asked if asked > 0 else None,
            missing=no_meanings(evidence),
            bounds=(max(largest, 1) / asked, (largest + left) / asked) if asked > 0 and compared(evidence) else None,
        )


class MajorityMargin:
    """The planned meaning's share of the samples asked for less that of the largest other one: -1 to 1.

    Negative where the samples prefer something else to the plan. The bounds are exact: the open samples join the
    planned meaning, or the largest other one.
    """

    info = BUILT_IN["majority_margin"]

    def measure(self, evidence: Evidence) -> Signal:
        """The difference; missing where no sample is valid or drawing stopped early."""
        asked, left = evidence.asked, evidence.open
        planned, other = 0, 0
        for cluster in evidence.clusters:
            count = sum(evidence.samples[i].valid for i in cluster.members)
            planned, other = (planned + count, other) if cluster.planned else (planned, max(other, count))
        lead = planned - other
        return over_samples(
            self.info,
            evidence,
            lead / asked if asked > 0 else None,
            missing=no_meanings(evidence),
            bounds=((lead - left) / asked, (lead + left) / asked) if asked > 0 and compared(evidence) else None,
        )
