"""The tables of ``guardrail bench``."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from guardrail.calibration import Calibrated, Interval, Measured
from guardrail.cli.bench.analysis import Findings

_SHOWN = 5
_ROUND = 0.05


def tables(found: Findings) -> Iterator[RenderableType]:
    """Everything that the terminal shows, in order."""
    yield _signals(found)
    yield from _notes(found)
    yield _ece(found)
    if found.fewer:
        yield _fewer(found)
    for name, counts in found.stated.items():
        if counts:
            yield _clumps(name, counts)
    yield from _differences(found)


def _signals(found: Findings) -> Table:
    evaluation = found.evaluation
    table = Table(
        title=f"{evaluation.n} plans, {evaluation.errors} wrong ({evaluation.error_rate:.1%}), "
        f"{evaluation.groups} groups, {evaluation.folds} folds, seed {evaluation.seed}, judge {found.backend}",
        title_justify="left",
    )
    for column in ("signal", "calls", "AUROC", "95 % interval", "AURC", "excess", "Brier", "log loss", "missing"):
        table.add_column(column, justify="left" if column == "signal" else "right")
    ranked = sorted(evaluation.signals, key=lambda one: (-(one.value("auroc") or 0.0), one.name))
    for one in ranked:
        table.add_row(one.name, f"{found.costs[one.name]:g}", *_row(one), str(one.missing))
    if evaluation.combined is not None:
        table.add_section()
        table.add_row("risk (combined)", "", *_row(evaluation.combined), str(evaluation.combined.missing), style="bold")
    return table


def _row(one: Measured) -> tuple[str, ...]:
    area = one.intervals.get("auroc")
    return (
        _number(one.value("auroc")),
        "-" if area is None else _between(area),
        *(_number(one.value(name)) for name in ("aurc", "excess_aurc", "brier", "log_loss")),
    )


def _notes(found: Findings) -> Iterator[Text]:
    evaluation = found.evaluation
    yield Text("calls: extra model calls a plan. Brier, log loss and ECE: of P(right) fitted on the other folds.")
    if found.unlabelled or found.silent:
        yield Text(f"left out: {found.unlabelled} cases without a label, {found.silent} plans without a call")
    if evaluation.no_model:
        yield Text(f"no combined risk: {evaluation.no_model}")
    if evaluation.repeats:
        areas = [repeat["auroc"] for repeat in evaluation.repeats if "auroc" in repeat]
        if areas:
            yield Text(f"the combined risk over {len(areas)} splits: AUROC {min(areas):.3f} to {max(areas):.3f}")


def _ece(found: Findings) -> Table:
    table = Table(title="expected calibration error, bins of equal mass", title_justify="left")
    table.add_column("signal")
    for column in ("before", "debiased", "null", "after", "debiased", "null"):
        table.add_column(column, justify="right")
    shown = [*found.evaluation.signals, *([found.evaluation.combined] if found.evaluation.combined else [])]
    for one in shown:
        if one.before is not None or one.after is not None:
            table.add_row(one.name, *_calibration(one.before), *_calibration(one.after))
    table.caption = "null: what exact probabilities would have at this number of plans"
    return table


def _calibration(one: Calibrated | None) -> tuple[str, str, str]:
    if one is None:
        return ("-", "-", "-")
    return (_number(one.ece), _number(one.ece_debiased), _number(one.ece_null))


def _fewer(found: Findings) -> Table:
    table = Table(title="AUROC over the first n samples", title_justify="left")
    table.add_column("signal")
    sizes = found.fewer[0].sizes
    for size in sizes:
        table.add_column(str(size), justify="right")
    for one in found.fewer:
        known = dict(zip(one.sizes, one.aurocs, strict=True))
        table.add_row(one.name, *(_number(known.get(size)) for size in sizes))
    return table


def _clumps(name: str, counts: dict[float, int]) -> Text:
    total = sum(counts.values())
    rounded = sum(n for value, n in counts.items() if abs(value / _ROUND - round(value / _ROUND)) < 1e-6)
    most = ", ".join(f"{value:g} ({n / total:.0%})" for value, n in list(counts.items())[:_SHOWN])
    return Text(
        f"{name}: {total} stated numbers take {len(counts)} values, {rounded / total:.0%} of them multiples of 0.05; "
        f"most often {most}"
    )


def _differences(found: Findings) -> Iterator[Text]:
    """The combined risk against the strongest signals: what the intervals support, and what they do not."""
    evaluation = found.evaluation
    if evaluation.combined is None:
        return
    ranked = sorted(evaluation.signals, key=lambda one: -(one.value("auroc") or 0.0))[:3]
    for one in ranked:
        for difference in evaluation.differences:
            if (difference.one, difference.other) == (evaluation.combined.name, one.name):
                yield Text(difference.sentence, style="" if difference.decided else "dim")


def _between(interval: Interval) -> str:
    return f"{interval.low:.3f} to {interval.high:.3f}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
