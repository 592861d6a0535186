"""Every signal of one planned call, by name."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType
from typing import Final

from guardrail.signals.agreement import agreement
from guardrail.signals.entropy import discrete_entropy, entropy_bounds, weighted_entropy
from guardrail.signals.exact import TooDeep
from guardrail.signals.lexical import lexical_entropy
from guardrail.signals.logprob import Alignment, call_logprobs
from guardrail.types import Cluster, Sample, Signal


@dataclass(frozen=True, kw_only=True)
class _Evidence:
    planned: Sample
    index: int
    samples: Sequence[Sample]
    clusters: Sequence[Cluster]
    agreeing: int
    asked: int

    @property
    def valid(self) -> int:
        return sum(sample.valid for sample in self.samples)

    @cached_property
    def members(self) -> tuple[tuple[int, ...], ...]:
        """The valid samples of each meaning that has any."""
        kept = (tuple(i for i in cluster.members if self.samples[i].valid) for cluster in self.clusters)
        return tuple(members for members in kept if members)

    @cached_property
    def logprobs(self) -> Alignment:
        return call_logprobs(self.planned, self.index)

    def no_spread(self) -> str | None:
        """Why the samples do not tell how spread the meanings are."""
        if not self.samples:
            return "no samples were drawn" if self.asked else "no samples were asked for"
        if self.valid < 2:
            return f"{self.valid} of the {len(self.samples)} samples drawn {'is' if self.valid == 1 else 'are'} valid"
        if sum(map(len, self.members)) != self.valid:
            return "the samples could not be compared"
        return None

    def curtailed(self) -> str | None:
        """That drawing stopped early, so that a spread is not comparable with that of all N."""
        drawn = len(self.samples)
        return f"{drawn} of {self.asked} samples were drawn" if drawn < self.asked else None


def measure(
    names: Sequence[str],
    *,
    planned: Sample,
    index: int,
    samples: Sequence[Sample] = (),
    clusters: Sequence[Cluster] = (),
    agreeing: int = 0,
    asked: int = 0,
) -> tuple[Signal, ...]:
    """The signals of ``planned.calls[index]``, in the order of ``names``.

    ``clusters`` group the samples by what they mean for this call; ``agreeing`` of the ``asked`` samples
    contain its meaning. Entropies are over the valid samples, at least two. Where fewer samples were drawn
    than asked for, agreement and entropies are missing and their reason has the bounds that the rest
    leaves: a spread over the first few is not the spread over all N, and would pass for it.

    Raises:
        ValueError: a name is not one of ``SIGNALS``.
    """
    unknown = [name for name in names if name not in _MEASURES]
    if unknown:
        raise ValueError(f"unknown signal {unknown[0]!r}; there are: {', '.join(SIGNALS)}")
    evidence = _Evidence(
        planned=planned, index=index, samples=samples, clusters=clusters, agreeing=agreeing, asked=asked
    )
    return tuple(_MEASURES[name](name, evidence) for name in names)


def _agreement(_: str, evidence: _Evidence) -> Signal:
    return agreement(
        agreeing=evidence.agreeing, asked=evidence.asked, drawn=len(evidence.samples), valid=evidence.valid
    )


def _semantic_entropy(name: str, evidence: _Evidence) -> Signal:
    return _discrete(name, evidence, "nats", lambda _: 1.0)


def _semantic_entropy_normalized(name: str, evidence: _Evidence) -> Signal:
    return _discrete(name, evidence, "share of ln N", lambda n: 1 / math.log(n))


def _discrete(name: str, evidence: _Evidence, unit: str, scale: Callable[[int], float]) -> Signal:
    missing = evidence.no_spread()
    if missing:
        return Signal(name=name, unit=unit, missing=missing)
    counts = [len(members) for members in evidence.members]
    curtailed = evidence.curtailed()
    if curtailed:
        least, most = (
            bound * scale(evidence.asked) for bound in entropy_bounds(counts, evidence.asked - len(evidence.samples))
        )
        return Signal(name=name, unit=unit, missing=f"{curtailed}: between {least:.2f} and {most:.2f}")
    return Signal(name=name, value=discrete_entropy(counts) * scale(evidence.valid), unit=unit)


def _semantic_entropy_weighted(name: str, evidence: _Evidence) -> Signal:
    missing = evidence.no_spread() or evidence.curtailed()
    if missing:
        return Signal(name=name, unit="nats", missing=missing)
    clusters = [list(_mean_logprobs(evidence, members)) for members in evidence.members]
    without = sum(mean is None for cluster in clusters for _, mean in cluster)
    if without:
        missing = f"{without} of the {evidence.valid} valid samples have no log-probabilities"
        return Signal(name=name, unit="nats", missing=missing)
    known = [[(text, mean) for text, mean in cluster if mean is not None] for cluster in clusters]
    return Signal(name=name, value=weighted_entropy(known), unit="nats")


def _mean_logprobs(evidence: _Evidence, members: Sequence[int]) -> Iterator[tuple[tuple[str, ...], float | None]]:
    for i in members:
        tokens = evidence.samples[i].tokens or ()
        mean = math.fsum(token.logprob for token in tokens) / len(tokens) if tokens else math.nan
        yield tuple(token.text for token in tokens), mean if math.isfinite(mean) else None


def _lexical_entropy(name: str, evidence: _Evidence) -> Signal:
    valid = evidence.valid
    missing = evidence.no_spread() if valid < 2 else evidence.curtailed()
    if missing:
        return Signal(name=name, unit="nats", missing=missing)
    try:
        return Signal(name=name, value=lexical_entropy(evidence.samples), unit="nats")
    except TooDeep as error:
        return Signal(name=name, unit="nats", missing=f"a sample is {error}")


def _logprob_mean(name: str, evidence: _Evidence) -> Signal:
    found = evidence.logprobs
    return Signal(name=name, value=None if found.missing else found.mean, unit="nats", missing=found.missing)


def _logprob_min(name: str, evidence: _Evidence) -> Signal:
    found = evidence.logprobs
    return Signal(name=name, value=None if found.missing else found.min, unit="nats", missing=found.missing)


_MEASURES: Final[Mapping[str, Callable[[str, _Evidence], Signal]]] = MappingProxyType(
    {
        "agreement": _agreement,
        "semantic_entropy": _semantic_entropy,
        "semantic_entropy_normalized": _semantic_entropy_normalized,
        "semantic_entropy_weighted": _semantic_entropy_weighted,
        "lexical_entropy": _lexical_entropy,
        "logprob_mean": _logprob_mean,
        "logprob_min": _logprob_min,
    }
)

SIGNALS: Final = tuple(_MEASURES)
"""Names of the signals that can be measured."""
