"""What may be told of a verdict outside: names, numbers, ids. Everything that leaves is made here."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final

from guardrail.types import PlanningStep, StepVerdict, Verdict

OTHER: Final = "_OTHER"
"""In place of the name of a tool that the model was not offered: it made that up, and may have put anything in it."""
_LONGEST: Final = 200


def tool_name(step: PlanningStep, verdict: Verdict) -> str:
    """The tool's name, if the model was offered it; ``OTHER`` if not."""
    name = verdict.call.name
    return short(name) if any(tool.name == name for tool in step.tools) else OTHER


def short(text: str) -> str:
    """The beginning of a text, for attributes."""
    return text[:_LONGEST]


def signal(verdict: Verdict, name: str) -> float | None:
    """A signal's value, where it was measured."""
    found = verdict.signal(name)
    value = None if found is None else found.value
    return value if value is not None and math.isfinite(value) else None


def agreement(verdict: Verdict) -> float | None:
    """Share of the valid samples that mean the call: the signal, or the count; None without samples."""
    known = signal(verdict, "agreement")
    counted = verdict.agreeing + verdict.disagreeing
    return known if known is not None or not counted else verdict.agreeing / counted


def entropy(verdict: Verdict) -> float | None:
    """Semantic entropy of the samples, nats; None where it was not measured."""
    return signal(verdict, "semantic_entropy")


def worst(values: Iterable[float | None], *, least: bool = False) -> float | None:
    """The greatest of those that are known, or the least."""
    known = [value for value in values if value is not None]
    return (min(known) if least else max(known)) if known else None


def tokens(verdict: StepVerdict) -> dict[str, int]:
    """Tokens that finding out took, by kind, as far as they were reported."""
    counts = {"input": verdict.usage.prompt_tokens, "output": verdict.usage.completion_tokens}
    return {kind: count for kind, count in counts.items() if count is not None}
