"""Numbers in words, and a diagram as coordinates: what pages show of measurements."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from urllib.parse import quote, urlencode

from guardrail.watching.estimates import Estimate
from guardrail.watching.reliability import Reliability

_UNITS: Final = ((86400, "days"), (3600, "hours"), (60, "minutes"))


def percent(share: float) -> str:
    """A share in per cent, to three digits."""
    return f"{100 * share:.3g} %"


def duration(seconds: float) -> str:
    """Seconds in the largest unit of which there are two."""
    for unit, name in _UNITS:
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{max(0.0, seconds):.0f} seconds"


def time(at: str) -> str:
    """A time in UTC, to the second; what is no time as it stands."""
    try:
        moment = datetime.fromisoformat(at)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return at
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def rate(found: Estimate) -> str:
    """An estimate with its interval, or that there is none."""
    if found.rate is None or found.low is None or found.high is None:
        return ""
    return f"{percent(found.rate)} ({percent(found.low)} to {percent(found.high)})"


def number(value: float) -> str:
    """A number with as many digits as tell something."""
    return f"{value:.2g}" if value < 10 else f"{value:,.0f}" if value < 1e6 else f"{value:.1e}"


def query(**said: str) -> str:
    """Part of an address. Half a character, which no address can have, becomes a question mark."""
    return urlencode({name: value for name, value in said.items() if value}, errors="replace")


def segment(identity: str) -> str:
    """An id as one step of a path."""
    return quote(identity, safe="", errors="replace")


def parts(sentence: str) -> list[tuple[str, bool]]:
    """A sentence in pieces, each with whether it stood between backticks: what is to be typed."""
    return [(piece, bool(place % 2)) for place, piece in enumerate(sentence.split("`")) if piece]


@dataclass(frozen=True, kw_only=True)
class Dot:
    """One bin in the picture: its place, its radius, and its interval from ``low`` (further down) to ``high``."""

    x: float
    y: float
    r: float
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Diagram:
    """A reliability diagram in a box of ``width`` by ``height``; the plot is a square with ``left`` and ``top``."""

    dots: tuple[Dot, ...]
    ticks: tuple[tuple[float, float, str], ...]
    """By fifth: its place to the right, its place downwards, and its name."""
    width: int = 340
    height: int = 300
    left: int = 46
    top: int = 10
    side: int = 240

    @property
    def right(self) -> int:
        """Where the plot ends."""
        return self.left + self.side

    @property
    def bottom(self) -> int:
        """Where the plot ends, downwards."""
        return self.top + self.side


def diagram(found: Reliability) -> Diagram:
    """The picture of it: what was predicted to the right, what was wrong upwards; a dot's area grows with its calls."""
    plot = Diagram(dots=(), ticks=())
    most = max((one.n for one in found.bins), default=1)
    dots = tuple(
        Dot(
            x=_right(plot, one.predicted),
            y=_down(plot, one.wrong),
            r=round(2.5 + 4.5 * (one.n / most) ** 0.5, 2),
            low=_down(plot, one.low),
            high=_down(plot, one.high),
        )
        for one in found.bins
    )
    shares = [fifth / 5 for fifth in range(6)]
    ticks = tuple((_right(plot, share), _down(plot, share), f"{share:.1f}") for share in shares)
    return Diagram(dots=dots, ticks=ticks)


def _right(plot: Diagram, share: float) -> float:
    return round(plot.left + plot.side * min(1.0, max(0.0, share)), 2)


def _down(plot: Diagram, share: float) -> float:
    return round(plot.bottom - plot.side * min(1.0, max(0.0, share)), 2)
