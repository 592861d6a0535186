"""What each stakes tier asks for unless the policy says otherwise.

The thresholds are not calibrated on anything: they are the plain majorities that a reader would expect.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from guardrail import catalogue
from guardrail.policy.problems import PolicyProblem, unknown
from guardrail.policy.stages import Stage, Stopping
from guardrail.types import Route, Tier

FREE: Final = ("logprob_mean", "logprob_min", "logprob_sum", "top_margin", "top_entropy")
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
    """Whether a rule may give an argument a comparator of that name."""
    return isinstance(value, str) and (value in COMPARATORS or re.fullmatch(NUMBER_WITHIN, value, re.ASCII) is not None)


MAX_SAMPLES: Final = 100
MAX_RETRIES: Final = 10


@dataclass(frozen=True, kw_only=True)
class TierSettings:
    """What a tier asks for.

    ``samples`` is N; ``agreement`` the share of them, in (0, 1], that must contain the call's meaning.
    Where ``max_risk`` is given, the risk model decides after them: the call executes at a risk of at most that, and
    ``agreement`` is asked for only where it is given too. ``cascade`` are stages before that last one.
    ``unmeasured`` is the route where the measurement failed. ``logprob`` (nats; low tier only) executes
    a call without samples when its least likely name or value token reaches it. ``audit`` is the
    probability of an audit draw. ``signals`` are put on the record. ``waves`` are the sizes in which the last
    stage's samples are drawn; empty: chosen by the rule.
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


TIER_DEFAULTS: Final[Mapping[Tier, TierSettings]] = MappingProxyType(
    {
        Tier.LOW: TierSettings(samples=3, agreement=2 / 3, logprob=math.log(0.5)),
        Tier.MEDIUM: TierSettings(samples=5, agreement=4 / 5),
        Tier.HIGH: TierSettings(samples=8, agreement=1.0),
        Tier.CRITICAL: TierSettings(samples=8, agreement=1.0, max_retries=0),
    }
)


def check_tiers(tiers: Mapping[Tier, TierSettings]) -> None:
    """Whether each tier's settings are possible, and a tighter tier never executes what a looser one would not.

    Raises:
        PolicyProblem: the first that is not.
    """
    for tier, settings in tiers.items():
        _check_numbers(tier, settings)
        _check_signals(tier, settings)
        if tier is Tier.CRITICAL:
            _check_critical(settings)
        elif settings.logprob is not None and tier is not Tier.LOW:
            raise PolicyProblem(
                f"tiers.{tier}.logprob", "only low-tier calls may run on log-probability alone; remove it"
            )
        elif settings.unmeasured is Route.EXECUTE and tier is not Tier.LOW:
            raise PolicyProblem(
                f"tiers.{tier}.unmeasured", "only low-tier calls may run without a measurement; write 'review'"
            )
    asked = [
        (tier, share) for tier in (Tier.LOW, Tier.MEDIUM, Tier.HIGH) if (share := tiers[tier].agreement) is not None
    ]
    for (looser, less), (tighter, more) in itertools.pairwise(asked):
        if more < less:
            raise PolicyProblem(
                f"tiers.{tighter}.agreement",
                f"{more:.3g} is less than the {less:.3g} that the {looser} tier asks for; "
                f"higher stakes may not need less agreement",
            )


def _check_numbers(tier: Tier, settings: TierSettings) -> None:
    least = 0 if tier is Tier.CRITICAL else 2
    ranges: tuple[tuple[str, bool, str], ...] = (
        ("samples", _whole(settings.samples, least, MAX_SAMPLES), f"a whole number from {least} to {MAX_SAMPLES}"),
        (
            "agreement",
            settings.agreement is None or (_real(settings.agreement) and 0 < settings.agreement <= 1),
            "a share above 0, at most 1",
        ),
        ("max_retries", _whole(settings.max_retries, 0, MAX_RETRIES), f"a whole number from 0 to {MAX_RETRIES}"),
        ("audit", _real(settings.audit) and 0 <= settings.audit <= 1, "a probability from 0 to 1"),
        (
            "logprob",
            settings.logprob is None or (_real(settings.logprob) and settings.logprob <= 0),
            "a log-probability in nats, at most 0",
        ),
        ("unmeasured", settings.unmeasured in (Route.REVIEW, Route.EXECUTE), "'review' (or, for low, 'execute')"),
    )
    for name, fine, wanted in ranges:
        if not fine:
            raise PolicyProblem(f"tiers.{tier}.{name}", f"must be {wanted}, not {getattr(settings, name)!r}")


def _check_signals(tier: Tier, settings: TierSettings) -> None:
    path = f"tiers.{tier}.signals"
    named = settings.signals
    for name in named:
        if catalogue.info(name) is None:
            raise PolicyProblem(path, unknown("signal", name, catalogue.names()))
    own = [name for name in named if (info := catalogue.info(name)) is not None and info.self_reported]
    if own and len(own) == len(named):
        raise PolicyProblem(
            path, f"{', '.join(own)} alone is the model's word for itself; a tier cannot stand on it: add 'agreement'"
        )
    if tier is not Tier.CRITICAL and "agreement" not in named:
        raise PolicyProblem(path, "'agreement' decides whether a call may run and cannot be left out; add it")


def _check_critical(settings: TierSettings) -> None:
    fixed = TIER_DEFAULTS[Tier.CRITICAL]
    for name in ("agreement", "max_retries", "unmeasured", "logprob", "audit"):
        if getattr(settings, name) != getattr(fixed, name):
            raise PolicyProblem(f"tiers.critical.{name}", CRITICAL_IS_FIXED)


CRITICAL_IS_FIXED: Final = (
    "critical calls always wait for a human, whatever was measured; only samples and signals can be set"
)


def _real(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _whole(value: object, least: int, most: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
