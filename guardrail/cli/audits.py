"""``guardrail audits``: which calls wait to be judged, and a budget of them drawn where it tells most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.table import Table
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.options import json_option, opened_store, store_option
from guardrail.cli.records import print_json
from guardrail.cli.safe_text import shown
from guardrail.codec import to_json
from guardrail.store import Store

if TYPE_CHECKING:
    from guardrail.engine.questions import Open
    from guardrail.types import Verdict

_FILE: Final = click.Path(path_type=Path, dir_okay=False)


@click.group()
def audits() -> None:
    """Which calls wait to be judged, and a budget of them drawn where it tells most."""


@audits.command()
@click.option(
    "--budget", type=click.FloatRange(0, min_open=True), required=True, help="How many calls to judge, on average."
)
@click.option("--since", default="", metavar="TIME", help="From when.  [default: the end of the last draw]")
@click.option("--until", default="", metavar="TIME", help="Up to when.  [default: now]")
@click.option("--calibration", type=_FILE, metavar="FILE", help="Thresholds: calls near them are likelier.")
@click.option(
    "--floor",
    type=click.FloatRange(0, 1, min_open=True),
    default=0.5,
    show_default=True,
    help="The least chance of a call, as a share of what it has where all are drawn alike.",
)
@click.option(
    "--power",
    type=click.FloatRange(0, 1),
    default=0.5,
    show_default=True,
    help="1: for the estimate over all tools; 0: for each tool alike.",
)
@json_option
@store_option
def draw(calibration: Path | None, *, as_json: bool, **given: Any) -> None:
    """Draw calls to judge among the audited ones, those of which a label tells most with the greater chance.

    For when more calls are audited than people have time for, once a week, say. The draw is about what was recorded
    since the last one: of these, the drawn calls are to be judged (`guardrail label --audits-only`), and the others
    need not be. What was judged before stays evidence. Every chance is kept, so that labels can be weighed by it.
    """
    from guardrail.calibration import load_calibration
    from guardrail.engine.audit_batches import draw_audits

    thresholds = None if calibration is None else load_calibration(calibration)
    with opened_store() as store:
        found = draw_audits(store, calibration=thresholds, **given)
        rows = [(_of(store, one.record_id, one.call_id), one.probability) for one in found.drawn]
    if as_json:
        print_json(to_json(found))
        return
    click.echo(
        f"{len(found.drawn)} calls drawn of {found.open} audited ones that nobody has judged, up to {found.until}; "
        f"{found.judged} were judged before."
    )
    if not found.drawn:
        click.echo("Nothing was drawn, and nothing is kept: these calls are left for the next draw.")
        return
    by_tool: dict[tuple[int, str, str], list[float]] = {}
    for verdict, chance in rows:
        by_tool.setdefault((verdict.tier.rank, verdict.tier.value, verdict.call.name), []).append(chance)
    table = _table("tier", "tool", "drawn", "chances")
    for (_, tier, tool), chances in sorted(by_tool.items()):
        table.add_row(
            tier, shown(tool, limit=render.LINE), str(len(chances)), f"{min(chances):.3g} to {max(chances):.3g}"
        )
    render.console().print(table)
    click.echo("Judge them with `guardrail label --audits-only`; until then they count as wrong.")


@audits.command(name="list")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(min=1), help="At most so many.")
@json_option
@store_option
def list_audits(limit: int, *, as_json: bool) -> None:
    """List the calls that are to be judged and are not, oldest first. What the guard made of them is not shown."""
    from guardrail.engine.questions import open_calls

    with opened_store() as store:
        found = open_calls(store, drawn_only=True)
        some = [(one, _of(store, one.record_id, one.call_id)) for one in found[:limit]]
    if as_json:
        print_json([{"record": one.record_id, "call": one.call_id, "at": one.at} for one in found[:limit]])
    elif found:
        _print(some, len(found))
    else:
        render.console().print(Text("no call waits to be judged"))


def _print(some: Sequence[tuple[Open, Verdict]], every: int) -> None:
    out = render.console()
    table = _table("record, time (UTC)", "tier", "call")
    for one, verdict in some:
        table.add_row(
            Text.assemble(render.short_id(one.record_id), "  ", render.time_text(one.at)),
            verdict.tier.value,
            render.call_text(verdict.call),
        )
    out.print(table)
    counts = Counter(verdict.tier for _, verdict in some)
    shares = ", ".join(f"{counts[tier]} {tier.value}" for tier in sorted(counts, key=lambda tier: tier.rank))
    click.echo(f"{every} calls wait to be judged ({shares} shown): `guardrail label --audits-only`")


def _of(store: Store, record_id: str, call_id: str) -> Verdict:
    verdict = store.record(record_id).verdict.verdict(call_id)
    assert verdict is not None
    return verdict


def _table(*headers: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for header in headers:
        table.add_column(header, overflow="fold", no_wrap=header.endswith("(UTC)"))
    return table
