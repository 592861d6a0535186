"""The options of a calibration, checked, and in words."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final, TypeVar

from guardrail.calibration.asked import Cuts, Retries, Unit
from guardrail.calibration.calls import ROUTES, TIERS, Calls
from guardrail.calibration.libraries import needed
from guardrail.calibration.risk_model import RiskModel
from guardrail.errors import ConfigError
from guardrail.types import Route, Tier

E = TypeVar("E", bound=StrEnum)
TARGETS: Final[Mapping[str, float]] = MappingProxyType({"low": 0.2, "medium": 0.1, "high": 0.02})
"""At most so many of the executed calls are wrong. There is none for critical: a human always decides."""


class Combiner(StrEnum):
    """Which risk the calls are sorted by."""

    CROSS_FIT = "cross-fit"
    """Of a model fitted on these labels, each call by one that has not seen its task; the refit is deployed."""
    RECORDED = "recorded"
    """The risk on the record."""


@dataclass(frozen=True, kw_only=True)
class Options:
    """What was asked for, checked."""

    alphas: Mapping[Tier, float]
    delta: float
    unit: Unit
    cuts: Cuts
    attempts: Retries
    combiner: Combiner | RiskModel
    simultaneous: bool
    signals: tuple[str, ...] | None
    seed: int
    where: Mapping[str, str]
    fingerprint: Mapping[str, str]
    floor: Mapping[Tier, float]
    vetoes: bool

    @classmethod
    def of(
        cls,
        *,
        target_error: Mapping[str, float],
        confidence: float,
        unit: str,
        simultaneous: bool,
        cuts: str,
        combiner: str | RiskModel,
        signals: Sequence[str] | None,
        attempts: str,
        seed: int,
        where: Mapping[str, str],
        fingerprint: Mapping[str, str],
        floor: Mapping[str, float],
        vetoes: bool,
    ) -> Options:
        """The options as a caller gives them.

        Raises:
            ConfigError: one of them cannot be used.
        """
        return cls(
            alphas=_targets(target_error),
            delta=_delta(confidence),
            unit=_choice(Unit, unit, "unit"),
            cuts=_choice(Cuts, cuts, "cuts"),
            attempts=_choice(Retries, attempts, "attempts"),
            combiner=combiner if isinstance(combiner, RiskModel) else _choice(Combiner, combiner, "combiner"),
            simultaneous=simultaneous,
            signals=None if signals is None else tuple(signals),
            seed=seed,
            where=dict(where),
            fingerprint=dict(fingerprint),
            floor=_floors(floor, combiner),
            vetoes=vetoes,
        )

    @classmethod
    def told(cls, settings: Mapping[str, str], model: RiskModel | None = None) -> Options:
        """The options behind ``settings()``, of a calibrated policy; ``model`` where a given one was the combiner.

        Raises:
            ConfigError: they are none, or the model is another one or missing.
        """
        try:
            combiner: str | RiskModel = settings["combiner"]
            if settings["combiner"].startswith("model "):
                if model is None or settings["combiner"] != f"model {model.digest}":
                    raise ConfigError(f"this calibration is about the risk {settings['combiner']}: give that one")
                combiner = model
            return cls.of(
                target_error=_floats(settings["targets"]),
                confidence=float(settings["confidence"]),
                unit=settings["unit"],
                simultaneous=settings["simultaneous"] == "true",
                cuts=settings["cuts"],
                combiner=combiner,
                signals=None if settings["signals"] == "usual" else settings["signals"].split(","),
                attempts=settings["attempts"],
                seed=int(settings["seed"]),
                where=_pairs(settings.get("where", "")),
                fingerprint=_pairs(settings.get("fingerprint", "")),
                floor=_floats(settings.get("floor", "")),
                vetoes=settings["vetoes"] == "true",
            )
        except (KeyError, ValueError) as error:
            raise ConfigError(f"these are no settings of a calibration ({error}): calibrate again") from error

    @property
    def rescored(self) -> bool:
        """Whether the calls get another risk than the recorded one."""
        return self.combiner is not Combiner.RECORDED

    @property
    def tier_delta(self) -> float:
        """What the promise of one tier may fail with."""
        return self.delta / len(self.alphas) if self.simultaneous else self.delta

    def check(self, calls: Calls) -> None:
        """Refuse retried calls where the policy is said to retry nothing."""
        retried = (calls.attempt > 0) | (calls.route == ROUTES.index(Route.RETRY))
        if self.attempts is Retries.ALL and retried.any():
            place = calls.where(int(needed("numpy").flatnonzero(retried)[0]))
            raise ConfigError(
                f"{place} was planned again, and retries change the risk: calibrate with attempts 'strata' or 'loop', "
                "or leave retried calls out if the policy retries no more"
            )

    def settings(self) -> dict[str, str]:
        """What was asked for, in words."""
        combiner = self.combiner.value if isinstance(self.combiner, Combiner) else f"model {self.combiner.digest}"
        found = {
            "attempts": self.attempts.value,
            "combiner": combiner,
            "confidence": f"{1 - self.delta:.12g}",
            "cuts": self.cuts.value,
            "seed": str(self.seed),
            "signals": "usual" if self.signals is None else ",".join(self.signals),
            "simultaneous": str(self.simultaneous).lower(),
            "targets": json.dumps({tier.value: f"{alpha!r}" for tier, alpha in self.alphas.items()}),
            "unit": self.unit.value,
            "vetoes": str(self.vetoes).lower(),
        }
        more = {
            "where": self.where,
            "fingerprint": self.fingerprint,
            "floor": {tier.value: f"{value!r}" for tier, value in self.floor.items()},
        }
        return found | {name: json.dumps(dict(sorted(values.items()))) for name, values in more.items() if values}

    def assumptions(self, of_risk: str) -> tuple[str, ...]:
        """What the promise takes for granted, in words."""
        found = ["the calls to come are like those that could have been drawn for these labels"]
        if self.cuts is Cuts.LABELS:
            found.append("calls of more risk are not wrong less often (calibrate with cuts 'traffic' to do without)")
        if self.unit is Unit.CALL:
            found.append("whether one call is wrong tells nothing about the others, beyond their risk")
        else:
            found.append("the promise is about a call drawn from a task that was drawn")
        if self.attempts is not Retries.ALL:
            found.append("the policy retries as it did when these calls were recorded")
        return (*found, *([of_risk] if of_risk else []))


def _targets(target_error: Mapping[str, float]) -> dict[Tier, float]:
    if not target_error:
        raise ConfigError("no tier has a target; say for example target_error={'low': 0.2} (--target low=0.2)")
    found = {}
    for name, alpha in target_error.items():
        if name not in TIERS:
            raise ConfigError(f"there is no tier {str(name)!r}; there are: {', '.join(TIERS)}")
        if name == Tier.CRITICAL:
            raise ConfigError("a critical call has no target error: a human always decides; leave it out")
        if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < 1:
            raise ConfigError(f"the target error of {name} is {alpha!r}: it must lie between 0 and 1, such as 0.05")
        found[Tier(name)] = float(alpha)
    return {tier: found[tier] for tier in TIERS if tier in found}


def _delta(confidence: float) -> float:
    if isinstance(confidence, bool) or not isinstance(confidence, int | float) or not 0 < confidence < 1:
        raise ConfigError(f"the confidence is {confidence!r}: it must lie between 0 and 1, such as 0.95")
    # 1 - 0.95 is 0.050000000000000044
    return round(1 - confidence, 12)


def _choice(kind: type[E], value: str, option: str) -> E:
    try:
        return kind(value)
    except ValueError as error:
        raise ConfigError(f"{option} is {value!r}; it must be one of: {', '.join(kind)}") from error


def _floors(floor: Mapping[str, float], combiner: object) -> dict[Tier, float]:
    if floor and combiner != Combiner.RECORDED:
        raise ConfigError(
            "a floor is a risk below which labels were drawn, and that is the recorded one: give combiner='recorded'"
        )
    for name, value in floor.items():
        if name not in TIERS or isinstance(value, bool) or not 0 < value <= 1:
            raise ConfigError(f"the floor of {name!r} is {value!r}: give a tier's floor between 0 and 1")
    return {Tier(name): float(value) for name, value in floor.items()}


def _pairs(text: str) -> dict[str, str]:
    return dict(json.loads(text)) if text else {}


def _floats(text: str) -> dict[str, float]:
    return {key: float(value) for key, value in _pairs(text).items()}
