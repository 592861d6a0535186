"""Whether the stages of a tier's cascade can decide what they are to decide, and may."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from guardrail import catalogue
from guardrail.catalogue import RISK
from guardrail.policy.defaults import TIER_DEFAULTS, TierSettings
from guardrail.policy.problems import PolicyProblem, unknown
from guardrail.policy.stages import Condition, Op, Stage
from guardrail.types import Safer, SignalInfo, Tier

_ROUNDING: Final = 1e-9
_LEAST: Final = 2
"""Samples of which one can say that they agree."""
_UPWARD: Final = (Op.GE, Op.GT)
_DOWNWARD: Final = (Op.LE, Op.LT)


def real(value: object) -> bool:
    """Whether it is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def whole(value: object, least: int, most: int) -> bool:
    """Whether it is a whole number in that range."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= most


def check_known(name: str, path: str) -> SignalInfo:
    """What is known of the signal of that name.

    Raises:
        PolicyProblem: there is none.
    """
    found = catalogue.info(name)
    if found is None:
        raise PolicyProblem(path, unknown("signal", name, (*catalogue.names(), RISK.name)))
    return found


def own_word(names: Iterable[str]) -> list[str]:
    """Those of the signals that are the model's word for itself."""
    return [name for name in names if (info := catalogue.info(name)) is not None and info.self_reported]


def drawn_by(stages: Sequence[Stage]) -> int:
    """How many samples these stages have drawn in all."""
    return max((stage.samples for stage in stages), default=0)


def check_cascade(tier: Tier, settings: TierSettings, path: str) -> None:
    """Whether each stage before the last draws more than the one before, decides something, and may.

    Raises:
        PolicyProblem: the first that does not.
    """
    for index, stage in enumerate(settings.cascade):
        place = f"{path}.cascade[{index}]"
        _check_samples(stage, drawn_by(settings.cascade[:index]), settings.samples, f"{place}.samples")
        if not stage.conditions:
            raise PolicyProblem(place, "decides nothing; give it 'execute' or 'doubt', or remove it")
        for name in stage.signals:
            _check_measurable(check_known(name, f"{place}.signals"), stage, f"{place}.signals")
        for side, conditions in (("execute", stage.execute), ("doubt", stage.doubt)):
            _check_conditions(conditions, stage, f"{place}.{side}", safe=side == "execute")
        _check_apart(stage, place)
        if stage.execute:
            _check_grounds(tier, settings, stage, f"{place}.execute")


def _check_samples(stage: Stage, drawn: int, most: int, path: str) -> None:
    if stage.samples != 0 and not whole(stage.samples, _LEAST, most):
        raise PolicyProblem(
            path, f"must be a whole number from {_LEAST} to the {most} of the tier, not {stage.samples!r}"
        )
    if drawn and stage.samples <= drawn:
        raise PolicyProblem(
            path, f"is {stage.samples}, and an earlier stage has drawn {drawn} already; samples must grow"
        )


def _check_measurable(info: SignalInfo, stage: Stage, path: str) -> None:
    if info.sampled and stage.samples < _LEAST:
        raise PolicyProblem(
            path, f"{info.name!r} is measured over samples; give the stage 'samples', at least {_LEAST}"
        )


def _check_conditions(conditions: Sequence[Condition], stage: Stage, path: str, *, safe: bool) -> None:
    seen: set[str] = set()
    for condition in conditions:
        place = f"{path}.{condition.signal}"
        info = check_known(condition.signal, place)
        if condition.signal in seen:
            raise PolicyProblem(place, "is compared twice; keep one bound")
        seen.add(condition.signal)
        _check_measurable(info, stage, place)
        _check_bound(condition, info, place, safe=safe)


def _check_bound(condition: Condition, info: SignalInfo, path: str, *, safe: bool) -> None:
    op, value = condition.op, condition.value
    if not real(value):
        raise PolicyProblem(path, f"must be compared with a number, not {value!r}")
    ops = _UPWARD if (info.safer is Safer.HIGH) is safe else _DOWNWARD
    if op not in ops:
        raise PolicyProblem(
            f"{path}.{op}",
            f"points the wrong way: a {info.safer} {info.name} speaks for the call, so "
            f"'{'execute' if safe else 'doubt'}' takes '{ops[0]}' or '{ops[1]}'",
        )
    if not info.low <= value <= info.high:
        raise PolicyProblem(
            f"{path}.{op}", f"{info.name} is from {info.low:g} to {info.high:g}, and never reaches {value:g}"
        )
    if (op is Op.GE and value <= info.low) or (op is Op.LE and value >= info.high):
        raise PolicyProblem(f"{path}.{op}", f"holds for every {info.name} there is; write a bound that can fail")
    if (op is Op.GT and value >= info.high) or (op is Op.LT and value <= info.low):
        raise PolicyProblem(f"{path}.{op}", f"holds for no {info.name} there is; write a bound that can be met")


def _check_apart(stage: Stage, path: str) -> None:
    for fine in stage.execute:
        for bad in stage.doubt:
            if fine.signal == bad.signal and _meet(fine, bad):
                raise PolicyProblem(
                    f"{path}.doubt.{bad.signal}",
                    f"overlaps with 'execute': some {bad.signal} would do both; leave a gap between the two bounds",
                )


def _meet(fine: Condition, bad: Condition) -> bool:
    """Whether a value fulfils both of two conditions that point in opposite directions."""
    inward = fine.value < bad.value if fine.op in _UPWARD else fine.value > bad.value
    return inward or (fine.holds(fine.value) and bad.holds(fine.value))


def _check_grounds(tier: Tier, settings: TierSettings, stage: Stage, path: str) -> None:
    """Whether a call of that tier may run on these conditions alone."""
    named = {condition.signal: condition.value for condition in stage.execute}
    own = own_word(named)
    if len(own) == len(named):
        raise PolicyProblem(
            path, f"{', '.join(own)} alone is the model's word for itself; no call may run on it: add another signal"
        )
    if tier is Tier.LOW:
        return
    if stage.samples < _LEAST:
        raise PolicyProblem(
            path, "only low-tier calls may run without samples; give the stage 'samples', or keep only 'doubt'"
        )
    if "agreement" not in named and RISK.name not in named:
        raise PolicyProblem(path, f"a {tier}-tier call runs on 'agreement' or 'risk' over samples; add one of them")
    if settings.agreement is not None and "agreement" not in named:
        raise PolicyProblem(
            path, f"the tier asks for an agreement of {settings.agreement:.3g}; add 'agreement' to this stage"
        )
    least = settings.agreement or TIER_DEFAULTS[tier].agreement or 1.0
    if named.get("agreement", 1.0) < least - _ROUNDING:
        raise PolicyProblem(
            f"{path}.agreement",
            f"{named['agreement']:.3g} is less than the {least:.3g} that the tier asks for; "
            "fewer samples may not need less agreement",
        )
    if settings.max_risk is not None and named.get(RISK.name, 0.0) > settings.max_risk + _ROUNDING:
        raise PolicyProblem(
            f"{path}.risk",
            f"{named[RISK.name]:.3g} is more than the {settings.max_risk:.3g} that the tier allows; "
            "fewer samples may not allow more risk",
        )
