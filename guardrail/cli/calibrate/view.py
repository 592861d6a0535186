"""What ``guardrail calibrate`` shows: the promise of each tier with its evidence, or what is missing for one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from guardrail.cli.render import percent
from guardrail.cli.safe_text import shown
from guardrail.types import Attempts, CalibratedPolicy, CalibratedTier, Threshold

_CALLS: Final = {Attempts.ALL: "all calls", Attempts.FIRST: "first attempts", Attempts.RETRIED: "retried calls"}
_EVERY = 1.0


def views(policy: CalibratedPolicy) -> Iterator[RenderableType]:
    """Everything that the terminal shows of a proposal, in order."""
    yield _thresholds(policy)
    for tier in policy.tiers:
        yield from _refusals(tier)
    for tier in policy.tiers:
        if len(tier.tools) > 1 or any(one.veto for one in tier.tools):
            yield _tools(tier)
    for tier in policy.tiers:
        for warning in tier.warnings:
            yield Text.assemble((f"{tier.tier.value}: ", "yellow"), shown(warning, limit=None))
    for assumption in policy.assumptions:
        yield Text.assemble("takes for granted: ", shown(assumption, limit=None), style="dim")
    if policy.look > 1:
        yield Text(f"look {policy.look} at labels of this ledger: it spends a part of delta only", "dim")


def _thresholds(policy: CalibratedPolicy) -> Table:
    table = Table(title="thresholds on the risk", title_justify="left")
    for name in ("tier", "promise", "for", "runs below", "runs", "labels", "wrong", "of those that run", "at most"):
        table.add_column(name, justify="right" if name in {"runs below", "runs", "labels", "wrong"} else "left")
    for tier in policy.tiers:
        for one in tier.thresholds:
            table.add_row(tier.tier.value, _promise(tier), _CALLS[one.attempts], *_row(one))
    return table


def _promise(tier: CalibratedTier) -> str:
    return f"at most {percent(tier.alpha)} wrong, {percent(1 - tier.delta)} sure"


def _row(one: Threshold) -> tuple[str | Text, ...]:
    if one.execute_below is None:
        return (Text("review", "magenta"), "-", str(one.n), str(one.errors), "-", "-")
    below = "any risk" if one.execute_below > _EVERY else f"{one.execute_below:.4g}"
    return (
        Text(below, "green"),
        percent(one.coverage),
        str(one.n),
        str(one.errors),
        f"{one.executed_errors} of {one.executed} wrong",
        "-" if one.upper is None else percent(one.upper),
    )


def _refusals(tier: CalibratedTier) -> Iterator[RenderableType]:
    for one in tier.thresholds:
        if one.refusal is not None:
            yield Text.assemble(
                (f"{tier.tier.value}, {_CALLS[one.attempts]}: ", "bold"),
                f"no threshold ({one.refusal.code.value}): ",
                shown(one.refusal.message, limit=None),
            )


def _tools(tier: CalibratedTier) -> RenderableType:
    table = Table(title=f"tools of {tier.tier.value}", title_justify="left")
    for name in ("tool", "labels", "wrong", "of those that run", "between", "goes to review"):
        table.add_column(name, justify="right" if name in {"labels", "wrong"} else "left", overflow="fold")
    for one in tier.tools:
        table.add_row(
            shown(one.tool, limit=60),
            str(one.n),
            str(one.errors),
            f"{one.executed_errors} of {one.executed} wrong" if one.executed else "-",
            f"{percent(one.lower)} and {percent(one.upper)}" if one.executed else "-",
            shown(one.veto, limit=None),
        )
    return Padding(table, (1, 0, 0, 0))
