"""Pictures of what the benchmark found. Needs matplotlib, and draws without a display."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from guardrail.errors import ConfigError, MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS: Final = ("svg", "png", "pdf")
_LINES: Final = ("-", "--", "-.", ":")
_COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
"""Okabe and Ito's colours, which the colour-blind tell apart; line styles tell the rest."""


@dataclass(frozen=True, kw_only=True)
class Curve:
    """A line through points. ``note`` stands behind the name in the legend, ``low`` and ``high`` are a band."""

    name: str
    x: Sequence[float]
    y: Sequence[float]
    note: str = ""
    low: Sequence[float] | None = None
    high: Sequence[float] | None = None


@dataclass(frozen=True, kw_only=True)
class Bins:
    """A reliability diagram: in each bin the mean of the predicted probabilities, the share that was right, and n."""

    name: str
    predicted: Sequence[float]
    observed: Sequence[float]
    sizes: Sequence[int]
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Priced:
    """A signal's worth beside its price: extra model calls a plan, AUROC and its interval."""

    name: str
    calls: float
    auroc: float
    low: float
    high: float


def roc(curves: Sequence[Curve], path: Path) -> Path:
    """ROC curves: share of right plans kept against share of wrong plans kept, over all thresholds."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        _lines(axes, curves)
        axes.set(xlabel="wrong plans kept", ylabel="right plans kept", xlim=(0, 1), ylim=(0, 1.01))

    return _figure(draw, path, title="ROC")


def risk_coverage(curves: Sequence[Curve], path: Path, *, base: float) -> Path:
    """Error among the plans executed against the share executed, most certain first. ``base`` is the error of all."""

    def draw(axes: Axes) -> None:
        axes.axhline(base, color="0.7", linewidth=1)
        _lines(axes, curves)
        top = max([base, *(y for curve in curves for x, y in zip(curve.x, curve.y, strict=True) if x > 0.05)])
        axes.set(xlabel="coverage: share executed", ylabel="error among them", xlim=(0, 1), ylim=(0, 1.1 * top or 1))

    return _figure(draw, path, title="Risk and coverage")


def reliability(bins: Sequence[Bins], path: Path) -> Path:
    """Predicted probability against the share that was right; a dot's area grows with its number of plans."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
        for place, one in enumerate(bins):
            colour = _COLOURS[place % len(_COLOURS)]
            most = max(one.sizes, default=1)
            axes.plot(one.predicted, one.observed, _LINES[place % len(_LINES)], color=colour, linewidth=1)
            areas = [10 + 70 * size / most for size in one.sizes]
            axes.scatter(one.predicted, one.observed, s=areas, color=colour, label=_named(one.name, one.note), zorder=3)
        axes.set(xlabel="stated probability of being right", ylabel="share that was right")
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))

    return _figure(draw, path, title="Reliability")


def cost(points: Sequence[Priced], path: Path, *, curves: Sequence[Curve] = ()) -> Path:
    """AUROC against extra model calls a plan; ``curves`` are signals that can be had for fewer samples."""

    def draw(axes: Axes) -> None:
        _lines(axes, curves)
        for place, point in enumerate(points, start=len(curves)):
            colour = _COLOURS[place % len(_COLOURS)]
            spread = [[max(0.0, point.auroc - point.low)], [max(0.0, point.high - point.auroc)]]
            rank = sum(other.calls == point.calls for other in points[: place - len(curves)])
            shift = (rank - 1) * 0.25  # signals of one price stand side by side
            axes.errorbar(
                [point.calls + shift], [point.auroc], yerr=spread, fmt="o", color=colour, capsize=2, label=point.name
            )
        axes.set(xlabel="extra model calls a plan", ylabel="AUROC with 95 % interval")

    return _figure(draw, path, title="What a signal costs and tells")


def lines(curves: Sequence[Curve], path: Path, *, title: str, x: str, y: str) -> Path:
    """Curves over a logarithmic scale from left to right, and from 0 up."""

    def draw(axes: Axes) -> None:
        _lines(axes, curves)
        axes.set_xscale("log")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(x)
        axes.set_ylabel(y)

    return _figure(draw, path, title=title)


def clumps(counts: Sequence[tuple[float, int]], path: Path, *, name: str) -> Path:
    """How often a model states each confidence: stated numbers clump at round values."""

    def draw(axes: Axes) -> None:
        axes.bar([value for value, _ in counts], [count for _, count in counts], width=0.01, color=_COLOURS[0])
        axes.set(xlabel="stated confidence", ylabel="plans", xlim=(-0.02, 1.02))

    return _figure(draw, path, title=name)


def _lines(axes: Axes, curves: Sequence[Curve]) -> None:
    for place, curve in enumerate(curves):
        colour, line = _COLOURS[place % len(_COLOURS)], _LINES[place // len(_COLOURS) % len(_LINES)]
        axes.plot(curve.x, curve.y, line, color=colour, linewidth=1.5, label=_named(curve.name, curve.note))
        if curve.low is not None and curve.high is not None:
            axes.fill_between(curve.x, curve.low, curve.high, color=colour, alpha=0.12, linewidth=0)


def _named(name: str, note: str) -> str:
    return f"{name} ({note})" if note else name


def _figure(draw: Callable[[Axes], None], path: Path, *, title: str) -> Path:
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing pictures", "bench") from error
    # the same data gives the same file: no date, no random ids in it
    metadata: dict[str, Any] = {"Date": None} if path.suffix == ".svg" else {}
    with rc_context(
        {"svg.hashsalt": "guardrail", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure = Figure(figsize=(7.2, 4.6), layout="constrained")
        axes = figure.add_subplot()
        draw(axes)
        axes.set_title(title, loc="left")
        if axes.get_legend_handles_labels()[0]:
            figure.legend(loc="outside right upper", frameon=False, fontsize=8)
        try:
            figure.savefig(path, metadata=metadata)
        except (OSError, ValueError) as error:
            raise ConfigError(f"cannot write the picture {path}: {error}") from error
    return path
