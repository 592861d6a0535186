"""Curves and measures of the calls that a threshold was tested on."""

from __future__ import annotations

from typing import Any, Final

from guardrail.calibration import metrics
from guardrail.calibration.calibrated_file import EVERYTHING
from guardrail.calibration.libraries import needed
from guardrail.calibration.promise import clopper_pearson_lower, clopper_pearson_upper
from guardrail.cli.report.content import Bin, Quality, RiskPoint

POINTS: Final = 150
_NULL_MOST: Final = 20_000
"""Beyond so many calls chance gives next to nothing, and the ECE of exact probabilities is taken over a part."""
_MISS: Final = 0.025


def curve(risk: Any, wrong: Any) -> tuple[RiskPoint, ...]:
    """Risk and coverage at the calls' own risks (at most ``POINTS`` of them), strictest first. A NaN never runs."""
    np = needed("numpy")
    known = ~np.isnan(risk)
    order = np.argsort(risk[known], kind="stable")
    ranked = risk[known][order]
    errors = np.cumsum(wrong[known][order])
    cuts = np.append(np.flatnonzero(np.diff(ranked) > 0) + 1, len(ranked)) if len(ranked) else np.array([], dtype=int)
    if len(cuts) > POINTS:
        cuts = cuts[np.unique(np.rint(np.linspace(0, len(cuts) - 1, POINTS)).astype(int))]
    below = np.append(ranked, EVERYTHING)
    return tuple(
        RiskPoint(
            execute_below=float(below[k]),
            coverage=k / len(risk),
            executed=k,
            errors=wrong_ones,
            error=wrong_ones / k,
            low=clopper_pearson_lower(wrong_ones, k, _MISS),
            high=clopper_pearson_upper(wrong_ones, k, _MISS),
        )
        for k, wrong_ones in zip(cuts.tolist(), errors[cuts - 1].tolist() if len(cuts) else [], strict=True)
    )


def quality(name: str, risk: Any, wrong: Any, *, seed: int = 0) -> Quality | None:
    """The measures of a risk in [0, 1]; None where no call has it (NaN)."""
    np = needed("numpy")
    known = np.isfinite(risk)
    if not known.any():
        return None
    said, right = risk[known], ~wrong[known]
    sure = 1 - said
    some = sure[np.unique(np.rint(np.linspace(0, len(sure) - 1, min(len(sure), _NULL_MOST))).astype(int))]
    bins = reversed(metrics.reliability(sure, right))
    return Quality(
        name=name,
        n=int(known.sum()),
        auroc=metrics.auroc(sure, right),
        aurc=metrics.aurc(sure, right),
        excess_aurc=metrics.excess_aurc(sure, right),
        brier=metrics.brier(sure, right),
        log_loss=metrics.log_loss(sure, right),
        ece=metrics.ece(sure, right),
        ece_debiased=metrics.ece_debiased(sure, right),
        ece_null=metrics.ece_null(some, seed=seed),
        bins=tuple(Bin(risk=1 - one.predicted, wrong=1 - one.observed, n=one.n) for one in bins),
    )
