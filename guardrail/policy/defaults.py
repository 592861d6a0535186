"""What each stakes tier asks for unless the policy says otherwise.

The thresholds are not calibrated on anything: they are the plain majorities that a reader would expect.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from guardrail.policy.reviewing import Reviewers, Timeout
from guardrail.policy.stages import Stage, Stopping
from guardrail.types import Route, Tier

FREE: Final = ("logprob_mean", "logprob_min", "logprob_sum", "logprob_turn", "top_margin", "top_entropy")
"""Signals of the plan itself; they cost nothing and are missing where the provider gives no log-probabilities."""

SAMPLED: Final = (
    "agreement",
    "majority_share",
    "majority_margin",
    "semantic_entropy",
    "semantic_entropy_normalized",
    "semantic_entropy_weighted",
    "semantic_entropy_bayesian",
    "lexical_entropy",
)
"""Signals of the samples, which cost nothing beside them."""

SIGNALS: Final = (*FREE, *SAMPLED)
"""What a tier measures and records unless it says otherwise: nothing that has to be asked for."""

_BY_ARGUMENT: Final = (*SIGNALS, "argument_entropy")
"""Where a human may have to look, it helps to know which argument is unsure."""

COMPARATORS: Final = (
    "exact",
    "number",
    "set",
    "sequence",
    "text",
    "words",
    "ignore",
    "quantity",
    "money",
    "date",
    "phone",
    "email",
    "url",
    "path",
    "place",
    "person",
    "organisation",
    "language",
    "timezone",
    "shell",
    "sql",
    "code",
    "regex",
    "math",
    "json",
    "pitch",
)
"""Names of the comparators that a rule may give an argument; "number" also with a tolerance ("number:0.01")."""

NUMBER_WITHIN: Final = r"number:(\d+(\.\d+)?|\.\d+)"
"""How the comparator of numbers is written with a tolerance: the difference, at least 0, up to which two are one."""


def is_comparator(value: object) -> bool:
    """Whether a comparator of this package has that name."""
    return isinstance(value, str) and (value in COMPARATORS or re.fullmatch(NUMBER_WITHIN, value, re.ASCII) is not None)


MAX_SAMPLES: Final = 100
MAX_RETRIES: Final = 10


@dataclass(frozen=True, kw_only=True)
class TierSettings:
    """What a tier asks for.

    ``samples`` is N; ``agreement`` the share of them, in (0, 1], that must contain the call's meaning.
    Where ``max_risk`` is given, the risk model decides after them: the call executes at a risk of at most that, and
    ``agreement`` may be None, or must be reached too. ``cascade`` are stages before that last one.
    ``unmeasured`` is the route where the measurement failed. ``logprob`` (nats; low tier only) executes
    a call without samples when its least likely name or value token reaches it. ``audit`` is the
    probability of an audit draw. ``signals`` are put on the record. ``waves`` are the sizes in which the last
    stage's samples are drawn; empty: chosen by the rule. ``timeout`` and ``reviewers`` are of reviews whose rule says
    nothing of them.
    """

    samples: int
    agreement: float | None
    max_risk: float | None = None
    cascade: tuple[Stage, ...] = ()
    stopping: Stopping = Stopping()  # noqa: RUF009 - frozen
    waves: tuple[int, ...] = ()
    max_retries: int = 1
    unmeasured: Route = Route.REVIEW
    logprob: float | None = None
    audit: float = 0.0
    signals: tuple[str, ...] = SIGNALS
    timeout: Timeout | None = None
    reviewers: Reviewers | None = None


TIER_DEFAULTS: Final[Mapping[Tier, TierSettings]] = MappingProxyType(
    {
        Tier.LOW: TierSettings(samples=3, agreement=2 / 3, logprob=math.log(0.5)),
        Tier.MEDIUM: TierSettings(samples=5, agreement=4 / 5),
        Tier.HIGH: TierSettings(samples=8, agreement=1.0, signals=_BY_ARGUMENT),
        Tier.CRITICAL: TierSettings(samples=8, agreement=1.0, max_retries=0, signals=_BY_ARGUMENT),
    }
)
