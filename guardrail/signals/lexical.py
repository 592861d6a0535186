"""Lexical entropy: the spread over what was written rather than meant; the baseline for semantic entropy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from guardrail.catalogue import BUILT_IN
from guardrail.signals.entropy import discrete_entropy, entropy_bounds
from guardrail.signals.evidence import Evidence
from guardrail.signals.exact import TooDeep, exact
from guardrail.signals.over_samples import over_samples
from guardrail.types import Sample, Signal


class LexicalEntropy:
    """Entropy over the exact form of whole samples: where a step has several calls, all have the same value.

    The bounds are exact: the open samples repeat the most frequent form, or each has one of its own.
    """

    info = BUILT_IN["lexical_entropy"]

    def measure(self, evidence: Evidence) -> Signal:
        """The entropy in nats over the valid samples, at least two; missing where drawing stopped early."""
        missing = evidence.no_spread() if evidence.valid < 2 else None
        try:
            counts = _counts(evidence.samples)
        except TooDeep as error:
            return over_samples(self.info, evidence, missing=missing or f"a sample is {error}")
        bounds = entropy_bounds(counts, evidence.open) if evidence.asked > 1 else None
        value = None if missing else discrete_entropy(counts)
        return over_samples(self.info, evidence, value, missing=missing, bounds=bounds)


def lexical_entropy(samples: Iterable[Sample]) -> float:
    """Entropy, in nats, over the exact form of the valid samples: their calls in order, or else their words.

    Raises:
        ValueError: no sample is valid, or one is nested too deeply to be compared.
    """
    return discrete_entropy(_counts(samples))


def _counts(samples: Iterable[Sample]) -> list[int]:
    return list(Counter(_form(sample) for sample in samples if sample.valid).values())


def _form(sample: Sample) -> str:
    return exact([[call.name, call.arguments] for call in sample.calls] if sample.calls else sample.text)
