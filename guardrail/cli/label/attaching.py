"""What ``guardrail label`` says of judgements that come from elsewhere, and of those that contradict each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import click
from rich.console import Console, Group, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from guardrail.calibration.labelled import judged_twice
from guardrail.cli import render
from guardrail.cli.safe_text import shown
from guardrail.engine.checking import check
from guardrail.engine.labelling import Given, attach
from guardrail.store import stored_records

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from guardrail.store import Store
    from guardrail.types import Label, Tier, Verdict

_SHOWN: Final = 10


def attach_rows(store: Store, rows: Iterable[Given], *, by: str, probability: float | None, skip_unknown: bool) -> None:
    """Attach judgements, and tell what became of them."""
    with _progress("labels") as tell:
        found = attach(store, rows, by=by, probability=probability, skip_unknown=skip_unknown, tell=tell)
    click.echo(f"{found.new} labels kept, {found.before} were there before.")
    if found.unknown:
        click.echo(f"{found.unknown} are about records that are not in this store: left out.")
    if found.unstated:
        click.echo(
            f"{found.unstated} do not say how probable it was that their call would be judged: they count only where a "
            "draw chose it. Where every call was judged, say --probability 1."
        )
    _warn(found.contradictions)


def ask_checker(store: Store, name: str, *, by: str, tier: Tier | None, tool: str | None, limit: int | None) -> None:
    """Ask a checker, and tell what it said."""
    from guardrail.cli.replay.planners import imported

    checker = imported(name, "--checker")
    with _progress("calls asked about") as tell:
        found = check(store, checker, by=by, tier=tier, tool=tool, limit=limit, tell=lambda done: tell(done, None))
    click.echo(f"{found.right} right, {found.wrong} wrong; {found.before} it had judged before.")
    for one, left in sorted(found.open.items(), key=lambda item: item[0].rank):
        click.echo(f"{left} calls of {one.value} stakes were left open by it.")
    if found.complete:
        click.echo(f"Every call judged, so that the labels count with probability 1: {', '.join(found.complete)}.")
    if found.partly:
        click.echo(
            f"Not every call judged, so that the labels count only where a draw chose the call: "
            f"{', '.join(found.partly)}."
        )
    _warn(found.contradictions)


def list_contradictions(store: Store) -> None:
    """Show the calls that were judged both right and wrong."""
    out, number = render.console(), 0
    for record, verdict, said in judged_twice(stored_records(store)):
        number += 1
        out.print(Text.assemble(render.short_id(record.id), "  ", render.time_text(record.at), " UTC"))
        out.print(contradiction(verdict, said))
    if number:
        out.print(Text("\n`guardrail label --contradictions` asks again; a person's next answer settles it.", "dim"))
    else:
        out.print(Text("no call was judged both right and wrong"))


def contradiction(verdict: Verdict, said: Sequence[Label]) -> RenderableType:
    """A call and what was said of it."""
    return Group(Text.assemble("  ", render.call_text(verdict.call)), *(label_text(one) for one in said))


def label_text(label: Label) -> Text:
    """What somebody said of a call."""
    said = Text("right", "green") if label.correct else Text("wrong", "red")
    if label.fault is not None:
        said.append(f" ({label.fault.value})")
    return Text.assemble(
        "    ",
        said,
        " by ",
        shown(label.by),
        f" ({label.source.value}) ",
        render.time_text(label.at),
        "  ",
        shown(label.note),
    )


def _warn(against: Sequence[tuple[str, str]]) -> None:
    if against:
        names = Text(", ").join(
            Text.assemble(render.short_id(record), "/", shown(call)) for record, call in against[:_SHOWN]
        )
        more = f" and {len(against) - _SHOWN} more" if len(against) > _SHOWN else ""
        render.console().print(
            Text.assemble(
                (f"{len(against)} calls are now judged both right and wrong: ", "bold red"),
                names,
                more,
                ". See --list-contradictions.",
            )
        )


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int, int | None], None]]:
    out = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=out, transient=True, disable=not out.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
