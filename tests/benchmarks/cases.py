"""Public cases that a model planned several times: the plan, its samples, and whether the plan was right.

Two forms are read. Plans by several servers: ``samples[{calls, correct, correct_sem}]``, of which the first is
the plan and the others its samples, at least four. Recorded samples: ``plan{calls, tokens, logprobs}``,
``samples[{calls, text, sum_logprob, n_tokens, finish}]``, ``p_true``, ``verbalized`` and ``correct``. The tools come from a
second file, by id.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guardrail.errors import ConfigError
from guardrail.types import Case, Sample, SampleStatus, Signal, Token, ToolCall, ToolSpec

SINGLE = ("simple_python", "multiple", "live_simple", "live_multiple")
"""Categories in which one call is right."""

LEAST_RUNS = 5
WORDS = "(an answer in words, which was not recorded)"
"""A run without calls did answer: it is not an empty one."""


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """A case of the file. ``labels`` say, label by label, whether the plan was right; None where nobody knows.

    ``stated`` is the confidence as the model wrote it.
    """

    case: Case
    category: str
    labels: Mapping[str, bool | None]
    stated: str | None = None

    @property
    def single(self) -> bool:
        """Whether one call is right."""
        return self.category in SINGLE


def read_cases(path: Path, tools: Path) -> list[Recorded]:
    """The cases of a file: of recorded samples all, of plans by several servers those in which one call is right.

    Raises:
        ConfigError: a file is missing, a line is not of either form, an id comes twice, or nothing is left.
    """
    specs = {row["id"]: tuple(map(_tool, row["tools"])) for row in _rows(tools)}
    cases: dict[str, Recorded] = {}
    for number, row in enumerate(_rows(path), start=1):
        try:
            if "plan" in row:
                found = _recorded(row, specs[row["id"]])
            elif row["category"] in SINGLE:
                found = _runs(row, specs[row["id"]])
            else:
                continue
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise ConfigError(f"{path}, row {number}: not a case with tools in {tools} ({error!r})") from error
        if len(found.case.samples) < LEAST_RUNS - 1:
            continue
        if found.case.id in cases:
            raise ConfigError(f"{path}, row {number}: the id {found.case.id!r} comes twice")
        cases[found.case.id] = found
    if not any(found.single for found in cases.values()):
        raise ConfigError(f"{path} has no cases of the categories {', '.join(SINGLE)}")
    return list(cases.values())


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


def _group(planned: Sample, tools: Sequence[ToolSpec]) -> str:
    """Cases of one function are alike: the one that is planned, or else the first that could be."""
    return planned.calls[0].name if planned.calls else next((tool.name for tool in tools), "")


def _runs(row: Mapping[str, Any], tools: tuple[ToolSpec, ...]) -> Recorded:
    planned, *samples = (
        Sample(
            calls=_calls(run["calls"]),
            text="" if run["calls"] else WORDS,
            status=SampleStatus.UNPARSABLE if run["calls"] is None else SampleStatus.OK,
        )
        for run in row["samples"]
    )
    first = row["samples"][0]
    labels = {"correct_sem": first["correct_sem"], "correct": first["correct"]}
    return Recorded(
        case=Case(
            id=row["id"],
            planned=planned,
            samples=tuple(samples),
            tools=tools,
            correct=labels["correct_sem"],
            group=_group(planned, tools),
            model=str(row.get("model", "")),
        ),
        category=row["category"],
        labels=labels,
    )


def _recorded(row: Mapping[str, Any], tools: tuple[ToolSpec, ...]) -> Recorded:
    plan = row["plan"]
    planned = Sample(
        calls=_calls(plan["calls"]),
        text=plan["text"],
        status=SampleStatus.UNPARSABLE if plan["calls"] is None else SampleStatus.OK,
        tokens=_tokens(plan),
    )
    stated = row.get("verbalized")
    signals = _asked("p_true", row.get("p_true")), _asked("verbalized_confidence", _percent(stated))
    return Recorded(
        case=Case(
            id=row["id"],
            planned=planned,
            samples=tuple(map(_recorded_sample, row["samples"])),
            tools=tools,
            correct=row["correct"],
            group=_group(planned, tools),
            model=str(row.get("model", "")),
            signals=(signals,) * max(1, len(planned.calls)),
        ),
        category=row["category"],
        labels={"correct": row["correct"]},
        stated=None if stated is None else str(stated),
    )


def _asked(name: str, value: float | None) -> Signal:
    if value is None:
        return Signal(name=name, unit="probability", missing="not recorded, or not readable")
    return Signal(name=name, unit="probability", value=float(value))


def _percent(stated: object) -> float | None:
    """A stated number as it is given: out of 100. Whether the 10 of a model means 10 % or 10 of 10 cannot be told."""
    match = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*%?\s*", str(stated))
    number = float(match[1]) if match else None
    return None if number is None or number > 100 else number / 100


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
