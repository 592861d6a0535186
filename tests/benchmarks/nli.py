"""How well and how fast a model tells entailment, and how well entailment both ways tells the same meaning.

    python -m tests.benchmarks.nli NLI.jsonl --backend nli:FOLDER_OR_ID|onnx:FOLDER_OR_ID [--sizes 1,8,32,128] [--json]

Each row has ``premise``, ``hypothesis``, ``label`` and ``source``. Sources without the label "neutral" are two-class:
whatever is not entailment counts as not entailed. The rule says of a row that the texts mean the same if each entails
the other and neither contradicts. A pair counts as entailment both ways if every direction that is labelled says so.
Where only one is, this is more than what holds both ways: precision is then an upper bound, and recall counts pairs
that the rule rightly refuses. No threshold is chosen here: the table shows the rule at several.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from guardrail.clustering import TextPair
from guardrail.errors import ConfigError, GuardrailError

THRESHOLDS = (0.5, 0.7, 0.8, 0.85, 0.9, 0.95)
VETO = 0.1
SPEED_ROWS = 64
REPEATS = 3

Row = Mapping[str, str]
Direction = tuple[str, str]


def read_rows(path: Path) -> list[Row]:
    """The rows of a JSON lines file.

    Raises:
        ConfigError: the file is missing, or a line is not such a row.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(f"cannot read {path}: {error.strerror}") from error
    rows = []
    for number, line in enumerate(filter(str.strip, lines), start=1):
        try:
            row = json.loads(line)
            rows.append({key: str(row[key]) for key in ("premise", "hypothesis", "label", "source")})
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigError(f"{path}, row {number}: not a labelled pair of texts ({error!r})") from error
    if not rows:
        raise ConfigError(f"{path} has no rows")
    return rows


def model(name: str, **options: Any) -> Any:
    """The local NLI backend of that name.

    Raises:
        ConfigError: it is none.
    """
    from guardrail_transformers import NLIEntailment

    kind, _, folder = name.partition(":")
    if kind not in ("nli", "onnx") or not folder:
        raise ConfigError(f"this measures nli:FOLDER_OR_ID or onnx:FOLDER_OR_ID, not {name!r}")
    return NLIEntailment(folder, runtime="onnx" if kind == "onnx" else "torch", **options)


def beliefs(entailment: Any, directions: Sequence[Direction]) -> dict[Direction, tuple[float, float]]:
    """The probabilities of entailment and contradiction; too long directions are missing."""
    encoder, outputs = entailment._ready()
    found, _ = encoder.beliefs(
        directions, labels=outputs, limit=entailment._longest, size=entailment._size, tokens=entailment._tokens
    )
    return {direction: (belief.entailment, belief.contradiction) for direction, belief in found.items()}


def likeliest(belief: tuple[float, float] | None) -> str:
    """The label of the highest probability; too long is "none"."""
    if belief is None:
        return "none"
    entailment, contradiction = belief
    chances = {"entailment": entailment, "contradiction": contradiction, "neutral": 1 - entailment - contradiction}
    return max(chances, key=lambda label: chances[label])


def accuracy(rows: Sequence[Row], found: Mapping[Direction, tuple[float, float]]) -> dict[str, dict[str, float]]:
    """The share of right labels by source."""
    two_class = {row["source"] for row in rows} - {row["source"] for row in rows if row["label"] == "neutral"}
    right: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        said, label = likeliest(found.get((row["premise"], row["hypothesis"]))), row["label"]
        if row["source"] in two_class:
            said, label = (one == "entailment" for one in (said, label))
        right[row["source"]].append(said == label)
        right["all"].append(said == label)
    return {source: {"n": len(one), "accuracy": sum(one) / len(one)} for source, one in sorted(right.items())}


def both_ways(rows: Sequence[Row]) -> dict[Direction, bool]:
    """For each pair of texts, in alphabetical order, whether every direction that has a label is entailment."""
    labels: dict[Direction, list[bool]] = defaultdict(list)
    for row in rows:
        a, b = sorted((row["premise"], row["hypothesis"]))
        labels[a, b].append(row["label"] == "entailment")
    return {pair: all(entailed) for pair, entailed in labels.items()}


def rule(
    known: Mapping[Direction, bool], found: Mapping[Direction, tuple[float, float]]
) -> list[dict[str, float | None]]:
    """Precision and recall of the rule at several thresholds, with and without the veto."""
    table = []
    for veto in (1.01, VETO):
        for threshold in THRESHOLDS:
            said = {
                (a, b): all(
                    entailment >= threshold and contradiction < veto
                    for entailment, contradiction in (found.get((a, b), (0, 1)), found.get((b, a), (0, 1)))
                )
                for a, b in known
            }
            right = sum(said[pair] and known[pair] for pair in known)
            table.append(
                {
                    "threshold": threshold,
                    "veto": veto if veto < 1 else None,
                    "precision": right / sum(said.values()) if any(said.values()) else None,
                    "recall": right / sum(known.values()) if any(known.values()) else None,
                }
            )
    return table


def speed(name: str, rows: Sequence[Row], sizes: Sequence[int]) -> dict[str, dict[str, float]]:
    """Pairs judged per second by batch size: the best of several runs, since other work only slows."""
    pairs = [
        TextPair(tool="nli", argument="text", a=a, b=b)
        for a, b in sorted({tuple(sorted((row["premise"], row["hypothesis"]))) for row in rows})[:SPEED_ROWS]
    ]
    judges = {size: model(name, batch_size=size, batch_tokens=1_000_000) for size in sizes}
    judges[0] = model(name)
    times: dict[int, list[float]] = defaultdict(list)
    for _ in range(REPEATS):
        for size, judge in judges.items():
            started = time.perf_counter()
            judge.equivalent(pairs)
            times[size].append(time.perf_counter() - started)
    return {
        str(size) if size else "default": {
            "pairs_per_s": judge.stats.pairs / REPEATS / min(times[size]),
            "batches": judge.stats.batches / REPEATS,
            "tokens": judge.stats.tokens / REPEATS,
            "padded_tokens": judge.stats.padded_tokens / REPEATS,
        }
        for size, judge in judges.items()
    }


def measure(rows: Sequence[Row], name: str, sizes: Sequence[int]) -> dict[str, Any]:
    """The figures that ``--json`` prints."""
    known = both_ways(rows)
    directions = {(row["premise"], row["hypothesis"]) for row in rows}
    directions |= {one for a, b in known for one in ((a, b), (b, a))}
    found = beliefs(model(name), sorted(directions))
    return {
        "accuracy": accuracy(rows, found),
        "both_ways": {"n": len(known), "same": sum(known.values()), "rule": rule(known, found)},
        "speed": speed(name, rows, sizes),
    }


def report(rows: Sequence[Row], found: Mapping[str, Any], name: str, console: Console) -> None:
    console.print(
        f"guardrail-middleware {version('guardrail-middleware')}, Python {platform.python_version()}, "
        f"{os.cpu_count()} cores, backend {name}, {len(rows)} rows "
        f"({', '.join(f'{count} {label}' for label, count in Counter(row['label'] for row in rows).most_common())})"
    )
    both = found["both_ways"]
    tables = (
        (
            "accuracy by source",
            ("source", "n", "accuracy"),
            [(source, one["n"], one["accuracy"]) for source, one in found["accuracy"].items()],
        ),
        (
            f"entailment both ways: {both['same']} of {both['n']} pairs",
            ("threshold", "veto", "precision", "recall"),
            [(one["threshold"], one["veto"], one["precision"], one["recall"]) for one in both["rule"]],
        ),
        (
            "speed by batch size, both directions",
            ("batch size", "pairs/s", "batches", "tokens", "padded tokens"),
            [
                (size, one["pairs_per_s"], int(one["batches"]), int(one["tokens"]), int(one["padded_tokens"]))
                for size, one in found["speed"].items()
            ],
        ),
    )
    for title, columns, lines in tables:
        table = Table(title=title)
        for column in columns:
            table.add_column(column, justify="right")
        for line in lines:
            table.add_row(
                *("-" if cell is None else f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in line)
            )
        console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.nli", description=__doc__)
    parser.add_argument("rows", type=Path, help="JSON lines of labelled premise and hypothesis")
    parser.add_argument("--backend", required=True, help="nli:FOLDER_OR_ID or onnx:FOLDER_OR_ID")
    parser.add_argument("--sizes", default="1,8,32,128", help="batch sizes to time, default 1,8,32,128")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last line")
    options = parser.parse_args(arguments)
    try:
        rows = read_rows(options.rows)
        found = measure(rows, options.backend, [int(size) for size in options.sizes.split(",")])
    except GuardrailError as error:
        print(error, file=sys.stderr)
        return 2
    report(rows, found, options.backend, Console(width=120, highlight=False))
    if options.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
