"""What the benchmark found, as plain JSON data."""

from __future__ import annotations

from typing import Any

from guardrail.calibration import Calibrated, Difference, Interval, Measured
from guardrail.cli.bench.analysis import Findings

_MEASURES = ("aurc", "excess_aurc", "brier", "log_loss")


def data_of(found: Findings) -> dict[str, Any]:
    """The figures under the keys of ``python -m tests.benchmarks.signals``, and what the pictures show."""
    evaluation = found.evaluation
    combined = evaluation.combined
    return {
        "n": evaluation.n,
        "error_rate": evaluation.error_rate,
        "groups": evaluation.groups,
        "folds": evaluation.folds,
        "seed": evaluation.seed,
        "samples": found.n,
        "backend": found.backend,
        "left_out": {"unlabelled": found.unlabelled, "without_a_call": found.silent},
        "signals": {one.name: {**_measured(one), "calls": found.costs[one.name]} for one in evaluation.signals},
        "combined": {"reason": evaluation.no_model} if combined is None else _measured(combined),
        "differences": [_difference(one) for one in evaluation.differences],
        "fewer_samples": {one.name: dict(zip(map(str, one.sizes), one.aurocs, strict=True)) for one in found.fewer},
        "stated": {name: {f"{value:g}": n for value, n in counts.items()} for name, counts in found.stated.items()},
    }


def _measured(one: Measured) -> dict[str, Any]:
    area = one.intervals.get("auroc")
    after = one.after
    return {
        "auroc": None if area is None else area.value,
        "ci": None if area is None else [area.low, area.high],
        **{name: one.value(name) for name in _MEASURES},
        "ece": None if after is None else after.ece,
        "ece_debiased": None if after is None else after.ece_debiased,
        "ece_null": None if after is None else after.ece_null,
        "ece_before": _calibrated(one.before),
        "missing": one.missing,
    }


def _calibrated(one: Calibrated | None) -> dict[str, float] | None:
    return None if one is None else {"ece": one.ece, "ece_debiased": one.ece_debiased, "ece_null": one.ece_null}


def _difference(one: Difference) -> dict[str, Any]:
    interval: Interval = one.interval
    return {
        "one": one.one,
        "other": one.other,
        "measure": one.measure,
        "n": one.n,
        "value": interval.value,
        "ci": [interval.low, interval.high],
        "improves": one.improves,
        "decided": one.decided,
    }
