"""Lexical entropy: the spread over what was written rather than meant; the baseline for semantic entropy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from guardrail.signals.entropy import discrete_entropy
from guardrail.signals.exact import exact
from guardrail.types import Sample


def lexical_entropy(samples: Iterable[Sample]) -> float:
    """Entropy, in nats, over the exact form of the valid samples: their calls in order, or else their words.

    It looks at whole samples: where a step has several calls, all of them have the same value.

    Raises:
        ValueError: no sample is valid, or one is nested too deeply to be compared.
    """
    return discrete_entropy(Counter(_form(sample) for sample in samples if sample.valid).values())


def _form(sample: Sample) -> str:
    return exact([[call.name, call.arguments] for call in sample.calls] if sample.calls else sample.text)
