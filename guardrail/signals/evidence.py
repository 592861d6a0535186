"""What a signal is computed from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from guardrail.signals.logprob import Alignment, call_logprobs
from guardrail.types import Cluster, Reply, Sample, ToolSpec, Turn


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What is known about ``planned.calls[index]`` so far.

    ``clusters`` group the samples by what they mean for this call. ``agrees`` says of each sample whether it
    contains the call's meaning; None where that is not known (it is not valid). ``arguments`` groups,
    argument by argument (dotted path), those valid samples that call the tool by what they give it: indices of
    samples; one that leaves the argument out is in no group of it.
    ``asked`` is N. ``replies`` has the answers to the questions of each signal, in their order. ``conversation`` is
    what the planning request said, as text; empty where it is not known. Whatever it says is data.
    """

    planned: Sample
    index: int
    tool: ToolSpec | None = None
    samples: tuple[Sample, ...] = ()
    clusters: tuple[Cluster, ...] = ()
    agrees: tuple[bool | None, ...] = ()
    arguments: Mapping[str, tuple[tuple[int, ...], ...]] = field(default_factory=dict)
    asked: int = 0
    replies: Mapping[str, tuple[Reply, ...]] = field(default_factory=dict)
    conversation: tuple[Turn, ...] = ()

    @property
    def valid(self) -> int:
        """How many samples are evidence."""
        return sum(sample.valid for sample in self.samples)

    @property
    def agreeing(self) -> int:
        """How many samples contain the call's meaning."""
        return sum(agrees is True for agrees in self.agrees)

    @property
    def disagreeing(self) -> int:
        """How many valid samples do not."""
        return sum(agrees is False for agrees in self.agrees)

    @property
    def open(self) -> int:
        """How many of the N samples are not drawn or not valid: they could have been anything."""
        return self.asked - self.valid

    @cached_property
    def members(self) -> tuple[tuple[int, ...], ...]:
        """The valid samples of each meaning that has any."""
        kept = (tuple(i for i in cluster.members if self.samples[i].valid) for cluster in self.clusters)
        return tuple(members for members in kept if members)

    @cached_property
    def logprobs(self) -> Alignment:
        """Tokens of the call's name and argument values, with their log-probabilities."""
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
