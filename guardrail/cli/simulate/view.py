"""What the simulation found, as tables and as JSON data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from guardrail.calibration.simulation import Forecast, Pool, Staff, days_for, staff
from guardrail.cli.safe_text import plain

LIKELY = 0.8
"""Of the calibrations have a threshold, where one is called likely."""


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What there is to run: calls a day, the share of what runs that is audited, and what a review takes."""

    calls: float
    audit: float
    minutes: float
    hours: float

    def staff(self, coverage: float) -> Staff:
        """Who is needed at that coverage."""
        return staff(
            calls_a_day=self.calls, coverage=coverage, audit=self.audit, minutes=self.minutes, hours=self.hours
        )


def tables(pools: Sequence[Pool], found: Sequence[Forecast], traffic: Traffic) -> Iterator[RenderableType]:
    """A table for each pool: labels by target, and what reviewing takes there."""
    for pool in pools:
        of_pool = [one for one in found if one.pool == pool.name]
        yield _table(pool, of_pool, traffic)
    yield from answers(found, traffic)
    yield Text(
        f"Coverage is the share of calls that runs without a human: on average, and between its 10 % and 90 % points, "
        f"over {found[0].trials} calibrations with freshly drawn labels. 'possible' is what could run if every label "
        "were known. 'wrong' is of what runs. Reviewers: their hours filled to four fifths, "
        f"{traffic.minutes:g} minutes a review, {traffic.hours:g} hours a day."
    )


def answers(found: Sequence[Forecast], traffic: Traffic) -> Iterator[Text]:
    """For each target, with how many labels a threshold is likely, and what that then takes and gives."""
    for alpha in dict.fromkeys(one.alpha for one in found):
        of_target = [one for one in found if one.alpha == alpha]
        pools = dict.fromkeys(one.pool for one in of_target)
        likely = [
            next((one for one in of_target if one.pool == pool and one.certified >= LIKELY), None) for pool in pools
        ]
        told = [_answer(one, traffic) for one in likely if one is not None]
        most = max(one.labels for one in of_target)
        possible = max(one.oracle for one in of_target)
        none = f"no threshold is likely with up to {most:,} labels; at most {possible:.0%} of the calls could run"
        yield Text(f"At most {alpha:.3g} wrong: {'; '.join(told) or none}.")


def _answer(one: Forecast, traffic: Traffic) -> str:
    people = traffic.staff(one.coverage)
    reviewers = f"{people.reviewers:,} reviewer{'s' if people.reviewers != 1 else ''}"
    return f"{one.labels:,} labels with {plain(one.pool)} let {one.coverage:.0%} run, and leave {reviewers}"


def _table(pool: Pool, found: Sequence[Forecast], traffic: Traffic) -> Table:
    title = f"{plain(pool.name)}: {pool.base:.1%} of {len(pool.risk):,} calls are wrong"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for header in ("labels", "days", "at most wrong", "threshold", "coverage", "possible", "wrong", "reviews a day"):
        table.add_column(header, justify="right")
    table.add_column("reviewers", justify="right")
    for one in found:
        needed = traffic.staff(one.coverage)
        table.add_row(
            f"{one.labels:,}",
            _days(one.labels, traffic),
            f"{one.alpha:.3g}",
            f"{one.certified:.0%}",
            f"{one.coverage:.0%} ({one.low:.0%} to {one.high:.0%})",
            f"{one.oracle:.0%}",
            "-" if one.error is None else f"{one.error:.1%}",
            f"{needed.reviews:,.0f}",
            f"{needed.reviewers:,}",
        )
    return table


def _days(labels: int, traffic: Traffic) -> str:
    """With every call reviewed at first, and with audits alone."""
    reviewed, audited = days_for(labels, calls_a_day=traffic.calls, audit=traffic.audit)
    return " / ".join("-" if days == float("inf") else f"{max(days, 0.1):.3g}" for days in (reviewed, audited))


def data_of(pools: Sequence[Pool], found: Sequence[Forecast], traffic: Traffic) -> dict[str, Any]:
    """The same as JSON data."""
    return {
        "pools": [
            {"name": pool.name, "calls": len(pool.risk), "error": pool.base, "samples": pool.samples} for pool in pools
        ],
        "traffic": asdict(traffic),
        "forecasts": [{**asdict(one), "staff": asdict(traffic.staff(one.coverage))} for one in found],
    }
