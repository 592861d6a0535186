"""From a YAML file, or its data, to a policy; every complaint has its place. ``make`` is the policy's constructor."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError

from guardrail.errors import PolicyError
from guardrail.policy.complaints import Place, Source, complaint, kind_of, read_file
from guardrail.policy.defaults import FREE, TIER_DEFAULTS, TierSettings
from guardrail.policy.model import BudgetPart, LimitsPart, PolicyFile, PricePart, RedactionPart, RulePart
from guardrail.policy.problems import PolicyProblem
from guardrail.policy.redaction import Redaction
from guardrail.policy.reviewing import Floods, Reviewers, Timeout
from guardrail.policy.reviewing_model import ReviewersPart, TimeoutPart
from guardrail.policy.rules import Rule
from guardrail.policy.stages import Budget, Condition, Limits, Op, Price, Stage, Stopping, StoppingRule
from guardrail.policy.tier_checks import CRITICAL_IS_FIXED
from guardrail.policy.tier_model import BoundPart, LowPart, StagePart, StoppingPart, TiersPart
from guardrail.types import Route, Tier

P = TypeVar("P")

_EMPTY: Final = "is empty; write 'default: {tier: high}' to put every tool into the high tier"


def load(path: str | os.PathLike[str], make: Callable[..., P]) -> P:
    """The policy in a YAML file. Raises ``PolicyError``."""
    data, source = read_file(path)
    if data is None:
        raise PolicyError(f"{source.name}: {_EMPTY}")
    return _build(data, source, make)


def parse(data: Mapping[str, Any], make: Callable[..., P]) -> P:
    """The policy in a mapping of the file's form. Raises ``PolicyError``."""
    source = Source()
    if isinstance(data, Mapping) and not data:
        raise source.error("", _EMPTY)
    return _build(data, source, make)


def _build(data: object, source: Source, make: Callable[..., P]) -> P:
    if not isinstance(data, Mapping):
        raise source.error("", f"must be a mapping with keys such as 'default' and 'tools', not {kind_of(data)}")
    try:
        file = PolicyFile.model_validate(dict(data))
    except ValidationError as error:
        raise complaint(error, data, source, PolicyFile, _unknown_key) from error
    try:
        return make(
            rules=tuple(_rule(part) for part in file.tools or ()),
            default=file.default.tier if file.default else Tier.HIGH,
            tiers=_tiers(file.tiers) if file.tiers else {},
            stated_defaults=file.stated_defaults,
            judge_fallback=file.judge_fallback,
            budget=_budget(file.budget, file.prices or {}),
            risk_model=_beside(source, file.risk_model),
            calibration=_beside(source, file.calibration),
            uncalibrated=file.uncalibrated or "review",
            floods=Floods(open=file.floods.open, per_hour=file.floods.per_hour) if file.floods else Floods(),
            redaction=_redaction(file.redaction) if file.redaction else Redaction(),
        )
    except PolicyProblem as problem:
        raise source.error(problem.path, problem.text) from problem


def _rule(part: RulePart) -> Rule:
    hints = part.annotations.model_dump(exclude_none=True) if part.annotations else {}
    return Rule(
        match=tuple(part.match),
        tier=part.tier,
        when=part.when,
        annotations=hints,
        decisions=None if part.decisions is None else tuple(part.decisions),
        timeout=None if part.timeout is None else _timeout(part.timeout),
        reviewers=None if part.reviewers is None else _reviewers(part.reviewers),
        arguments=part.arguments or {},
    )


def _timeout(part: TimeoutPart) -> Timeout:
    return Timeout(after=part.after, escalate=part.escalate, use=part.use)


def _reviewers(part: ReviewersPart) -> Reviewers:
    return Reviewers(roles=tuple(part.roles or ()), quorum=1 if part.quorum is None else part.quorum)


def _tiers(parts: TiersPart) -> dict[Tier, TierSettings]:
    found: dict[Tier, TierSettings] = {}
    for tier in Tier:
        part: BaseModel | None = getattr(parts, tier.value)
        if part is not None:
            given = {name: _setting(name, getattr(part, name)) for name in part.model_fields_set}
            found[tier] = replace(TIER_DEFAULTS[tier], **_implied(given), **given)
    return found


def _implied(given: Mapping[str, Any]) -> dict[str, Any]:
    """What follows from the keys that are given, for those that are not."""
    implied: dict[str, Any] = {}
    if "max_risk" in given:
        implied["agreement"] = None
    if given.get("samples") == 0:
        implied["signals"] = FREE
    return {name: value for name, value in implied.items() if name not in given}


def _setting(name: str, value: Any) -> Any:
    match name:
        case "signals" | "waves":
            return tuple(value)
        case "unmeasured":
            return Route(value)
        case "cascade":
            return tuple(map(_stage, value))
        case "stopping":
            return _stopping(value)
        case "timeout" | "reviewers":
            return _timeout(value) if name == "timeout" else _reviewers(value)
        case _:
            return value


def _stage(part: StagePart) -> Stage:
    return Stage(
        samples=part.samples or 0,
        signals=tuple(part.signals or ()),
        execute=_conditions(part.execute or {}),
        doubt=_conditions(part.doubt or {}),
    )


def _conditions(bounds: Mapping[str, BoundPart]) -> tuple[Condition, ...]:
    return tuple(
        Condition(signal=signal, op=Op(op), value=getattr(bound, op))
        for signal, bound in bounds.items()
        for op in sorted(bound.model_fields_set)
    )


def _stopping(part: StoppingPart) -> Stopping:
    given: dict[str, Any] = {"rule": StoppingRule(part.rule)}
    if part.error is not None:
        given["error"] = part.error
    if part.prior is not None:
        given["prior"] = tuple(part.prior)
    return Stopping(**given)


def _budget(part: BudgetPart | None, prices: Mapping[str, PricePart]) -> Budget:
    limits = {} if part is None else {name: _limits(getattr(part, name)) for name in part.model_fields_set}
    return Budget(
        **limits,
        prices={name: Price(prompt=price.prompt, completion=price.completion) for name, price in prices.items()},
    )


def _redaction(part: RedactionPart) -> Redaction:
    return Redaction(secrets=part.secrets, paths=tuple(part.paths or ()), sealed=part.sealed)


def _limits(part: LimitsPart) -> Limits:
    return Limits(tokens=part.tokens, seconds=part.seconds, money=part.money)


def _beside(source: Source, path: str | None) -> str | None:
    return path if path is None or source.folder is None else str(source.folder / path)


def _unknown_key(location: Place) -> str | None:
    """What is to be said of keys that belong elsewhere."""
    *parent, key = location
    if parent == ["tiers", "critical"] and key in LowPart.model_fields:
        return CRITICAL_IS_FIXED
    if parent[:1] == ["tiers"] and len(parent) == 2 and key == "logprob":
        return "only low-tier calls may run on log-probability alone; remove it"
    return None
