"""What a guard measures with: checked once, before anything is measured."""

from __future__ import annotations

from collections.abc import Iterable

from guardrail.catalogue import RISK
from guardrail.engine.evidence import Risk, Tools
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.signals import Measure, Registry


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
