"""Public cases that a model planned several times: the plan, its samples, and whether the plan was right.

Two forms are read. Plans by several servers: ``samples[{calls, correct, correct_sem}]``, of which the first is
the plan and the others its samples, at least four. Recorded samples: ``plan{calls, tokens, logprobs}``,
``samples[{calls, text, sum_logprob, n_tokens, finish}]`` and ``correct``. The tools come from a second file, by id.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrail.errors import ConfigError
from guardrail.types import Sample, SampleStatus, Token, ToolCall, ToolSpec

CATEGORIES = ("simple_python", "multiple", "live_simple", "live_multiple")
"""Categories in which one call is right."""

LEAST_RUNS = 5


@dataclass(frozen=True, kw_only=True)
class Case:
    """One planned step. ``labels`` says, label by label, whether it was right; None where nobody knows."""

    id: str
    category: str
    planned: Sample
    samples: tuple[Sample, ...]
    tools: tuple[ToolSpec, ...]
    labels: Mapping[str, bool | None]


def read_cases(path: Path, tools: Path, categories: Sequence[str] = CATEGORIES) -> list[Case]:
    """The cases of a file that belong to the categories.

    Raises:
        ConfigError: a file is missing, a line is not of either form, or nothing is left.
    """
    specs = {row["id"]: tuple(map(_tool, row["tools"])) for row in _rows(tools)}
    cases = []
    for number, row in enumerate(_rows(path), start=1):
        try:
            if row["category"] not in categories:
                continue
            case = _recorded(row, specs[row["id"]]) if "plan" in row else _runs(row, specs[row["id"]])
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ConfigError(f"{path}, row {number}: not a case with tools in {tools} ({error!r})") from error
        if len(case.samples) >= LEAST_RUNS - 1:
            cases.append(case)
    if not cases:
        raise ConfigError(f"{path} has no cases of the categories {', '.join(categories)}")
    return cases


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        try:
            row = json.loads(line)
        except ValueError as error:
            raise ConfigError(f"{path}, line {number}: not JSON ({error})") from error
        if not isinstance(row, dict) or "id" not in row:
            raise ConfigError(f"{path}, line {number}: not an object with an id")
        yield row


def _tool(tool: Mapping[str, Any]) -> ToolSpec:
    function = tool.get("function", tool)
    return ToolSpec(
        name=function["name"],
        description=function.get("description") or "",
        parameters=function.get("parameters") or {},
    )


def _calls(calls: Iterable[Mapping[str, Any]] | None) -> tuple[ToolCall, ...]:
    return tuple(ToolCall(name=call["name"], arguments=dict(call["arguments"])) for call in calls or ())


def _runs(row: Mapping[str, Any], tools: tuple[ToolSpec, ...]) -> Case:
    planned, *samples = (
        Sample(calls=_calls(run["calls"]), status=SampleStatus.UNPARSABLE if run["calls"] is None else SampleStatus.OK)
        for run in row["samples"]
    )
    first = row["samples"][0]
    return Case(
        id=row["id"],
        category=row["category"],
        planned=planned,
        samples=tuple(samples),
        tools=tools,
        labels={"correct_sem": first["correct_sem"], "correct": first["correct"]},
    )


def _recorded(row: Mapping[str, Any], tools: tuple[ToolSpec, ...]) -> Case:
    plan = row["plan"]
    return Case(
        id=row["id"],
        category=row["category"],
        planned=Sample(calls=_calls(plan["calls"]), text=plan["text"], tokens=_tokens(plan)),
        samples=tuple(map(_recorded_sample, row["samples"])),
        tools=tools,
        labels={"correct": row["correct"]},
    )


def _tokens(plan: Mapping[str, Any]) -> tuple[Token, ...] | None:
    """The plan's tokens, if they were recorded; the last log-probability is the end token's."""
    if plan["tokens"] is None:
        return None
    spelt = zip([*plan["tokens"], ""], plan["logprobs"], strict=True)
    return tuple(Token(text=text, logprob=logprob) for text, logprob in spelt)


def _recorded_sample(sample: Mapping[str, Any]) -> Sample:
    """Only sums of log-probabilities are recorded: one token stands for all and carries their mean."""
    status = SampleStatus.OK
    if sample["calls"] is None:
        status = SampleStatus.UNPARSABLE
    elif sample["finish"] == "length":
        status = SampleStatus.TRUNCATED
    mean = sample["sum_logprob"] / max(sample["n_tokens"], 1)
    return Sample(
        calls=_calls(sample["calls"]),
        text=sample["text"],
        status=status,
        finish_reason=sample["finish"],
        tokens=(Token(text=sample["text"], logprob=mean),),
    )
