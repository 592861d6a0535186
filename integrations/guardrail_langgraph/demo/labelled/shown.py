"""What a viewer of ``guardrail demo --label`` sees beside the output of the commands that it runs."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from guardrail.cli.render import call_text, route_text
from guardrail.cli.safe_text import shown
from guardrail.types import Record, Route, Tier, Verdict
from guardrail_langgraph.demo.labelled.traffic import Request
from guardrail_langgraph.demo.labelled.truth import Judged

_EXAMPLES = 3
_WIDTH = 96


@dataclass(frozen=True, kw_only=True)
class Planned:
    """One planned call: what was asked, what the guard said, and what the checker says of it."""

    request: Request
    record: Record
    verdict: Verdict
    judged: Judged

    @property
    def ran(self) -> bool:
        """Whether it ran without a human."""
        return self.verdict.route is Route.EXECUTE


class Told:
    """Prints the parts of the demo; ``pause`` is called before each."""

    def __init__(self, console: Console, *, pause: Callable[[], None] = lambda: None) -> None:
        self.console = console
        self._pause = pause
        self._part = 0

    def part(self, title: str, *lines: str) -> None:
        """A new part, with what it is about."""
        self._pause()
        self._part += 1
        self.console.print()
        self.console.print(Rule(Text(f"{self._part}. {title}", "bold"), align="left", style="dim"))
        for line in lines:
            self.say(line)

    def say(self, line: str, *, style: str = "") -> None:
        """A sentence of the demo's own."""
        self.console.print(Padding(Text(line, style), (0, 0, 0, 2)), width=_WIDTH)

    def command(self, arguments: Sequence[str]) -> None:
        """A command that is run now, as the viewer could run it."""
        self.console.print()
        self.console.print(
            Text.assemble(("  $ ", "dim"), ("guardrail " + shlex.join(arguments), "cyan")), soft_wrap=True
        )

    def routes(self, calls: Iterable[Planned]) -> None:
        """Of each tier: how many calls ran, waited for a human, or were planned again."""
        counts: dict[Tier, Counter[Route]] = {}
        for one in calls:
            counts.setdefault(one.verdict.tier, Counter())[one.verdict.route] += 1
        table = _table("tier", "calls", "ran", "wait for a human")
        for tier in Tier:
            if tier in counts:
                routes = counts[tier]
                waits = routes.total() - routes[Route.EXECUTE]
                table.add_row(tier.value, str(routes.total()), str(routes[Route.EXECUTE]), str(waits))
        self.console.print(Padding(table, (1, 0, 0, 2)))

    def labels(self, counts: Mapping[Tier, Mapping[bool, int]], by: Mapping[str, int]) -> None:
        """Of each tier: how many calls were judged right and wrong; and how many labels whoever judged gave."""
        table = _table("tier", "labels", "right", "wrong")
        for tier in Tier:
            if tier in counts:
                right, wrong = counts[tier].get(True, 0), counts[tier].get(False, 0)
                table.add_row(tier.value, str(right + wrong), str(right), str(wrong))
        self.console.print(Padding(table, (1, 0, 0, 2)))
        judges = Text(", ").join(Text.assemble(shown(name), f" ({count})") for name, count in by.items())
        self.console.print(Padding(Text.assemble("judged by ", judges, style="dim"), (1, 0, 0, 2)))

    def examples(self, calls: Sequence[Planned]) -> None:
        """A few wrong calls and why they are; those first on which all samples agreed."""
        wrong = [one for one in calls if not one.judged.correct]
        kinds: dict[str, Planned] = {}
        for one in sorted(wrong, key=lambda one: -one.verdict.agreeing):
            kinds.setdefault(one.request.kind, one)
        for one in list(kinds.values())[:_EXAMPLES]:
            self._lines(
                ("clerk", shown(one.request.text)),
                ("plan", call_text(one.verdict.call, limit=40)),
                ("wrong", shown(one.judged.why, limit=120)),
            )

    def verdict(self, one: Planned) -> None:
        """One verdict in full: what it rests on, or why on nothing."""
        verdict = one.verdict
        promise = verdict.promise
        rests = Text("calibrated: ", "bold").append(str(verdict.calibrated).lower(), _color(verdict.calibrated))
        if promise is not None:
            rests.append(f" · {verdict.tier.value} tier · n {promise.n}")
        lines = [
            ("clerk", shown(one.request.text)),
            ("plan", call_text(verdict.call, limit=40)),
            ("verdict", Text.assemble(route_text(verdict.route), ": ", shown(verdict.why, limit=300))),
            ("", rests),
        ]
        if verdict.uncalibrated:
            lines.append(("", Text.assemble("uncalibrated: ", shown(verdict.uncalibrated, limit=300))))
        self._lines(*lines)

    def measured(self, calls: Sequence[Planned], promised: Mapping[Tier, float]) -> None:
        """Of each tier: what ran by its threshold, and how much of it was wrong, by the checker."""
        table = _table("tier", "calls", "calibrated", "ran", "wrong of these", "promised", "wrong, would wait")
        for tier in Tier:
            mine = [one for one in calls if one.verdict.tier is tier]
            if not mine:
                continue
            ran = [one for one in mine if one.ran]
            wrong = sum(not one.judged.correct for one in ran)
            share = f"{wrong} ({wrong / len(ran):.0%})" if ran else "-"
            alpha = promised.get(tier)
            table.add_row(
                tier.value,
                str(len(mine)),
                str(sum(one.verdict.calibrated for one in mine)),
                str(len(ran)),
                share,
                "-" if alpha is None else f"at most {alpha:.0%}",
                str(sum(not one.judged.correct for one in mine if not one.ran)),
            )
        self.console.print(Padding(table, (1, 0, 0, 2)))

    def _lines(self, *lines: tuple[str, Text]) -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=8, no_wrap=True)
        grid.add_column(overflow="fold")
        for name, text in lines:
            grid.add_row(Text(name, "dim"), text)
        self.console.print(Padding(grid, (1, 0, 0, 2)))


def _color(good: bool) -> str:
    return "green" if good else "yellow"


def _table(*headers: str) -> Table:
    table = Table(show_edge=False, header_style="bold", pad_edge=False)
    for number, header in enumerate(headers):
        table.add_column(header, justify="right" if number else "left")
    return table
