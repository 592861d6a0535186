"""Which curves go into which picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from guardrail.calibration import Measured, reliability, risk_coverage, roc
from guardrail.catalogue import BUILT_IN
from guardrail.cli.bench import pictures
from guardrail.cli.bench.analysis import Findings
from guardrail.cli.bench.pictures import Bins, Curve, Priced
from guardrail.errors import ConfigError

_CURVES: Final = 5
_RELIABLE: Final = 4
_OF_ONE_PRICE: Final = 3


def draw(found: Findings, folder: Path, suffix: str) -> list[Path]:
    """ROC, risk and coverage, reliability, cost and stated confidence; only what there is data for.

    Raises:
        ConfigError: the folder cannot be written. MissingExtra: matplotlib is not installed.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot write pictures to {folder}: {error.strerror}") from error
    evaluation, right = found.evaluation, found.right
    ranked = sorted(
        (one for one in evaluation.signals if one.value("auroc") is not None),
        key=lambda one: -(one.value("auroc") or 0.0),
    )
    shown = [*([evaluation.combined] if evaluation.combined else []), *ranked[:_CURVES]]
    if not shown:
        return []
    drawn = [
        pictures.roc([_roc(one, right) for one in shown], folder / f"roc{suffix}"),
        pictures.risk_coverage(
            [_coverage(one, right, band=place == 0) for place, one in enumerate(shown)],
            folder / f"risk-coverage{suffix}",
            base=evaluation.error_rate,
        ),
        pictures.cost(
            _best_of_each_price([_priced(one, found) for one in ranked]),
            folder / f"cost{suffix}",
            curves=[Curve(name=f"{one.name}, first n samples", x=one.sizes, y=one.aurocs) for one in found.fewer],
        ),
    ]
    if bins := [_bins(one, right) for one in shown[:_RELIABLE] if any(p is not None for p in one.probabilities)]:
        drawn.append(pictures.reliability(bins, folder / f"reliability{suffix}"))
    for name, counts in found.stated.items():
        if counts:
            title = BUILT_IN[name].title if name in BUILT_IN else name
            drawn.append(pictures.clumps(sorted(counts.items()), folder / f"{name}{suffix}", name=title))
    return drawn


def _best_of_each_price(points: Sequence[Priced]) -> list[Priced]:
    """The few that tell most for their price: more of them could not be told apart. ``points`` are best first."""
    return [
        point
        for place, point in enumerate(points)
        if sum(other.calls == point.calls for other in points[:place]) < _OF_ONE_PRICE
    ]


def _known(values: Sequence[float | None], right: Sequence[bool]) -> tuple[list[float], list[bool]]:
    pairs = [(value, good) for value, good in zip(values, right, strict=True) if value is not None]
    return [value for value, _ in pairs], [good for _, good in pairs]


def _roc(one: Measured, right: Sequence[bool]) -> Curve:
    points = roc(*_known(one.scores, right))
    return Curve(
        name=one.name, x=[x for x, _ in points], y=[y for _, y in points], note=f"AUROC {one.value('auroc'):.2f}"
    )


def _coverage(one: Measured, right: Sequence[bool], *, band: bool) -> Curve:
    points = risk_coverage(*_known(one.scores, right))
    return Curve(
        name=one.name,
        x=[point.coverage for point in points],
        y=[point.error for point in points],
        note=f"AURC {one.value('aurc'):.3f}",
        low=[point.low for point in points] if band else None,
        high=[point.high for point in points] if band else None,
    )


def _bins(one: Measured, right: Sequence[bool]) -> Bins:
    bins = reliability(*_known(one.probabilities, right))
    note = "" if one.after is None else f"ECE {one.after.ece:.3f}, null {one.after.ece_null:.3f}"
    return Bins(
        name=one.name,
        predicted=[one.predicted for one in bins],
        observed=[one.observed for one in bins],
        sizes=[round(one.n) for one in bins],
        note=note,
    )


def _priced(one: Measured, found: Findings) -> Priced:
    area = one.intervals["auroc"]
    assert area is not None
    return Priced(name=one.name, calls=found.costs[one.name], auroc=area.value, low=area.low, high=area.high)
