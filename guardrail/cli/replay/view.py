"""What people see of a replay: what it will cost, how far it is, and what it came to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from guardrail.bulk.estimate import CHARACTERS, Estimate
from guardrail.bulk.summary import Side, Summary
from guardrail.cli.safe_text import shown
from guardrail.policy import Price, cost
from guardrail.types import Usage

_REASONS = 5


def beside() -> Console:
    """The terminal beside the output: what is told there is in no pipe."""
    width = None if sys.stderr.isatty() or "COLUMNS" in os.environ else 160
    return Console(stderr=True, markup=False, emoji=False, highlight=False, width=width)


def estimated(estimate: Estimate, *, model: str, finished: int, rebuilt: int) -> Iterator[Text]:
    """What is going to be sent, and what that costs."""
    usage = estimate.usage
    if not estimate.cases:
        yield Text(f"all {finished} recorded steps are finished already")
        return
    yield Text.assemble(
        f"{estimate.cases} recorded steps for ",
        shown(model, limit=60, style="bold"),
        f" ({finished} more are finished already)" if finished else "",
    )
    money = "unknown: the policy has no price for the model (add it under 'prices', or one for '*')"
    if estimate.money is not None:
        money = f"{estimate.money:,.2f} by the policy's prices"
    seconds = "unknown: the records do not say how long their samples took"
    if estimate.seconds is not None:
        seconds = f"{_duration(estimate.seconds)}, if it is as fast as it was"
    yield Text(f"  about {usage.requests:,} requests")
    yield Text(
        f"  about {usage.prompt_tokens or 0:,} prompt + {usage.completion_tokens or 0:,} completion tokens"
        + (" by what the recorded samples cost" if estimate.guessed < estimate.cases else "")
    )
    if estimate.guessed:
        yield Text(
            f"  {estimate.guessed} of them are guessed, from {CHARACTERS} characters a token and a request for each "
            "sample: their records have no usage"
        )
    yield Text(f"  money: {money}")
    yield Text(f"  time: {seconds}")
    if rebuilt:
        yield Text(
            f"  {rebuilt} requests are put together from the conversation: settings such as tool_choice or a token "
            "limit were not kept; give them with --set"
        )


class Cost(ProgressColumn):
    """Tokens so far, and cases a minute."""

    def render(self, task: Task) -> Text:
        tokens = task.fields.get("tokens")
        speed = f"{task.speed * 60:,.1f}/min" if task.speed else "-/min"
        failed = task.fields.get("failed") or 0
        words = f"{speed}  {'?' if tokens is None else f'{tokens:,}'} tokens"
        return Text(words + (f"  {failed} failed" if failed else ""), "dim")


@contextmanager
def progress(console: Console, total: int) -> Iterator[Any]:
    """A bar that is told of each finished case: what has been spent, and how many failed."""
    columns = (TextColumn("replaying"), BarColumn(), MofNCompleteColumn(), Cost(), TextColumn("left"))
    with Progress(*columns, TimeRemainingColumn(), console=console, transient=False) as bar:
        task = bar.add_task("", total=total, tokens=0, failed=0)

        def step(spent: Usage, failed: int) -> None:
            bar.update(task, advance=1, tokens=tokens_of(spent), failed=failed)

        yield step


def summed_up(summary: Summary, price: Callable[[str], Price | None]) -> Iterator[RenderableType]:
    """Both sides in one table, then what failed."""
    sides = (summary.recorded, summary.replayed)
    table = Table(box=None, header_style="dim", pad_edge=False, padding=(0, 2, 0, 0))
    for name in ("", "recorded", "replayed"):
        table.add_column(name, overflow="fold")
    rows: list[tuple[str, Iterable[Text]]] = [
        ("model", (shown(", ".join(side.models) or "not known", limit=60) for side in sides)),
        ("steps", (Text(f"{side.cases}") for side in sides)),
        ("executed under this policy", (Text(_share(side.executed, side.calls)) for side in sides)),
        ("agreement, mean", (Text("-" if side.agreement is None else f"{side.agreement:.3f}") for side in sides)),
        ("wrong among the executed", (Text(_wrong(side)) for side in sides)),
        ("samples' tokens", (Text(_tokens(side.usage)) for side in sides)),
        ("plans' tokens", (Text("not recorded" if side is sides[0] else _tokens(side.planning)) for side in sides)),
    ]
    if summary.same is not None:
        rows.append(
            ("plans the same as recorded", (Text(""), Text(_share(summary.same, summary.replayed.cases)))),
        )
    money = [_money(side, price) for side in sides]
    if any(money):
        rows.append(("samples' money", (Text(one or "not known") for one in money)))
    for name, cells in rows:
        table.add_row(Text(name, "dim"), *cells)
    yield table
    if not (summary.recorded.judged and summary.replayed.judged):
        yield Text(
            "Which is the cheaper at the same error takes labels on both sides: --checker judges new plans, "
            "--keep-plan keeps the labels there are.",
            "dim",
        )
    yield from failures(summary.failed)


def failures(failed: dict[str, int]) -> Iterator[Text]:
    """Why cases failed, the most frequent reason first."""
    if not failed:
        return
    yield Text(
        f"{sum(failed.values())} steps failed, and are in neither column; --retry-failed tries them again:", "red"
    )
    ordered = sorted(failed.items(), key=lambda item: (-item[1], item[0]))
    for reason, count in ordered[:_REASONS]:
        yield Text.assemble(f"  {count} x ", shown(reason, limit=300))
    if len(ordered) > _REASONS:
        yield Text(f"  and {len(ordered) - _REASONS} other reasons")


def tokens_of(usage: Usage) -> int | None:
    """All tokens; None where they are not known."""
    if not usage.requests:
        return (usage.prompt_tokens or 0) + (usage.completion_tokens or 0)
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return None
    return usage.prompt_tokens + usage.completion_tokens


def _tokens(usage: Usage | None) -> str:
    if usage is None or not usage.requests:
        return "none"
    if tokens_of(usage) is None:
        return f"not known, {usage.requests:,} requests"
    return f"{usage.prompt_tokens:,} + {usage.completion_tokens:,}"


def _money(side: Side, price: Callable[[str], Price | None]) -> str:
    """What the samples cost, where they are of one model that has a price."""
    known = price(side.models[0]) if len(side.models) == 1 else None
    amount = None if known is None else cost(side.usage, known)
    return "" if amount is None else f"{amount:,.4g}"


def _share(part: int, whole: int) -> str:
    return f"{part} of {whole} ({part / whole:.0%})" if whole else "none"


def _wrong(side: Side) -> str:
    return f"{side.wrong} of {side.judged} judged" if side.judged else "nobody judged them"


def _duration(seconds: float) -> str:
    return str(timedelta(seconds=max(1, round(seconds))))
