"""What a run of the demo came to: calls, routes, tokens, seconds."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

from guardrail.types import Record, Route, StepVerdict, Usage


@dataclass
class Tally:
    """Counts over all tasks of a run. ``planning`` is the agent's own cost, ``guarding`` what its samples cost."""

    tasks: int = 0
    steps: int = 0
    samples: int = 0
    routes: Counter[Route] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    pending: list[str] = field(default_factory=list)
    planning: Usage = field(default_factory=Usage)
    guarding: Usage = field(default_factory=Usage)
    recorded_seconds: float = 0.0

    def add(self, record: Record) -> None:
        """Count an assessed step."""
        step: StepVerdict = record.verdict
        self.steps += 1
        self.samples += step.drawn
        self.routes.update(verdict.route for verdict in step.verdicts)
        self.guarding += replace(step.usage, seconds=step.seconds)

    def lines(self) -> list[tuple[str, str]]:
        """Name and value of each count, for people."""
        reviews = [f"{count} {kind}" for kind, count in sorted(self.decisions.items())]
        reviews += [f"{len(self.pending)} pending"] if self.pending else []
        return [
            ("calls", f"{self.routes.total()} planned in {self.steps} steps of {self.tasks} tasks"),
            (
                "routes",
                f"{self.routes[Route.EXECUTE]} executed, {self.routes[Route.RETRY]} planned again, "
                f"{self.routes[Route.REVIEW]} reviewed" + (f" ({', '.join(reviews)})" if reviews else ""),
            ),
            ("samples", f"{self.samples} drawn in {self.guarding.requests} requests"),
            ("tokens", f"{_tokens(self.planning)} for planning, {_tokens(self.guarding)} for the guard's samples"),
            ("seconds", f"{self.planning.seconds:.1f} planning, {self.guarding.seconds:.1f} guarding{self._then()}"),
        ]

    def _then(self) -> str:
        if not self.recorded_seconds:
            return ""
        return f" (replayed; the model took {self.recorded_seconds:.0f} when it was recorded)"


def _tokens(usage: Usage) -> str:
    if usage.prompt_tokens is None or usage.completion_tokens is None:
        return "an unknown number"
    return f"{usage.prompt_tokens:,} + {usage.completion_tokens:,}"
