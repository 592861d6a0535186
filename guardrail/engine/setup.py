"""What a guard measures with: checked once, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from guardrail.catalogue import RISK
from guardrail.engine.evidence import Risk, Tools
from guardrail.errors import ConfigError
from guardrail.policy import Policy, StoppingRule
from guardrail.signals import Measure, Registry
from guardrail.types import CalibratedPolicy

if TYPE_CHECKING:
    from guardrail.engine.calibrated import Calibration

_SHORT: Final = 12


def tools_for(policy: Policy, *, signals: Iterable[Measure], risk_model: Risk | None, asks: bool) -> Tools:
    """Registry and risk model for a policy; without a model of the caller's, the one that the policy names.

    Raises:
        ConfigError: a signal is not known, a tier rests on a risk that nothing computes, or the risk model rests on
            nothing but the model's own word or cannot be read.
    """
    registry = Registry(signals)
    risk = risk_model if risk_model is not None else _loaded(policy)
    if risk is not None:
        _check(risk, registry)
    for tier, settings in policy.settings.items():
        names = {*settings.signals, *(name for stage in settings.cascade for name in stage.named)}
        if settings.max_risk is not None:
            names.add(RISK.name)
        if RISK.name in names and risk is None:
            raise ConfigError(
                f"tiers.{tier} asks for a risk, and there is no risk model: name its file under 'risk_model' in the "
                "policy, or give the guard one (risk_model=RiskModel.load(path))"
            )
        for name in sorted(names - {RISK.name}):
            registry.get(name)
    return Tools(registry=registry, risk=risk, asks=asks)


def calibration_for(policy: Policy, tools: Tools) -> Calibration | None:
    """The calibration that the policy names, adopted and about the risk model that runs; None where it names none.

    Raises:
        ConfigError: it cannot be read, nobody has adopted it, it is about another risk model, or a tier of it has
            another rule of its own.
    """
    if policy.calibration is None:
        return None
    from guardrail.calibration import load_calibration
    from guardrail.engine.calibrated import Calibration

    found, name = load_calibration(policy.calibration), policy.calibration
    if not found.adopted_by:
        raise ConfigError(
            f"{name} is a proposal that nobody has adopted: look at it with `guardrail policy diff`, then "
            "`guardrail policy adopt`"
        )
    check_calibration(policy, found, tools, name)
    return Calibration(found, policy.uncalibrated)


def check_calibration(policy: Policy, calibration: CalibratedPolicy, tools: Tools, name: str) -> None:
    """Whether a calibration, ``name`` in messages, is one for this policy and this risk model.

    Raises:
        ConfigError: no.
    """
    runs = "" if tools.risk is None else tools.risk.digest
    if calibration.risk_model != runs:
        raise ConfigError(
            f"{name} was calibrated on the risk model {_short(calibration.risk_model)}, and the one that runs "
            f"({policy.risk_model or 'given to the guard'}) is {_short(runs)}: put back the risk model that was "
            "adopted with it, or calibrate with the new one"
        )
    for one in calibration.tiers:
        settings = policy.settings[one.tier]
        if settings.max_risk is not None:
            raise ConfigError(
                f"tiers.{one.tier}.max_risk is {settings.max_risk:g} in the policy, and {name} has a calibrated "
                "threshold for that tier: remove max_risk from the policy, and the calibration decides"
            )
        if settings.stopping.rule is StoppingRule.BAYESIAN:
            raise ConfigError(
                f"tiers.{one.tier}.stopping: bayesian stopping foretells the agreement of all samples, and in {name} "
                "a risk decides: write 'lossless' in the policy"
            )


def _short(digest: str) -> str:
    return digest[:_SHORT] or "none"


def _loaded(policy: Policy) -> Risk | None:
    if policy.risk_model is None:
        return None
    from guardrail.calibration import RiskModel

    return RiskModel.load(policy.risk_model)


def _check(risk: Risk, registry: Registry) -> None:
    infos = [registry.get(name).info for name in risk.signals]
    if all(info.self_reported for info in infos):
        raise ConfigError(
            f"the risk model rests on {', '.join(risk.signals) or 'nothing'} alone, which is the model's word for "
            "itself; a tier cannot stand on it: fit one with a signal that is measured, such as agreement"
        )
