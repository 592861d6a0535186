"""What a viewer of the demo sees. Everything that comes from a model goes through ``shown``."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from langchain_core.messages import AIMessage, ToolMessage
from rich.console import Console, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from guardrail.cli.render import call_text, route_text
from guardrail.cli.safe_text import shown, shown_value
from guardrail.types import Cluster, MeaningKind, Reason, Record, Route, StepVerdict, Tier, Verdict
from guardrail_langgraph.demo.recorded import REPLAY
from guardrail_langgraph.demo.tally import Tally
from guardrail_langgraph.demo.tasks import Task
from guardrail_langgraph.history import MARK

INDENT = 9
"""Columns before the text."""
_BAR = 16
_LIMIT = 400
_WORDS = 160
_TIERS = {Tier.LOW: "green", Tier.MEDIUM: "cyan", Tier.HIGH: "yellow", Tier.CRITICAL: "red"}


class View:
    """Prints the run of the agent, step by step.

    ``command`` is how the viewer calls guardrail on the same store; ``pause`` is called between steps.
    """

    def __init__(
        self, console: Console, *, command: str = "guardrail", pause: Callable[[], None] = lambda: None
    ) -> None:
        self.console = console
        self.command = command
        self._pause = pause

    def begin(self, task: Task) -> None:
        """The clerk's request."""
        self.console.print()
        self.console.print(Rule(Text(task.id, "bold"), align="left", style="dim"))
        self._line("clerk", shown(task.text, style="bold"))
        self._line("", Text(task.shows, "dim italic"))

    def said(self, message: AIMessage) -> None:
        """The agent's words at the end of a run."""
        text = message.text.strip()
        note = message.response_metadata.get(REPLAY) == "none" or not text
        self._line("agent", shown(text or "(says nothing)", limit=_WORDS, style="dim" if note else ""))

    def step(self, record: Record) -> None:
        """A planning step: each planned call, what its samples mean, and the verdict."""
        self._pause()
        step = record.verdict
        for verdict in step.verdicts:
            self._line("plans", call_text(verdict.call))
            for line in evidence(verdict, step):
                self._line("", line)
            self._line(verdict.route.value, shown(verdict.why, limit=_LIMIT), style=_style(verdict.route))
        for name, count in step.extra.items():
            self._line("", Text.assemble(f"{count} of {step.drawn} samples also call ", shown(name), style="dim"))

    def answered(self, message: ToolMessage) -> None:
        """What a tool gave, or what the agent is told instead."""
        mark = message.additional_kwargs.get(MARK)
        outcome = mark.get("outcome") if isinstance(mark, dict) else None
        if outcome == "retry":
            self._line("told", Text("where the plans disagreed, and to plan the step again", "dim"))
        elif outcome is not None:
            self._line("told", shown(message.text, limit=_LIMIT))
        else:
            self._line("ran", shown(message.text, limit=_LIMIT))

    def note(self, text: str) -> None:
        """A remark of the demo's own."""
        self._line("", Text(text, "dim"))

    def replayed_in_other_words(self) -> None:
        """That the viewer's answer differed in wording from the recorded one."""
        self.note("(recorded after an answer in other words)")

    def pending(self, review_ids: Sequence[str]) -> None:
        """That reviews stay open, and how to decide on them."""
        for review_id in review_ids:
            self._line("pending", Text(f"review {review_id[:12]}: nothing ran"), style=_style(Route.REVIEW))

    def ended(self, tally: Tally, *, where: str, source: str, graph: str) -> None:
        """The bill."""
        self.console.print()
        self.console.print(Rule(Text("summary", "bold"), align="left", style="dim"))
        for name, value in tally.lines():
            self._line(name, Text(value))
        self._line("plans by", shown(source))
        self._line("record", shown(where))
        self._line("", Text(f"look closer: {self.command} log, {self.command} show ID", "dim"))
        if tally.pending:
            self._line("", Text(f"decide: {self.command} reviews list, {self.command} reviews approve ID", "dim"))
            self._line("", Text(f"then go on: {self.command} resume --graph {graph}", "dim"))

    def _line(self, label: str, value: Text, *, style: str = "dim") -> None:
        grid = Table.grid(padding=(0, 1))
        grid.add_column(width=INDENT - 1, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(label, style), value)
        self.console.print(grid)


def evidence(verdict: Verdict, step: StepVerdict) -> Iterable[Text]:
    """The meanings found for one call, largest first, and the numbers."""
    for cluster in sorted(verdict.clusters, key=lambda one: (-len(one.members), not one.planned)):
        if cluster.members or cluster.planned:
            yield meaning(cluster, step.drawn)
    numbers = [Text.assemble((f"{verdict.tier.value} stakes", _TIERS[verdict.tier]))]
    if step.drawn and verdict.asked:
        numbers.append(Text(f"agreement {verdict.agreeing}/{verdict.agreeing + verdict.disagreeing}"))
        entropy = verdict.signal("semantic_entropy")
        value = "missing" if entropy is None or entropy.value is None else f"{entropy.value:.2f} nats"
        numbers.append(Text(f"entropy {value}"))
        invalid = f", {step.invalid} not valid" if step.invalid else ""
        early = ", the rest could not change it" if step.curtailed else ""
        numbers.append(Text(f"{step.drawn} of {step.asked} samples{invalid}{early}"))
    else:
        least = verdict.signal("logprob_min")
        if verdict.reason is Reason.LIKELY and least is not None and least.value is not None:
            numbers.append(Text(f"least likely token {math.exp(least.value):.0%}"))
        numbers.append(Text("no samples"))
    yield Text(" · ", "dim").join(numbers)


def meaning(cluster: Cluster, drawn: int) -> Text:
    """A bar, the number of samples, and what they want to do."""
    count = len(cluster.members)
    filled = round(_BAR * count / drawn) if drawn else 0
    color = "green" if cluster.planned else "red"
    line = Text.assemble(("█" * filled, color), ("░" * (_BAR - filled), "dim"), f" {count}  ")
    if cluster.planned:
        return line.append("as planned")
    if cluster.kind is MeaningKind.NO_CALL or cluster.call is None:
        return line.append("no such call")
    if cluster.kind is MeaningKind.CALL and cluster.differs and set(cluster.differs) <= cluster.call.arguments.keys():
        values = {name: cluster.call.arguments[name] for name in cluster.differs}
        return line.append_text(Text(", ").join(_argument(name, value) for name, value in values.items()))
    return line.append_text(call_text(cluster.call, limit=30))


def _argument(name: str, value: object) -> Text:
    return Text.assemble(shown(name, limit=30), "=", shown_value(value, limit=60))


def _style(route: Route) -> str:
    return str(route_text(route).style)


def tasks_table(tasks: Iterable[Task]) -> RenderableType:
    """The tasks that can be run."""
    table = Table(show_edge=False, header_style="bold", pad_edge=False)
    for header in ("task", "the clerk says", "what it shows"):
        table.add_column(header, overflow="fold")
    for task in tasks:
        table.add_row(Text(task.id), Text(task.text), Text(task.shows, "dim"))
    return table
