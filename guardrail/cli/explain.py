"""``guardrail explain-schema``: how the arguments of tools are compared, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from rich.table import Table
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.options import json_option
from guardrail.cli.records import print_json
from guardrail.cli.rows import read_tools
from guardrail.cli.safe_text import shown, shown_value
from guardrail.clustering.explain import FieldPlan
from guardrail.clustering.explain import explain_schema as explained
from guardrail.errors import ConfigError
from guardrail.policy import Policy
from guardrail.types import ToolCall, ToolSpec


@click.command("explain-schema")
@click.argument("tools_file", metavar="TOOLS.json", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--policy", "policy_file", type=click.Path(path_type=Path, dir_okay=False), help="Whose rules count.")
@json_option
def explain_schema(tools_file: Path, policy_file: Path | None, *, as_json: bool) -> None:
    """Say how each argument of the tools in TOOLS.json is compared, because of what.

    A policy overrides it, by name or dotted path: `tools: [{match: pay, arguments: {memo: text, id: ignore}}]`.
    """
    tools = read_tools(tools_file)
    specs = [*tools.always, *(tool for specs in (tools.by_id or {}).values() for tool in specs)]
    if not specs:
        raise ConfigError(f"{tools_file} has no tools")
    policy = None if policy_file is None else Policy.load(policy_file)
    plans = [(tool, _plans(tool, policy)) for tool in specs]
    if as_json:
        print_json([{"tool": tool.name, "arguments": [_data(plan) for plan in found]} for tool, found in plans])
    else:
        for tool, found in plans:
            render.console().print(_heading(tool, found), _table(found), Text(""), sep="\n")


def _plans(tool: ToolSpec, policy: Policy | None) -> tuple[FieldPlan, ...]:
    if policy is None:
        return explained(tool)
    named = policy.resolve(ToolCall(name=tool.name, arguments={}), tool).comparators
    return explained(tool, named, stated_defaults=policy.stated_defaults)


def _data(plan: FieldPlan) -> dict[str, Any]:
    return {
        "path": plan.path,
        "kind": plan.kind,
        "comparator": plan.comparator,
        "because": plan.because,
        "default": plan.default,
        "default_source": plan.default_source,
    }


def _heading(tool: ToolSpec, found: tuple[FieldPlan, ...]) -> Text:
    return Text.assemble(shown(tool.name, limit=120, style="bold"), "" if found else "  without arguments")


def _table(found: tuple[FieldPlan, ...]) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2), show_header=bool(found))
    for header in ("  argument", "type", "comparator", "because", "default"):
        table.add_column(header, overflow="fold")
    for plan in found:
        default = Text("")
        if plan.default_source:
            default = Text.assemble(shown_value(plan.default, limit=60), f" ({plan.default_source})")
        table.add_row(
            Text.assemble("  ", shown(plan.path, limit=120)),
            shown(plan.kind or "any", limit=20),
            shown(plan.comparator or "by value", limit=30),
            shown(plan.because, limit=160),
            default,
        )
    return table
