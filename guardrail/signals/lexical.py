"""Lexical entropy: the spread over what was written rather than meant; the baseline for semantic entropy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from guardrail.catalogue import BUILT_IN
from guardrail.signals.entropy import discrete_entropy
from guardrail.signals.evidence import Evidence
from guardrail.signals.exact import TooDeep, exact
from guardrail.types import Sample, Signal


class LexicalEntropy:
    """Entropy over the exact form of whole samples: where a step has several calls, all have the same value."""

    info = BUILT_IN["lexical_entropy"]

    def measure(self, evidence: Evidence) -> Signal:
        """The entropy in nats over the valid samples, at least two, all drawn."""
        name, unit = self.info.name, self.info.unit
        missing = evidence.no_spread() if evidence.valid < 2 else evidence.curtailed()
        if missing:
            return Signal(name=name, unit=unit, missing=missing)
        try:
            return Signal(name=name, value=lexical_entropy(evidence.samples), unit=unit)
        except TooDeep as error:
            return Signal(name=name, unit=unit, missing=f"a sample is {error}")


def lexical_entropy(samples: Iterable[Sample]) -> float:
    """Entropy, in nats, over the exact form of the valid samples: their calls in order, or else their words.

    Raises:
        ValueError: no sample is valid, or one is nested too deeply to be compared.
    """
    return discrete_entropy(Counter(_form(sample) for sample in samples if sample.valid).values())


def _form(sample: Sample) -> str:
    return exact([[call.name, call.arguments] for call in sample.calls] if sample.calls else sample.text)
