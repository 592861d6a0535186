"""What people see: tables, calls, and the cells they are made of. Every text goes through ``safe_text``."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from guardrail.cli.safe_text import LONG, shown, shown_value, warnings
from guardrail.types import (
    Record,
    Review,
    Route,
    StepVerdict,
    ToolCall,
    Verdict,
)

ID = 12
"""Characters of an id that are shown."""
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
    """A call with a line for each argument, and what a reader should beware of."""
    lines = [Text.assemble("tool  ", shown(call.name, limit=None, style="bold"))]
    lines += [
        Text.assemble(
            "  ", shown(name, limit=None if full else LONG), " = ", shown_value(value, limit=None if full else LONG)
        )
        for name, value in call.arguments.items()
    ]
    if not call.arguments:
        lines.append(Text("  without arguments"))
    lines += [
        Text.assemble(("  warning: ", "bold red"), f"this call {warning}")
        for warning in warnings([call.name, call.arguments])
    ]
    return Group(*lines)


def records_table(records: Sequence[tuple[Record, Sequence[Review]]]) -> Table:
    """A row a record: what was planned and what the guard made of it."""
    table = _table("id", "time (UTC)", "model", "planned calls", "route", "agree", "entropy", "cost", "reviews")
    for record, reviews in records:
        verdicts = record.verdict.verdicts
        table.add_row(
            shown(record.id, limit=None)[:ID],
            time_text(record.at),
            shown(record.model, limit=30),
            _stacked(call_text(verdict.call, limit=24) for verdict in verdicts),
            _stacked(route_text(verdict.route) for verdict in verdicts),
            _stacked(Text(_agreement(verdict)) for verdict in verdicts),
            _stacked(Text(_entropy(verdict)) for verdict in verdicts),
            Text(_cost(record.verdict)),
            _stacked(Text(f"{review.state.value} {review.id[:ID]}") for review in reviews),
        )
    return table


def reviews_table(reviews: Sequence[Review]) -> Table:
    """A row a review."""
    table = _table("id", "time (UTC)", "state", "tier", "call", "why")
    for review in reviews:
        table.add_row(
            shown(review.id, limit=None)[:ID],
            time_text(review.at),
            Text(review.state.value),
            Text(review.tier.value),
            call_text(review.call),
            shown(review.why, limit=120),
        )
    return table


def facts(*facts: tuple[str, Text], indent: int = 2) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts:
        grid.add_row(Text.assemble(" " * indent, shown(name, limit=LINE)), value)
    return grid


def _table(*headers: str) -> Table:
    table = Table(show_edge=False, header_style="bold", pad_edge=False)
    for header in headers:
        table.add_column(header, overflow="fold", no_wrap=header in ("id", "time (UTC)", "route", "agree"))
    return table


def _stacked(lines: Iterable[Text]) -> Text:
    return Text("\n").join(lines)


def route_text(route: Route) -> Text:
    return Text(route.value, f"bold {_ROUTES[route]}")


def _agreement(verdict: Verdict) -> str:
    valid = verdict.agreeing + verdict.disagreeing
    return f"{verdict.agreeing}/{valid}" if valid else "-"


def _entropy(verdict: Verdict) -> str:
    signal = verdict.signal("semantic_entropy")
    return "-" if signal is None or signal.value is None else f"{signal.value:.2f}"


def _cost(step: StepVerdict) -> str:
    tokens = [count for count in (step.usage.prompt_tokens, step.usage.completion_tokens) if count is not None]
    return f"{sum(tokens) if tokens else '?'} tok {step.seconds:.1f} s"


def time_text(at: str) -> Text:
    try:
        return Text(datetime.fromisoformat(at).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S"))
    except (ValueError, OverflowError):
        return shown(at, limit=32)
