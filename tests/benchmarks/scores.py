"""The signals of recorded cases as the engine measures them, and beside them what other tools measure."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from guardrail.calibration import worst
from guardrail.clustering import Entailment
from guardrail.engine.scoring import score
from guardrail.signals import Registry
from guardrail.signals.entropy import discrete_entropy
from guardrail.signals.exact import exact
from guardrail.types import Case, Safer, Sample, Signal, SignalInfo, ToolCall


def baseline(name: str, title: str, unit: str, safer: Safer, low: float, high: float) -> SignalInfo:
    """Describes what is measured here for comparison alone."""
    return SignalInfo(name=name, title=title, unit=unit, safer=safer, needs=frozenset(), low=low, high=high)


BASELINES = (
    baseline("exact_agreement", "agreement, exact JSON", "share", Safer.HIGH, 0.0, 1.0),
    baseline("exact_entropy", "entropy, exact JSON", "nats", Safer.LOW, 0.0, math.inf),
    baseline("all_logprob_mean", "mean log-probability, all tokens", "nats", Safer.HIGH, -math.inf, 0.0),
    baseline("all_logprob_min", "least log-probability, all tokens", "nats", Safer.HIGH, -math.inf, 0.0),
    baseline("all_logprob_sum", "joint log-probability, all tokens", "nats", Safer.HIGH, -math.inf, 0.0),
)

PAIRS = (
    ("agreement", "exact_agreement"),
    ("semantic_entropy", "exact_entropy"),
    ("semantic_entropy_bayesian", "exact_entropy"),
    ("logprob_mean", "all_logprob_mean"),
    ("logprob_min", "all_logprob_min"),
    ("logprob_sum", "all_logprob_sum"),
    ("logprob_turn", "all_logprob_sum"),
)
"""What the package measures beside what it replaces."""


SPREAD = (
    "majority_share",
    "semantic_entropy",
    "semantic_entropy_normalized",
    "semantic_entropy_weighted",
    "semantic_entropy_bayesian",
    "semantic_entropy_chao_shen",
    "lexical_entropy",
    "kernel_entropy",
)
"""Signals about the samples alone: a plan without a call has them too."""


def measured(cases: Sequence[Case], entailment: Entailment) -> list[dict[str, float | None]]:
    """By case, every signal and baseline; of several calls the most doubtful one's.

    A plan without a call has no signals of a call. It agrees with the samples without one, and their spread is measured
    around the calls of the first sample that has some.
    """
    names = Registry().names
    found = score([_calling(case) for case in cases], names, entailment=entailment)
    return [
        dict.fromkeys(names) | (worst(calls) if case.planned.calls else _silent(case, calls)) | dict(_baselines(case))
        for case, calls in zip(cases, found, strict=True)
    ]


def _calling(case: Case) -> Case:
    if case.planned.calls:
        return case
    calls = next((sample.calls for sample in case.samples if sample.calls), (ToolCall(name="", arguments={}),))
    return replace(case, planned=Sample(calls=calls))


def _silent(case: Case, calls: Sequence[Sequence[Signal]]) -> dict[str, float | None]:
    agreement = sum(sample.valid and not sample.calls for sample in case.samples) / len(case.samples)
    return {name: value for name, value in worst(calls).items() if name in SPREAD} | {"agreement": agreement}


def _baselines(case: Case) -> Iterator[tuple[str, float | None]]:
    plan = exact_form(case.planned)
    valid = [exact_form(sample) for sample in case.samples if sample.valid]
    yield "exact_agreement", valid.count(plan) / len(case.samples)
    yield "exact_entropy", discrete_entropy(map(valid.count, set(valid))) if len(valid) > 1 else None
    logprobs = [min(token.logprob, 0.0) for token in case.planned.tokens or ()]
    yield "all_logprob_mean", math.fsum(logprobs) / len(logprobs) if logprobs else None
    yield "all_logprob_min", min(logprobs, default=None)
    yield "all_logprob_sum", math.fsum(logprobs) if logprobs else None


def exact_form(sample: Sample) -> str:
    """The calls of a sample as JSON text, exactly."""
    return exact([[call.name, call.arguments] for call in sample.calls])
