"""How many samples a policy draws on recorded cases, what it decides, and how well what it drew ranks the plans.

``full`` draws all; ``curtailed`` stops where the rest cannot change the route (thresholds are the package's
defaults, and the route must be the same for every case). ``bayesian`` asks for all recorded samples to agree and looks
once, at half of them: it stops where the predicted end has a probability of at least 1 - ``ERROR``, with the prior fitted
to the counts of the other folds, without labels. Its score is the expected share of agreeing samples, and, calibrated
as deployed, the risk that is cross-fitted with that share in place of agreement.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from guardrail.calibration import Row, auroc, fit_prior, fit_risk, fold_of
from guardrail.clustering import Entailment
from guardrail.engine.scoring import Replayed, replay
from guardrail.errors import ConfigError
from guardrail.policy import Policy, Stopping, StoppingRule
from guardrail.policy.defaults import TIER_DEFAULTS
from guardrail.sampling.stopping import posterior_mean
from guardrail.types import Case, Tier

ERROR = 0.15


def samples_of(
    cases: Sequence[Case], rows: Sequence[Row], entailment: Entailment, *, folds: int, seed: int
) -> dict[str, Any]:
    """What ``--json`` prints as ``samples``: the default policy, its other tiers, and the Bayesian rule by N.

    ``rows`` are the signals of the cases, over all their samples.
    """
    signals = {row.id: row for row in rows}
    calling = [case for case in cases if case.planned.calls]
    if not calling:
        return {}
    most = max(len(case.samples) for case in calling)
    drawn = {
        tier: _lossless([case for case in calling if len(case.samples) >= min(n, most)], tier, min(n, most), entailment)
        for tier in (Tier.HIGH, Tier.MEDIUM, Tier.LOW)
        for n in (TIER_DEFAULTS[tier].samples,)
    }
    found: dict[str, Any] = {**drawn[Tier.HIGH]}
    found["tiers"] = {tier.value: figures for tier, figures in drawn.items()}
    sizes = sorted({len(case.samples) for case in calling}, reverse=True)
    by_size = {}
    for size in sizes:
        of_size = [case for case in calling if len(case.samples) == size]
        figures = _bayesian(of_size, signals, size, entailment, folds=folds, seed=seed) if size > 2 else None
        if figures is not None:
            by_size[size] = figures
    if by_size:
        largest = max(by_size, key=lambda size: by_size[size]["n"])
        found["bayesian"] = by_size[largest]
        found["bayesian_by_n"] = {str(size): figures for size, figures in by_size.items()}
    return found


def _lossless(cases: Sequence[Case], tier: Tier, n: int, entailment: Entailment) -> dict[str, Any]:
    policy = Policy(default=tier)
    runs = {
        curtail: [replay(case, policy, n=n, entailment=entailment, curtail=curtail) for case in cases]
        for curtail in (False, True)
    }
    full, curtailed = (_drawn(runs[curtail]) for curtail in (False, True))
    right = [bool(case.correct) for case in cases]
    return {
        "n": len(cases),
        "asked": n,
        "full": {"samples": full / len(cases), "auroc": auroc(_scores(runs[False]), right), "rounds": 1.0},
        "curtailed": {
            "samples": curtailed / len(cases),
            "saved": 1 - curtailed / full if full else 0.0,
            "auroc": auroc(_scores(runs[True]), right),
            "different_verdicts": _different(runs[False], runs[True]),
            "rounds": sum(run.rounds for run in runs[True]) / len(cases),
        },
    }


def _bayesian(
    cases: Sequence[Case], signals: Mapping[str, Row], n: int, entailment: Entailment, *, folds: int, seed: int
) -> dict[str, Any] | None:
    """None where there are too few cases to fit a prior on the other folds."""
    rows = [signals[case.id] for case in cases]
    whole = [replay(case, _unanimous(n), n=n, entailment=entailment, curtail=False) for case in cases]
    counts = [_counts(run) for run in whole]
    try:
        fold = fold_of(rows, folds, seed)
        priors = [
            fit_prior(pair for pairs, of in zip(counts, fold, strict=True) if of != number for pair in pairs)
            for number in range(folds)
        ]
    except ConfigError:
        return None
    stopped = [
        replay(case, _unanimous(n, priors[of]), n=n, entailment=entailment)
        for case, of in zip(cases, fold, strict=True)
    ]
    right = [row.right for row in rows]
    scores = _scores(stopped)
    drawn, full = _drawn(stopped), _drawn(whole)
    fewer = [replace(row, signals={**row.signals, "agreement": score}) for row, score in zip(rows, scores, strict=True)]
    return {
        "n": len(cases),
        "asked": n,
        "looks": [(n + 1) // 2],
        "error": ERROR,
        "priors": priors,
        "samples": drawn / len(cases),
        "saved": 1 - drawn / full if full else 0.0,
        "auroc": auroc(scores, right),
        "auroc_full": auroc(_scores(whole), right),
        "risk_auroc": _risk_auroc(fewer, folds=folds, seed=seed),
        "risk_auroc_full": _risk_auroc(rows, folds=folds, seed=seed),
        "different_verdicts": _different(whole, stopped),
    }


def _risk_auroc(rows: Sequence[Row], *, folds: int, seed: int) -> float | None:
    """Of the risk from what is free, what was asked, and agreement: what a stopped call still has."""
    usual = ("logprob_sum", "logprob_turn", "agreement", "p_true")
    names = [name for name in usual if any(row.signals.get(name) is not None for row in rows)]
    try:
        held = fit_risk(rows, signals=names, folds=folds, seed=seed).held
    except ConfigError:
        return None
    known = [(-one.index, row.right) for one, row in zip(held, rows, strict=True) if one.index is not None]
    return auroc([score for score, _ in known], [good for _, good in known]) if known else None


def _unanimous(n: int, prior: tuple[float, float] | None = None) -> Policy:
    settings = replace(TIER_DEFAULTS[Tier.HIGH], samples=n)
    if prior is not None:
        stopping = Stopping(rule=StoppingRule.BAYESIAN, error=ERROR, prior=prior)
        settings = replace(settings, stopping=stopping, waves=((n + 1) // 2, n - (n + 1) // 2))
    return Policy(tiers={Tier.HIGH: settings})


def _drawn(runs: Sequence[Replayed]) -> int:
    return sum(run.verdict.drawn for run in runs)


def _counts(run: Replayed) -> list[tuple[int, int]]:
    return [(one.agreeing, one.agreeing + one.disagreeing) for one in run.verdict.verdicts]


def _different(one: Sequence[Replayed], other: Sequence[Replayed]) -> int:
    routes = [[[verdict.route for verdict in run.verdict.verdicts] for run in runs] for runs in (one, other)]
    return sum(a != b for a, b in zip(*routes, strict=True))


def _scores(runs: Sequence[Replayed]) -> list[float]:
    """The share that is expected to agree, of the most doubtful call; the prior is flat, and the same for all folds."""
    return [min(posterior_mean(one.agreeing, one.disagreeing) for one in run.verdict.verdicts) for run in runs]
