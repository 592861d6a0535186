"""``guardrail cluster``: which of the samples in a file mean the same."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import click
from rich.console import Group as Lines
from rich.console import RenderableType
from rich.text import Text

from guardrail.cli import render
from guardrail.cli.options import backend_option, json_option, tools_option
from guardrail.cli.plugins import entailment
from guardrail.cli.rows import TEXT_ARGUMENT, Row, Tools, read_rows, read_tools
from guardrail.cli.safe_text import shown
from guardrail.clustering import Entailment, Group, Grouping, Plan, Reason, TextPair, group_samples, shared
from guardrail.errors import EntailmentError
from guardrail.types import SampleStatus

_BAR = 10


@dataclass(frozen=True, kw_only=True)
class _Grouped:
    """A row, what its samples mean, and the answers behind that."""

    row: Row
    grouping: Grouping
    groups: tuple[Group, ...]
    same: dict[TextPair, bool]
    backend: str
    pairs: int
    rounds: int


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@tools_option
@backend_option
@json_option
def cluster(file: Path, tools_file: Path | None, backend: str, *, as_json: bool) -> None:
    """Group the samples of each row of FILE by meaning, and say why.

    FILE holds JSON lines: {"samples": [...], "tools": [...], "plan": [...]} with each sample a list of calls,
    or plain texts; or records, as show --json and log --json print them. --json prints one object a row.
    """
    rows = list(read_rows(file, Tools() if tools_file is None else read_tools(tools_file)))
    for grouped in _group(rows, shared(entailment(backend))):
        if as_json:
            click.echo(json.dumps(_data(grouped)))
        else:
            render.console().print(_view(grouped))


def _group(rows: Sequence[Row], judge: Entailment) -> list[_Grouped]:
    """All rows in two rounds, which they share."""
    groupings = [group_samples(row.samples, row.tools, planned=row.planned) for row in rows]
    first = [grouping.against_first for grouping in groupings]
    same = _answers(judge, first)
    second = [grouping.open_pairs(same) for grouping in groupings]
    same |= _answers(judge, second)
    return [
        _Grouped(
            row=row,
            grouping=grouping,
            groups=grouping.resolve(same),
            same=same,
            backend=judge.name,
            pairs=len(asked) + len(rest),
            rounds=bool(asked) + bool(rest),
        )
        for row, grouping, asked, rest in zip(rows, groupings, first, second, strict=True)
    ]


def _answers(judge: Entailment, asked: Iterable[Sequence[TextPair]]) -> dict[TextPair, bool]:
    pairs = list(dict.fromkeys(pair for row in asked for pair in row))
    if not pairs:
        return {}
    answers = judge.equivalent(pairs)
    if len(answers) != len(pairs):
        raise EntailmentError(f"{judge.name} gave {len(answers)} answers for {len(pairs)} pairs of texts")
    return {pair: answer is True for pair, answer in zip(pairs, answers, strict=True)}


def _data(found: _Grouped) -> dict[str, Any]:
    row = found.row
    return {
        "line": row.line,
        "id": row.id,
        "samples": len(row.samples),
        "invalid": [number for number, sample in enumerate(row.samples) if not sample.valid],
        "backend": found.backend,
        "pairs": found.pairs,
        "rounds": found.rounds,
        "without_schema": _unknown(row),
        "agreeing": None if row.planned is None else len(_agreeing(found)),
        "groups": [
            {
                "members": list(group.members),
                "planned": group.planned,
                "calls": [{"name": call.call.name, "arguments": call.call.arguments} for call in group.plans[0].calls],
                "differs": _differs(found, group),
            }
            for group in found.groups
        ],
        "compared": [
            {
                "a": _number(one),
                "b": _number(other),
                "equal": found.grouping.equal(one, other, found.same),
                "reasons": [_reason(reason, found) for reason in found.grouping.reasons(one, other, found.same)],
            }
            for one, other in combinations(found.grouping.plans, 2)
        ],
    }


def _number(plan: Plan) -> int | None:
    """A sample that wrote this plan; None for a plan that no sample repeats."""
    return min(plan.members, default=None)


def _reason(reason: Reason, found: _Grouped) -> dict[str, Any]:
    pair = reason.pair
    return {
        "tool": reason.tool,
        "argument": reason.argument,
        "equal": reason.equal,
        "comparator": reason.comparator,
        "because": reason.because,
        "texts": None if pair is None else [pair.a, pair.b],
        "by": found.backend if pair is not None and pair in found.same else "structure",
    }


def _agreeing(found: _Grouped) -> list[int]:
    """The samples that mean what was planned, whatever cluster they are in."""
    first, *others = found.grouping.plans
    agreeing = [first, *(plan for plan in others if found.grouping.equal(first, plan, found.same))]
    return [number for plan in agreeing for number in plan.members]


def _differs(found: _Grouped, group: Group) -> list[str]:
    """The arguments in which a group differs from the first one; a whole call is named by its tool."""
    reasons = found.grouping.reasons(found.groups[0].plans[0], group.plans[0], found.same)
    standing = [reason for reason in reasons if not reason.equal]
    return [] if group is found.groups[0] else list(dict.fromkeys(one.argument or one.tool for one in standing))


def _view(found: _Grouped) -> RenderableType:
    parts: list[RenderableType] = [_heading(found)]
    for place, group in enumerate(found.groups, start=1):
        parts.append(_line(found, group, place))
        parts += [
            line
            for plan in group.plans[1:]
            for line in _compared(
                found, plan, group.plans[0], Text.assemble(("    = ", "green"), _written(found, plan))
            )
        ]
        parts += [
            line
            for number, other in enumerate(found.groups[: place - 1], start=1)
            for line in _compared(found, other.plans[0], group.plans[0], Text(f"    ≠ meaning {number}", "red"))
        ]
    invalid: dict[SampleStatus, list[int]] = {}
    for number, sample in enumerate(found.row.samples):
        if not sample.valid:
            invalid.setdefault(sample.status, []).append(number)
    parts += [Text(f"  not grouped: {status.value} {_numbers(numbers)}", "dim") for status, numbers in invalid.items()]
    unknown = _unknown(found.row)
    if unknown:
        parts.append(Text.assemble("  without a schema, compared exactly: ", shown(", ".join(unknown)), style="dim"))
    return Lines(*parts, Text(""))


def _heading(found: _Grouped) -> Text:
    row, meanings = found.row, sum(bool(group.members) for group in found.groups)
    line = Text.assemble((f"line {row.line}", "bold"), "  ", shown(row.id, limit=60), "  " if row.id else "")
    line.append(f"{_count(len(row.samples), 'sample')}, {_count(meanings, 'meaning')}")
    if row.planned is not None:
        line.append(f", {len(_agreeing(found))} as planned")
    asked = f"{_count(found.pairs, 'pair')} of texts in {_count(found.rounds, 'round')}"
    return line.append_text(
        Text.assemble("; ", shown(found.backend, limit=120), ": ", asked if found.pairs else "not asked")
    )


def _line(found: _Grouped, group: Group, place: int) -> Text:
    count, valid = len(group.members), sum(sample.valid for sample in found.row.samples)
    filled = round(_BAR * count / valid) if valid else 0
    line = Text.assemble(f"  {place:2}  ", "█" * filled, ("░" * (_BAR - filled), "dim"), f" {count:3}  ")
    if group.planned:
        line.append("as planned  ", "green")
    differs = _differs(found, group)
    if differs:
        line.append_text(Text.assemble("other ", shown(", ".join(differs), limit=120), "  "))
    return line.append_text(_written(found, group.plans[0])).append(f"  {_numbers(group.members)}", "dim")


def _written(found: _Grouped, plan: Plan) -> Text:
    if found.row.texts:
        return shown(str(plan.calls[0].call.arguments[TEXT_ARGUMENT]), limit=300)
    if not plan.calls:
        return Text.assemble("no call  ", shown(_said(found.row, plan), limit=120))
    return Text("  +  ").join(render.call_text(call.call) for call in plan.calls)


def _said(row: Row, plan: Plan) -> str:
    return min((row.samples[number].text for number in plan.members), default="")


def _compared(found: _Grouped, one: Plan, other: Plan, heading: Text) -> Iterable[Text]:
    yield heading
    for reason in found.grouping.reasons(one, other, found.same):
        judged = reason.pair is not None and reason.pair in found.same
        yield Text.assemble(
            "        ",
            shown(reason.argument or reason.tool, limit=80),
            f": {'equal' if reason.equal else 'different'} by {reason.comparator}",
            Text.assemble(", judged by ", shown(found.backend, limit=120)) if judged else _because(reason),
        )


def _because(reason: Reason) -> Text:
    return Text.assemble(" (", shown(reason.because, limit=160), ")") if reason.because else Text("")


def _unknown(row: Row) -> list[str]:
    """Tools that are called and that nobody described."""
    return sorted({call.name for sample in row.samples for call in sample.calls} - {tool.name for tool in row.tools})


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number != 1 else ''}"


def _numbers(numbers: Sequence[int]) -> str:
    return ", ".join(f"#{number}" for number in numbers)
