"""Labelled calls made ready for the test: checked, admitted by tier, and with the risk that they are sorted by."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from guardrail.calibration.admission import Admitted, admitted, by_model, once_each, selected
from guardrail.calibration.asked import Asked, Cuts
from guardrail.calibration.calls import Calls, calls_of, joined, restated
from guardrail.calibration.combining import FIT_ROWS, Scored, cross_fitted, modelled, recorded
from guardrail.calibration.libraries import needed
from guardrail.calibration.options import Combiner, Options
from guardrail.calibration.risk_model import RISK, RiskModel
from guardrail.errors import ConfigError
from guardrail.types import LabelledCall, Refusal, RefusalCode, Tier

Traffic = Mapping[str, Sequence[Mapping[str, float | None]]]
"""Calls without labels, by tier: the value of each signal by name (``risk`` for the recorded one)."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """By tier, what counts and what is asked; ``records`` is the digest of all calls, ``model`` the one to deploy."""

    records: str
    tiers: Mapping[Tier, Admitted]
    asked: Mapping[Tier, Asked]
    model: RiskModel | None
    assumption: str


def prepare(
    records: Iterable[LabelledCall] | Calls,
    options: Options,
    *,
    unanswered: Iterable[LabelledCall],
    ran_unjudged: Mapping[Tier, int] | None,
    traffic: Traffic,
    tell: Callable[[str, float], None],
) -> Prepared:
    """Everything before the test. No label has had a part in its own risk, nor in what is asked.

    Raises:
        ConfigError: a call, or an option of these, cannot be used.
    """
    tell("checking", 0.0)
    given = records if isinstance(records, Calls) else calls_of(records)
    drawn = calls_of(unanswered, answered=False)
    calls = joined([given, drawn]) if len(drawn) else given.ordered()
    calls = selected(restated(calls, options.fingerprint), options.where)
    contradicted = once_each(calls)
    options.check(calls)
    tiers = {
        tier: admitted(calls, tier, contradicted=contradicted, ran_unjudged=ran_unjudged, rescored=options.rescored)
        for tier in options.alphas
    }
    digest = calls.digest()
    tell("fitting the risk", 0.3)
    scored, tiers = _scored(tiers, options, digest)
    model = None if scored is None else scored.model
    cut = options.cuts is Cuts.TRAFFIC
    return Prepared(
        records=digest,
        tiers=tiers,
        asked={
            tier: Asked(
                alpha=alpha,
                delta=options.tier_delta,
                spend=options.tier_delta,
                unit=options.unit,
                retries=options.attempts,
                seed=options.seed,
                vetoes=options.vetoes,
                floor=options.floor.get(tier),
                traffic=_risks(traffic, tier, model) if cut and tiers[tier].refusal is None else None,
            )
            for tier, alpha in options.alphas.items()
        },
        model=model,
        assumption="" if scored is None else scored.assumption,
    )


def _scored(
    tiers: Mapping[Tier, Admitted], options: Options, records: str
) -> tuple[Scored | None, dict[Tier, Admitted]]:
    """The tiers' calls with the risk that they are sorted by; those for which there is none are refused."""
    np = needed("numpy")
    found = dict(tiers)
    usable = [tier for tier, one in tiers.items() if one.refusal is None and len(one.calls)]
    if not usable:
        return None, found
    calls = joined([tiers[tier].calls for tier in usable])
    scored = _one_class(calls) or _risk(calls, options, records)
    if isinstance(scored, Refusal):
        return None, found | {tier: replace(tiers[tier], refusal=scored) for tier in usable}
    for tier in usable:
        one = replace(tiers[tier], calls=replace(calls, risk=scored.risk).take(calls.tier == tier.rank))
        if scored.model is not None:
            one = by_model(one, scored.model.digest, scored.model.signals)
        if one.refusal is None and np.isnan(one.calls.risk).all():
            one = replace(one, refusal=_no_risk(len(one.calls)))
        found[tier] = one
    return scored, found


def _risk(calls: Calls, options: Options, records: str) -> Scored | Refusal:
    if isinstance(options.combiner, RiskModel):
        return modelled(calls, records, options.combiner)
    if options.combiner is Combiner.RECORDED:
        return recorded(calls)
    return cross_fitted(calls, records, signals=options.signals, seed=options.seed, fit_rows=FIT_ROWS)


def _risks(traffic: Traffic, tier: Tier, model: RiskModel | None) -> Any:
    """The risks of unlabelled calls of a tier."""
    found = []
    for call in traffic.get(tier.value, ()):
        values = {name: value for name, value in call.items() if value is not None}
        if not all(map(math.isfinite, values.values())):
            raise ConfigError(f"a call of the traffic has a value that is no finite number: {values}; leave it out")
        risk = values.get(RISK.name) if model is None else model.of(values)
        if risk is not None:
            found.append(risk)
    if not found:
        raise ConfigError(
            f"cuts 'traffic' takes calls without labels, and there is none of {tier.value} that has a risk: give the "
            "signals of calls that the guard has scored, or calibrate with cuts 'labels'"
        )
    return found


def _one_class(calls: Calls) -> Refusal | None:
    wrong, n = int(calls.wrong[calls.answered].sum()), int(calls.answered.sum())
    if wrong not in {0, n}:
        return None
    said = "wrong" if wrong else "right: they may be safe, or labelled without looking"
    return Refusal(
        code=RefusalCode.ONE_CLASS,
        message=f"all {n} labelled calls are {said}. Label calls that are like those to come until both kinds are "
        "among them, and never leave out the ones that are hard to judge",
    )


def _no_risk(n: int) -> Refusal:
    return Refusal(
        code=RefusalCode.NON_FINITE_SCORE,
        message=f"none of {n} labelled calls has a risk: measure the signals that the risk model uses on all of them",
    )
