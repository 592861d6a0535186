"""Named numbers about one planned call, and what each of them takes."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

from guardrail.types.forms import type_config


class Need(StrEnum):
    """What a signal is computed from, and so what has to be paid for it."""

    LOGPROBS = "logprobs"
    """Token log-probabilities of the plan: free where the planning request asked for them."""
    TOP_LOGPROBS = "top_logprobs"
    """The likeliest alternatives at each token of the plan: free where the planning request asked for them."""
    QUESTION = "question"
    """One or more short questions to the model about the call."""
    SAMPLES = "samples"
    """The step drawn again."""
    SAMPLE_LOGPROBS = "sample_logprobs"
    """Token log-probabilities of the samples: free where the planning request asked for them."""
    AGREEMENT = "agreement"
    """Which samples mean the planned call: pairs of the plan and each sample are judged."""
    MEANINGS = "meanings"
    """The samples grouped by meaning: pairs of samples are judged too."""
    ARGUMENTS = "arguments"
    """The samples grouped argument by argument."""


SAMPLED = frozenset({Need.SAMPLES, Need.SAMPLE_LOGPROBS, Need.AGREEMENT, Need.MEANINGS, Need.ARGUMENTS})
"""Needs that take samples."""


class Safer(StrEnum):
    """In which direction a signal speaks for the call."""

    HIGH = "high"
    LOW = "low"


@dataclass(frozen=True, kw_only=True)
class SignalInfo:
    """What is known of a signal without measuring it.

    ``low`` and ``high`` bound its values where bounds are known. ``self_reported`` marks the model's own
    word for itself, on which no tier may stand. ``source`` is the paper that it follows.
    """

    name: str
    unit: str
    safer: Safer
    needs: frozenset[Need]
    title: str
    low: float = -math.inf
    high: float = math.inf
    self_reported: bool = False
    source: str = ""
    version: str = "1"

    @property
    def sampled(self) -> bool:
        """Whether samples have to be drawn for it."""
        return bool(self.needs & SAMPLED)


@dataclass(frozen=True, kw_only=True)
class Signal:
    """A named number about one planned call; a missing one says why.

    ``bounds`` are the least and the greatest value that the samples not drawn, or not valid, leave possible; a
    missing signal may have them too. ``credible`` is a 95 % credible interval. ``parts`` are its values by
    argument, where it has such.

    Raises:
        ValueError: a number is not finite, an interval is empty, or the value is absent without a reason (or
            present with one).
    """

    __pydantic_config__: ClassVar[dict[str, Any]] = type_config
    name: str
    value: float | None = None
    unit: str = ""
    missing: str | None = None
    bounds: tuple[float, float] | None = None
    credible: tuple[float, float] | None = None
    parts: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.value is not None and not math.isfinite(self.value):
            raise ValueError(f"signal {self.name!r} is {self.value}: a number that is not finite is missing")
        if (self.value is None) == (self.missing is None):
            raise ValueError(f"signal {self.name!r} needs either a value or the reason why it is missing")
        for interval in (self.bounds, self.credible):
            if interval is not None and not -math.inf < interval[0] <= interval[1] < math.inf:
                raise ValueError(f"signal {self.name!r} has the interval {interval}, which is none")
        if not all(map(math.isfinite, self.parts.values())):
            raise ValueError(f"signal {self.name!r} has a part that is not finite")
