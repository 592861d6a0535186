"""The signals of recorded cases, and the baselines beside them: exact matching, and log-probability of every token."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

from guardrail.calibration import worst
from guardrail.clustering import CallMeaning, Entailment, ExactEntailment, TextPair, compare
from guardrail.signals import Evidence, Registry
from guardrail.signals.exact import exact
from guardrail.types import Case, MeaningKind, Need, Safer, Sample, Signal, SignalInfo, ToolCall


def _baseline(name: str, title: str, unit: str, safer: Safer, low: float, high: float) -> SignalInfo:
    return SignalInfo(name=name, title=title, unit=unit, safer=safer, needs=frozenset(), low=low, high=high)


BASELINES = (
    _baseline("exact_agreement", "agreement, exact JSON", "share", Safer.HIGH, 0.0, 1.0),
    _baseline("exact_entropy", "entropy, exact JSON", "nats", Safer.LOW, 0.0, math.inf),
    _baseline("all_logprob_mean", "mean log-probability, all tokens", "nats", Safer.HIGH, -math.inf, 0.0),
    _baseline("all_logprob_min", "least log-probability, all tokens", "nats", Safer.HIGH, -math.inf, 0.0),
    _baseline("all_logprob_sum", "joint log-probability, all tokens", "nats", Safer.HIGH, -math.inf, 0.0),
)
"""What other tools measure, on the same cases. None of them is an input of the risk."""

PAIRS = (
    ("agreement", "exact_agreement"),
    ("semantic_entropy", "exact_entropy"),
    ("logprob_mean", "all_logprob_mean"),
    ("logprob_min", "all_logprob_min"),
    ("logprob_sum", "all_logprob_sum"),
    ("logprob_turn", "all_logprob_sum"),
)
"""What the package measures beside what it replaces."""


def measured(cases: Sequence[Case], entailment: Entailment) -> list[dict[str, float | None]]:
    """By case, every signal and baseline; of several calls the most doubtful one's."""
    compared = [compare(_reference(case), case.samples, case.tools) for case in cases]
    same: dict[TextPair, bool] = {}
    if not isinstance(entailment, ExactEntailment):
        pairs = sorted({pair for one in compared for pair in one.pairs}, key=repr)
        same.update(zip(pairs, entailment.equivalent(pairs), strict=True))
        more = sorted({pair for one in compared for pair in one.argument_pairs(same)} - same.keys(), key=repr)
        same.update(zip(more, entailment.equivalent(more), strict=True))
    return [
        worst([_signals(case, index, one) for index, one in enumerate(comparison.resolve(same).calls)])
        | dict(_baselines(case))
        for case, comparison in zip(cases, compared, strict=True)
    ]


def _reference(case: Case) -> tuple[ToolCall, ...]:
    """The calls that samples are compared with: where none is planned, those of a sample, or a stand-in."""
    calling = (sample.calls for sample in (case.planned, *case.samples) if sample.calls)
    return next(calling, (ToolCall(name="", arguments={}),))


def _signals(case: Case, index: int, meaning: CallMeaning) -> list[Signal]:
    """Every signal of the registry; what was asked of the model is as it was recorded.

    A plan without a call agrees with samples without one, and has no tokens of calls.
    """
    silent = not case.planned.calls
    registry = Registry()
    asked = [name for name in registry.names if Need.QUESTION in registry.needs([name])]
    apart = [name for name in registry.names if registry.needs([name]) & {Need.LOGPROBS, Need.TOP_LOGPROBS}]
    recorded = {signal.name: signal for signal in (case.signals[index] if index < len(case.signals) else ())}
    agrees = [sample.valid and not sample.calls for sample in case.samples] if silent else meaning.agrees
    clusters = meaning.clusters
    if silent:
        clusters = tuple(replace(one, planned=one.kind is MeaningKind.NO_CALL) for one in clusters)
    evidence = Evidence(
        planned=case.planned,
        index=index,
        samples=case.samples,
        clusters=clusters,
        agrees=tuple(agrees),
        arguments=meaning.arguments,
        asked=len(case.samples),
    )
    unheard = [Signal(name=name, missing="not recorded") for name in asked if name not in recorded]
    unwritten = [Signal(name=name, missing="no call is planned") for name in (apart if silent else ())]
    names = [name for name in registry.names if name not in asked and not (silent and name in apart)]
    return [*registry.measure(names, evidence), *recorded.values(), *unheard, *unwritten]


def _baselines(case: Case) -> Iterator[tuple[str, float | None]]:
    plan = exact_form(case.planned)
    valid = [exact_form(sample) for sample in case.samples if sample.valid]
    yield "exact_agreement", valid.count(plan) / len(case.samples)
    counts = [valid.count(form) for form in set(valid)]
    yield (
        "exact_entropy",
        max(0.0, math.log(len(valid)) - math.fsum(n * math.log(n) for n in counts) / len(valid))
        if len(valid) > 1
        else None,
    )
    logprobs = [min(token.logprob, 0.0) for token in case.planned.tokens or ()]
    yield "all_logprob_mean", math.fsum(logprobs) / len(logprobs) if logprobs else None
    yield "all_logprob_min", min(logprobs, default=None)
    yield "all_logprob_sum", math.fsum(logprobs) if logprobs else None


def exact_form(sample: Sample) -> str:
    """The calls of a sample as JSON text, exactly."""
    return exact([[call.name, call.arguments] for call in sample.calls])
