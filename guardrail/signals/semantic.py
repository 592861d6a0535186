"""Semantic entropy as signals: over meanings, by count or by how likely the model finds them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from guardrail.catalogue import BUILT_IN
from guardrail.signals.entropy import discrete_entropy, entropy_bounds, weighted_entropy
from guardrail.signals.evidence import Evidence
from guardrail.signals.over_samples import compared, over_samples
from guardrail.types import Signal


class SemanticEntropy:
    """Discrete semantic entropy over the valid samples, at least two; ``normalized`` by ln N or in nats.

    Where fewer samples were drawn than asked for it is missing, with the bounds that the rest leaves: a
    spread over the first few is not the spread over all N, and would pass for it. The bounds are exact, as long as
    samples that share a meaning still do when others have been drawn.
    """

    def __init__(self, *, normalized: bool = False) -> None:
        self.info = BUILT_IN["semantic_entropy_normalized" if normalized else "semantic_entropy"]
        self._normalized = normalized

    def measure(self, evidence: Evidence) -> Signal:
        """The entropy, and its bounds where a sample is missing or not valid."""
        missing = evidence.no_spread()
        counts = [len(members) for members in evidence.members]
        bounds = None
        if compared(evidence) and evidence.asked > 1:
            least, most = entropy_bounds(counts, evidence.open)
            bounds = least * self._scale(evidence.asked), most * self._scale(evidence.asked)
        value = None if missing else discrete_entropy(counts) * self._scale(evidence.valid)
        return over_samples(self.info, evidence, value, missing=missing, bounds=bounds)

    def _scale(self, n: int) -> float:
        return 1 / math.log(n) if self._normalized else 1.0


class WeightedSemanticEntropy:
    """Semantic entropy with each distinct generation weighted by its length-normalised likelihood.

    It has no bounds: nobody knows how likely the model will find what it has not drawn.
    """

    info = BUILT_IN["semantic_entropy_weighted"]

    def measure(self, evidence: Evidence) -> Signal:
        """The entropy in nats; missing where one valid sample has no log-probabilities."""
        missing = evidence.no_spread() or evidence.curtailed()
        if missing:
            return over_samples(self.info, evidence, missing=missing)
        clusters = [list(_mean_logprobs(evidence, members)) for members in evidence.members]
        without = sum(mean is None for cluster in clusters for _, mean in cluster)
        if without:
            missing = f"{without} of the {evidence.valid} valid samples have no log-probabilities"
            return over_samples(self.info, evidence, missing=missing)
        known = [[(text, mean) for text, mean in cluster if mean is not None] for cluster in clusters]
        return over_samples(self.info, evidence, weighted_entropy(known))


def _mean_logprobs(evidence: Evidence, members: Sequence[int]) -> Iterator[tuple[tuple[str, ...], float | None]]:
    for i in members:
        tokens = evidence.samples[i].tokens or ()
        mean = math.fsum(token.logprob for token in tokens) / len(tokens) if tokens else math.nan
        yield tuple(token.text for token in tokens), mean if math.isfinite(mean) else None
