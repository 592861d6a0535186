"""How well the comparison tells whether two lists of tool calls mean the same.

    python -m tests.benchmarks.equivalence PAIRS.jsonl [--backend structure|embeddings|nli:FOLDER_OR_ID]
        [--errors 20] [--json]

Each row has ``a``, ``b`` (a call ``{name, arguments}`` or a list of them), ``tools``, ``same_meaning``, ``kind`` and
``label_source``. "Same" is the positive class; several calls are matched one to one in any order. Two
peers run on the same rows: equal JSON, and JSON after folding letter case, white space and numbers.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from guardrail.clustering import Entailment, ExactEntailment, TextPair, compare, compare_calls
from guardrail.errors import ConfigError, GuardrailError
from guardrail.types import Sample, ToolCall, ToolSpec
from tests.benchmarks.backends import BACKENDS, backend


@dataclass(frozen=True, kw_only=True)
class Row:
    """One labelled pair of lists of calls."""

    a: tuple[ToolCall, ...]
    b: tuple[ToolCall, ...]
    tools: tuple[ToolSpec, ...]
    same: bool
    kind: str
    adjudicated: bool


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSON lines file.

    Raises:
        ConfigError: the file is missing, or a line is not such a row.
    """
    rows = []
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            rows.append(_row(json.loads(line)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise ConfigError(f"{path}, line {number}: not a labelled pair of calls ({error!r})") from error
    if not rows:
        raise ConfigError(f"{path} has no rows")
    return rows


def _row(data: dict[str, Any]) -> Row:
    return Row(
        a=_calls(data["a"]),
        b=_calls(data["b"]),
        tools=tuple(_tool(tool) for tool in data["tools"]),
        same=bool(data["same_meaning"]),
        kind=data["kind"],
        adjudicated=data["label_source"] == "adjudicated",
    )


def _calls(calls: Iterable[dict[str, Any]] | dict[str, Any]) -> tuple[ToolCall, ...]:
    calls = [calls] if isinstance(calls, dict) else calls
    return tuple(ToolCall(name=call["name"], arguments=call["arguments"]) for call in calls)


def _tool(tool: dict[str, Any]) -> ToolSpec:
    function = tool.get("function", tool)
    return ToolSpec(
        name=function["name"],
        description=function.get("description") or "",
        parameters=function.get("parameters") or {},
    )


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What was decided about the rows, and what it took."""

    decided: list[bool]
    pairs: int
    rounds: int
    seconds: float


def judge_rows(rows: Sequence[Row], entailment: Entailment) -> Outcome:
    """Decides every row as the guard would: one list as the plan, the other as its only sample."""
    started = time.perf_counter()
    compared = [compare(row.a, [Sample(calls=row.b)], row.tools) for row in rows]
    asked = sorted(
        {pair for one in compared for pair in one.pairs}, key=lambda pair: (pair.tool, pair.argument, pair.a, pair.b)
    )
    same: dict[TextPair, bool] = {}
    rounds = 0
    if asked and not isinstance(entailment, ExactEntailment):
        same.update(zip(asked, entailment.equivalent(asked), strict=True))
        rounds = 1
    decided = []
    for row, one in zip(rows, compared, strict=True):
        meaning = one.resolve(same)
        decided.append(len(row.a) == len(row.b) and all(call.agrees == (True,) for call in meaning.calls))
    return Outcome(decided=decided, pairs=len(asked), rounds=rounds, seconds=time.perf_counter() - started)


def exact_peer(row: Row) -> bool:
    """Equal JSON, calls in any order."""
    return _texts(row.a, lambda value: value) == _texts(row.b, lambda value: value)


def simple_peer(row: Row) -> bool:
    """Equal JSON after folding case, white space and number forms, and filling in declared defaults."""
    defaults = {
        tool.name: {
            name: schema["default"]
            for name, schema in (tool.parameters.get("properties") or {}).items()
            if isinstance(schema, dict) and "default" in schema
        }
        for tool in row.tools
    }
    filled = [
        [ToolCall(name=call.name, arguments={**defaults.get(call.name, {}), **call.arguments}) for call in calls]
        for calls in (row.a, row.b)
    ]
    return _texts(filled[0], _folded) == _texts(filled[1], _folded)


def _texts(calls: Iterable[ToolCall], fold: Callable[[Any], Any]) -> Counter[str]:
    return Counter(json.dumps([call.name, fold(call.arguments)], sort_keys=True) for call in calls)


def _folded(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _folded(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_folded(one) for one in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return " ".join(value.casefold().split()) if isinstance(value, str) else value


def rates(rows: Sequence[Row], decided: Sequence[bool]) -> dict[str, float | None]:
    """Precision and recall of "same"; None where there is nothing to divide by."""
    right = sum(row.same and said for row, said in zip(rows, decided, strict=True))
    said_same, are_same = sum(decided), sum(row.same for row in rows)
    return {
        "precision": right / said_same if said_same else None,
        "recall": right / are_same if are_same else None,
    }


def merged(rows: Sequence[Row], decided: Sequence[bool]) -> float | None:
    """The share of different rows that were held equal; None where there are none."""
    said = [one for row, one in zip(rows, decided, strict=True) if not row.same]
    return sum(said) / len(said) if said else None


def score(rows: Sequence[Row], outcome: Outcome) -> dict[str, Any]:
    """The figures that ``--json`` prints."""
    hard = [index for index, row in enumerate(rows) if row.adjudicated]
    by_kind: dict[str, list[bool]] = defaultdict(list)
    for row, said in zip(rows, outcome.decided, strict=True):
        by_kind[row.kind].append(row.same == said)
    return {
        **rates(rows, outcome.decided),
        "merged": merged(rows, outcome.decided),
        "adjudicated": rates([rows[index] for index in hard], [outcome.decided[index] for index in hard]),
        "by_kind": {
            kind: {"n": len(right), "accuracy": sum(right) / len(right)} for kind, right in sorted(by_kind.items())
        },
        "entailment_pairs": outcome.pairs,
        "rounds": outcome.rounds,
        "seconds": round(outcome.seconds, 3),
    }


def explain(row: Row, entailment: Entailment) -> str:
    """What decided about a row, for people."""
    if len(row.a) != 1 or len(row.b) != 1:
        return "calls matched one to one"
    tool = next((tool for tool in row.tools if tool.name == row.a[0].name), None)
    found = compare_calls(row.a[0], row.b[0], tool)
    if not found.differences:
        return "equal by structure"
    decisive = [one for one in found.differences if one.pair is None] or list(found.differences)
    judge = "" if decisive[0].pair is None else f", judged by {entailment.name}"
    return ", ".join(f"{one.argument or 'call'}: {one.comparator}" for one in decisive) + judge


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def work(entailment: Entailment) -> dict[str, Any]:
    """What a judge that counts says it took."""
    stats = getattr(entailment, "stats", None)
    return {} if stats is None else asdict(stats)


def report(rows: Sequence[Row], outcome: Outcome, found: dict[str, Any], name: str, console: Console) -> None:
    console.print(
        f"guardrail-middleware {version('guardrail-middleware')}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, backend {name}, {len(rows)} pairs ({sum(row.same for row in rows)} same)"
    )
    table = Table(title="same meaning: precision and recall")
    for column in ("rules", "precision", "recall", "adjudicated precision", "adjudicated recall"):
        table.add_column(column, justify="left" if column == "rules" else "right")
    hard = [row for row in rows if row.adjudicated]
    for label, peer in (("exact JSON", exact_peer), ("simple normalisation", simple_peer)):
        cells = rates(rows, [peer(row) for row in rows]), rates(hard, [peer(row) for row in hard])
        table.add_row(label, *(_percent(cell[key]) for cell in cells for key in ("precision", "recall")))
    ours = (found, found["adjudicated"])
    table.add_row(f"guardrail, {name}", *(_percent(cell[key]) for cell in ours for key in ("precision", "recall")))
    console.print(table)
    kinds = Table(title="accuracy by kind")
    for column in ("kind", "n", "accuracy"):
        kinds.add_column(column, justify="left" if column == "kind" else "right")
    for kind, figures in found["by_kind"].items():
        kinds.add_row(kind, str(figures["n"]), _percent(figures["accuracy"]))
    console.print(kinds)
    console.print(
        f"{outcome.pairs} text pairs left open by structure, {outcome.rounds} rounds, {outcome.seconds:.2f} seconds; "
        f"{_percent(found['merged'])} of the different pairs merged"
    )
    if found["work"]:
        console.print(", ".join(f"{word.replace('_', ' ')} {count}" for word, count in found["work"].items()))
        tokens = [found["work"].get(f"{kind}_tokens") for kind in ("prompt", "completion")]
        if all(tokens) and outcome.pairs:
            console.print(
                f"{tokens[0] / outcome.pairs:.0f} prompt and {tokens[1] / outcome.pairs:.0f} completion tokens a pair"
            )


def print_errors(
    rows: Sequence[Row], decided: Sequence[bool], limit: int, entailment: Entailment, console: Console
) -> None:
    wrong = [index for index, row in enumerate(rows) if row.same != decided[index]]
    wrong.sort(key=lambda index: (not decided[index], rows[index].kind))
    for index in wrong[:limit]:
        row = rows[index]
        said = "same" if decided[index] else "different"
        console.print(f"\nsaid {said}, kind {row.kind}; {explain(row, entailment)}", markup=False)
        for calls in (row.a, row.b):
            text = json.dumps([[call.name, call.arguments] for call in calls], ensure_ascii=False)
            console.print(f"  {text[:500]}", markup=False, soft_wrap=True)
    console.print(f"\n{len(wrong)} wrong decisions", markup=False)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.equivalence", description=__doc__)
    parser.add_argument("pairs", type=Path, help="JSON lines of labelled pairs")
    parser.add_argument("--backend", default="structure", help=f"{BACKENDS}; default structure")
    parser.add_argument("--errors", type=int, default=0, metavar="N", help="list up to N wrong decisions")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last line")
    options = parser.parse_args(arguments)
    console = Console(width=120, highlight=False)
    try:
        rows, entailment = read_rows(options.pairs), backend(options.backend)
        outcome = judge_rows(rows, entailment)
    except GuardrailError as error:
        print(error, file=sys.stderr)
        return 2
    found = {**score(rows, outcome), "backend": entailment.name, "work": work(entailment)}
    report(rows, outcome, found, options.backend, console)
    if options.errors:
        print_errors(rows, outcome.decided, options.errors, entailment, console)
    if options.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
