"""The report on a terminal. Whatever an endpoint says goes through ``safe_text``."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from guardrail.cli.safe_text import shown
from guardrail_openai.doctor.costs import Cost
from guardrail_openai.doctor.examination import Report
from guardrail_openai.doctor.findings import Finding, Level

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAILURE: "bold red"}
_LONG = 600


def finding_row(finding: Finding) -> RenderableType:
    """One check: its level, what was found, and for what is not ok what it means and what to do."""
    grid = Table.grid(padding=(0, 2))
    grid.add_column(width=7, no_wrap=True)
    grid.add_column(width=23)
    grid.add_column(overflow="fold")
    grid.add_row(
        Text(finding.level.value, _STYLES[finding.level]),
        Text(finding.check, "bold"),
        shown(finding.found, limit=_LONG),
    )
    if finding.means:
        grid.add_row("", "", shown(finding.means, limit=_LONG, style="dim"))
    if finding.remedy:
        grid.add_row("", "", Text.assemble("-> ", shown(finding.remedy, limit=_LONG)))
    return grid


def ending(report: Report) -> RenderableType:
    """Tiers, costs, and the sum of it."""
    parts: list[RenderableType] = [Text("")]
    if report.tiers:
        table = _table("tool", "tier of its calls")
        for row in report.tiers:
            table.add_row(shown(row.tool, limit=60), shown(row.text, limit=_LONG))
        parts += [table, Text("")]
    if report.costs:
        table = _table("tier", "samples", "a step whose samples all agree", "at most")
        for cost in report.costs:
            table.add_row(cost.tier.value, str(cost.samples), _cost(cost.agreeing), _cost(cost.most))
        basis = f"Estimated from canaries with {_number(report.prompt)} prompt and {_number(report.completion)} "
        parts += [table, Text(basis + "completion tokens; the plan itself is not counted.", "dim"), Text("")]
    return Group(*parts, _sum(report))


def data(report: Report) -> dict[str, object]:
    """The report as plain JSON."""
    return {
        "code": report.code,
        "findings": [
            {
                "check": one.check,
                "level": one.level.value,
                "found": one.found,
                "means": one.means,
                "remedy": one.remedy,
                "data": dict(one.data),
            }
            for one in report.findings
        ],
        "tiers": {row.tool: [[tier.value, why] for tier, why in row.tiers] for row in report.tiers},
        "costs": {
            cost.tier.value: {"samples": cost.samples, "agreeing": vars(cost.agreeing), "most": vars(cost.most)}
            for cost in report.costs
        },
        "rate_limits": report.rate_limits,
        "spent": vars(report.spent),
    }


def _sum(report: Report) -> Text:
    counts = {level: sum(one.level is level for one in report.findings) for level in Level}
    spent = report.spent
    tokens = (
        "an unknown number of"
        if spent.prompt_tokens is None or spent.completion_tokens is None
        else f"{spent.prompt_tokens + spent.completion_tokens:,}"
    )
    words = [
        f"{counts[Level.OK]} ok",
        _plural(counts[Level.WARNING], "warning"),
        _plural(counts[Level.FAILURE], "failure"),
    ]
    end = " This endpoint cannot be used." if report.blocked else ""
    return Text(f"{', '.join(words)}. Spent: {spent.requests} requests, {tokens} tokens, {spent.seconds:.1f} s.{end}")


def _plural(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _cost(cost: Cost) -> str:
    if not cost.requests:
        return "nothing"
    return f"{_plural(cost.requests, 'request')}, {_number(cost.tokens)} tokens, {cost.seconds:.1f} s"


def _number(value: float | None) -> str:
    return "?" if value is None else f"{value:,.0f}"


def _table(*headers: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2))
    for header in headers:
        table.add_column(header, overflow="fold")
    return table
