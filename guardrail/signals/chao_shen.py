"""The entropy estimate of Chao and Shen (2003), beside the others for reference."""

from __future__ import annotations

import math
from collections.abc import Iterable

from guardrail.catalogue import BUILT_IN
from guardrail.signals.evidence import Evidence
from guardrail.signals.over_samples import over_samples
from guardrail.types import Signal


class ChaoShenSemanticEntropy:
    """Semantic entropy corrected for unseen meanings, in nats, from at least two valid samples, all drawn.

    It has no bounds: a further sample of a rare meaning raises the coverage and may lower the estimate. And it
    can exceed ln N.
    """

    info = BUILT_IN["semantic_entropy_chao_shen"]

    def measure(self, evidence: Evidence) -> Signal:
        """The estimate; missing where drawing stopped early."""
        missing = evidence.no_spread()
        if missing:
            return over_samples(self.info, evidence, missing=missing)
        return over_samples(self.info, evidence, chao_shen_entropy(map(len, evidence.members)))


def chao_shen_entropy(counts: Iterable[int]) -> float:
    """``-sum C p_k ln(C p_k) / (1 - (1 - C p_k)^n)`` with the plug-in shares p_k and Good's coverage C = 1 - f1 / n.

    f1 is the number of meanings with a single sample. Where all are such, C would be 0: it is taken as 1 / n.

    Raises:
        ValueError: a count is negative, or there is no sample.
    """
    sizes = [count for count in counts if count]
    n = sum(sizes)
    if any(size < 0 for size in sizes) or not n:
        raise ValueError(f"entropy needs samples, not cluster sizes {sizes}")
    coverage = 1 - min(sizes.count(1), n - 1) / n
    adjusted = [coverage * size / n for size in sizes]
    found = -math.fsum(share * math.log(share) / -math.expm1(n * math.log1p(-share)) for share in adjusted if share < 1)
    return max(0.0, found)
