"""Calibrated policies whose evidence holds, for tests."""

from __future__ import annotations

from typing import Any

from scipy import stats

from guardrail.types import Attempts, CalibratedPolicy, CalibratedTier, Refusal, RefusalCode, Threshold, Tier


def a_threshold(
    below: float | None = 0.2,
    *,
    executed: int = 100,
    wrong: int = 1,
    n: int = 150,
    errors: int = 20,
    alpha: float = 0.1,
    delta: float = 0.05,
    attempts: Attempts = Attempts.ALL,
    **more: Any,
) -> Threshold:
    """A threshold with the p-value and the bound that its counts have; ``below`` None: a refusal."""
    if below is None:
        refusal = Refusal(code=RefusalCode.TOO_FEW_LABELS, message="label more")
        return Threshold(attempts=attempts, alpha=alpha, delta=delta, n=n, errors=errors, refusal=refusal, **more)
    return Threshold(
        attempts=attempts,
        alpha=alpha,
        delta=delta,
        execute_below=below,
        n=n,
        errors=errors,
        executed=executed,
        executed_errors=wrong,
        coverage=executed / n,
        p_value=float(stats.binom.cdf(wrong, executed, alpha)),
        upper=1.0 if wrong == executed else float(stats.beta.ppf(1 - delta, wrong + 1, executed - wrong)),
        start=min(50, executed),
        **more,
    )


def a_tier(tier: Tier = Tier.MEDIUM, *thresholds: Threshold, **more: Any) -> CalibratedTier:
    """A tier with these thresholds; without any, with one for all its calls."""
    given = thresholds or (a_threshold(),)
    more = {"alpha": given[0].alpha, "delta": sum(one.delta for one in given), **more}
    return CalibratedTier(tier=tier, thresholds=given, **more)


def a_policy(*tiers: CalibratedTier, **more: Any) -> CalibratedPolicy:
    """A proposal with these tiers; without any, with a medium one."""
    return CalibratedPolicy(tiers=tiers or (a_tier(),), **{"method": "test", **more})
