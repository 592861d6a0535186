"""Plots as SVG to stand in the page: no style of their own, no fixed colours, and no text but ours.

Matplotlib draws them; what it says of style becomes classes and attributes, so that the page's one style sheet decides
on the colours (light, dark, print) and a strict content policy has nothing to forbid.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from xml.etree import ElementTree as ET

from guardrail.calibration.calibrated_file import EVERYTHING
from guardrail.calibration.costs import CostView
from guardrail.cli.report.content import Part, Quality, RiskPoint
from guardrail.errors import MissingExtra

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_INK, _FAINT, _ONE, _TWO, _THREE = "#000001", "#000002", "#000003", "#000004", "#000005"
_ROLES: Final = {_INK: "ink", _FAINT: "faint", _ONE: "one", _TWO: "two", _THREE: "three"}
"""Placeholders for the style sheet's colours."""
_SVG: Final = "{http://www.w3.org/2000/svg}"
_LINK: Final = "{http://www.w3.org/1999/xlink}href"
_SIZE: Final = (4.4, 3.0)
"""Inches: on a phone the text is then as large as the page's small print."""
_LOOK: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _FAINT,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "grid.color": _FAINT,
    "grid.linewidth": 0.4,
}


def risk_coverage(part: Part, name: str) -> str:
    """Error among the calls that run over the share that runs, with its intervals, the target and the threshold."""

    def draw(axes: Axes) -> None:
        _band(axes, part.curve, _ONE)
        alpha = part.threshold.alpha
        axes.axhline(alpha, color=_TWO, linewidth=1, linestyle="--")
        if part.promised and part.threshold.execute_below is not None:
            at = max((one.coverage for one in part.curve if _within(one, part.threshold.execute_below)), default=0.0)
            axes.axvline(at, color=_THREE, linewidth=1.5)
            left = at < 0.6
            where = (at + 0.015 if left else at - 0.015, 0.98)
            over = axes.get_xaxis_transform()
            align = "left" if left else "right"
            axes.text(*where, "threshold", color=_THREE, ha=align, va="top", fontsize=8, transform=over)
        seen = [one.error for one in part.curve if one.coverage > 0.1]
        axes.set(xlabel="share of calls that run", ylabel="share of these that is wrong")
        axes.set(xlim=(0, 1), ylim=(0, min(1.0, 1.15 * max([2 * alpha, *seen, part.curve[-1].high]))))

    return _drawn(draw, name)


def reliability(before: Quality | None, after: Quality | None, name: str) -> str:
    """Stated risk against the share that was wrong; a dot's area grows with its number of calls."""

    def draw(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=_FAINT, linewidth=1)
        for one, colour, mark in ((before, _TWO, "s"), (after, _ONE, "o")):
            if one is None or not one.bins:
                continue
            said, came = [each.risk for each in one.bins], [each.wrong for each in one.bins]
            most = max(each.n for each in one.bins)
            axes.plot(said, came, color=colour, linewidth=1)
            axes.scatter(
                said, came, s=[12 + 30 * each.n / most for each in one.bins], color=colour, marker=mark, zorder=3
            )
        axes.set(xlabel="risk", ylabel="share that was wrong", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))

    return _drawn(draw, name)


def costs(view: CostView, name: str) -> str:
    """Cost per call over the share that runs, with its intervals, and the thresholds that were found."""

    def draw(axes: Axes) -> None:
        x = [one.coverage for one in view.curve]
        axes.plot(x, [one.cost for one in view.curve], color=_ONE, linewidth=1.5)
        axes.fill_between(
            x, [one.low for one in view.curve], [one.high for one in view.curve], color=_ONE, alpha=0.18, linewidth=0
        )
        marks = [(view.advised, "D", _TWO), (view.cheapest, "o", _INK), (view.promised, "s", _THREE)]
        for point, mark, colour in marks:
            axes.plot([point.coverage], [point.cost], mark, color=colour, markersize=6)
        top = max([view.nothing_runs.high, view.promised.high, view.advised.high, 2 * view.cheapest.high])
        axes.set(xlabel="share of calls that run", ylabel="cost per call", xlim=(-0.02, 1.02), ylim=(0, 1.1 * top))

    return _drawn(draw, name)


def _within(point: RiskPoint, below: float) -> bool:
    """Whether all the calls of a point run at a threshold."""
    return below == EVERYTHING or point.execute_below <= below * (1 + 1e-12)


def _band(axes: Axes, points: tuple[RiskPoint, ...], colour: str) -> None:
    x = [one.coverage for one in points]
    axes.plot(x, [one.error for one in points], color=colour, linewidth=1.5)
    axes.fill_between(
        x, [one.low for one in points], [one.high for one in points], color=colour, alpha=0.18, linewidth=0
    )


def _drawn(draw: Callable[[Axes], None], name: str) -> str:
    """``name`` is one of ours, and in every id of the picture: several stand in one page."""
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtra("drawing the report's plots", "report") from error
    with rc_context({**_LOOK, "svg.hashsalt": name}):
        figure = Figure(figsize=_SIZE, layout="constrained")
        axes = figure.add_subplot()
        axes.grid(axis="y")
        axes.set_axisbelow(True)
        draw(axes)
        written = io.BytesIO()
        # no date and no version in it: the same data gives the same bytes
        figure.savefig(
            written,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return _plain(written.getvalue(), name)


def _plain(svg: bytes, name: str) -> str:
    root = ET.fromstring(svg)  # noqa: S314 (it was written above)
    for parent in list(root.iter()):
        for child in list(parent):
            if child.tag.rpartition("}")[2] in {"metadata", "style"}:
                parent.remove(child)
    for element in root.iter():
        _restyled(element)
        _renamed(element, name)
    for size in ("width", "height"):
        root.attrib.pop(size, None)
    root.set("class", "plot")
    root.set("aria-hidden", "true")  # the caption says it
    ET.register_namespace("", _SVG[1:-1])
    return re.sub(r"\n\s*", "\n", ET.tostring(root, encoding="unicode"))


def _restyled(element: ET.Element) -> None:
    """Style attributes become classes, for our colours, and plain attributes."""
    style = dict(part.split(":", 1) for part in element.attrib.pop("style", "").split(";") if ":" in part)
    classes = []
    for key, value in ((key.strip(), value.strip()) for key, value in style.items()):
        if value in _ROLES:
            classes.append(f"{key[0]}-{_ROLES[value]}")
        elif key != "font-family":
            element.set(key, value)
    # text without a colour of its own would be black
    if element.tag == f"{_SVG}text" and not any(one.startswith("f-") for one in classes):
        classes.append("f-ink")
    if classes:
        element.set("class", " ".join(classes))


def _renamed(element: ET.Element, name: str) -> None:
    target = element.attrib.pop(_LINK, None)
    if target is not None:
        element.set("href", f"#{name}-{target[1:]}")
    if "clip-path" in element.attrib:
        element.set("clip-path", element.attrib["clip-path"].replace("url(#", f"url(#{name}-"))
    if "id" in element.attrib:
        # only what is referred to needs a name
        if element.tag in {f"{_SVG}g", f"{_SVG}svg"}:
            del element.attrib["id"]
        else:
            element.set("id", f"{name}-{element.attrib['id']}")
