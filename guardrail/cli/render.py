"""What people see: tables, calls, and the cells they are made of. Every text goes through ``safe_text``."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from guardrail.cli.safe_text import LONG, shown, shown_value, warnings
from guardrail.types import (
    Record,
    Review,
    ReviewState,
    Route,
    StepVerdict,
    ToolCall,
    Verdict,
)

ID = 12
"""Characters of an id that are shown in lists."""
LINE = 60
_ROUTES = {Route.EXECUTE: "green", Route.RETRY: "yellow", Route.REVIEW: "magenta"}


def console() -> Console:
    """The terminal, or whatever stands in for it; markup and emoji codes in texts mean nothing to it."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 160
    return Console(file=sys.stdout, markup=False, emoji=False, highlight=False, width=width)


def call_text(call: ToolCall, *, limit: int | None = LINE) -> Text:
    """``tool(name=value, …)`` on one line; ``limit`` is for each value, and five times that for all."""
    result = Text.assemble(shown(call.name, limit=LINE, style="bold"), "(")
    for index, (name, value) in enumerate(call.arguments.items()):
        if limit is not None and len(result) > 5 * limit:
            result.append(f", … ({len(call.arguments) - index} more)", "italic dim")
            break
        result.append_text(
            Text.assemble(", " if index else "", shown(name, limit=LINE), "=", shown_value(value, limit=limit))
        )
    return result.append(")")


def call_block(call: ToolCall, *, full: bool) -> RenderableType:
    """A call with a row for each argument, and what a reader should beware of.

    Values stand in a column of their own, so that a long one cannot continue as what looks like the next row.
    """
    limit = None if full else LONG
    grid = Table.grid(padding=(0, 2))
    grid.add_column(overflow="fold", max_width=40)
    grid.add_column(overflow="fold")
    for name, value in call.arguments.items():
        grid.add_row(Text.assemble("  ", shown(name, limit=limit)), shown_value(value, limit=limit))
    return Group(
        Text.assemble(shown(call.name, limit=None, style="bold"), "" if call.arguments else "  without arguments"),
        grid,
        *(
            Text.assemble(("  warning: ", "bold red"), f"this call {warning}")
            for warning in warnings([call.name, call.arguments])
        ),
    )


def records_table(records: Sequence[tuple[Record, Sequence[Review]]]) -> Table:
    """A row a record: what was planned, what the guard made of each call, and what that cost."""
    table = _table("record, time (UTC)", "planned calls", "model, cost")
    for record, reviews in records:
        calls = [
            _stacked(call_text(verdict.call, limit=24), _verdict_line(verdict, reviews))
            for verdict in record.verdict.verdicts
        ]
        table.add_row(
            _stacked(short_id(record.id), time_text(record.at)),
            _stacked(*calls),
            _stacked(shown(record.model, limit=24), Text(_cost(record.verdict), "dim")),
        )
    return table


def reviews_table(reviews: Sequence[Review]) -> Table:
    """A row a review: where it stands, what would run, and why a human is asked."""
    table = _table("review, time (UTC)", "state", "call, why it is asked")
    for review in reviews:
        table.add_row(
            _stacked(short_id(review.id), time_text(review.at)),
            _stacked(Text(review.state.value, "bold"), *_standing(review)),
            _stacked(call_text(review.call), shown(review.why, limit=160, style="dim")),
        )
    return table


def _standing(review: Review) -> list[Text]:
    lines = [Text(f"{review.tier.value} stakes", "dim")]
    if review.state is ReviewState.CLAIMED and review.claim is not None:
        lines.append(Text.assemble("by ", shown(review.claim.by, limit=LINE), style="dim"))
    if review.quorum > 1:
        lines.append(Text(f"{len(review.votes)} of {review.quorum} votes", "dim"))
    if review.due:
        lines.append(Text.assemble("due ", time_text(review.due), style="dim"))
    if review.escalated:
        lines.append(Text("escalated", "bold red"))
    return lines


def facts(*facts: tuple[str, Text], indent: int = 2) -> Table:
    """Names and values in two columns."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(Text.assemble(" " * indent, shown(name, limit=LINE)), value)
    return grid


def route_text(route: Route) -> Text:
    """A route in its colour."""
    return Text(route.value, f"bold {_ROUTES[route]}")


def percent(share: float) -> str:
    """A share in per cent, to three digits."""
    return f"{100 * share:.3g} %"


def short_id(identity: str) -> Text:
    """As much of an id as people need to type."""
    return shown(identity[:ID])


def time_text(at: str) -> Text:
    """A time in UTC, to the second."""
    try:
        moment = datetime.fromisoformat(at)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return shown(at, limit=32)
    return Text(moment.strftime("%Y-%m-%d %H:%M:%S"))


def _table(*headers: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 1, 0))
    for header in headers:
        table.add_column(header, overflow="fold", no_wrap=header.endswith("(UTC)"))
    return table


def _stacked(*lines: Text) -> Text:
    return Text("\n").join(lines)


def _verdict_line(verdict: Verdict, reviews: Sequence[Review]) -> Text:
    line = Text.assemble("  ", route_text(verdict.route))
    valid = verdict.agreeing + verdict.disagreeing
    if valid:
        line.append(f"  agreement {verdict.agreeing}/{valid}")
    if verdict.risk is not None:
        line.append(f"  risk {verdict.risk:.2f}")
    entropy = verdict.signal("semantic_entropy")
    if entropy is not None and entropy.value is not None:
        line.append(f"  entropy {entropy.value:.2f}")
    for review in reviews:
        if review.call.id == verdict.call.id:
            line.append_text(Text.assemble(f"  {review.state.value} ", short_id(review.id)))
    return line


def _cost(step: StepVerdict) -> str:
    tokens = [count for count in (step.usage.prompt_tokens, step.usage.completion_tokens) if count is not None]
    return f"{sum(tokens) if tokens else '?'} tokens, {step.seconds:.1f} s"
