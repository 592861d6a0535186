"""What grouping samples by meaning costs, and how well it is done, beside libraries that cluster texts.

    python -m tests.benchmarks.clustering [SETS.jsonl] [--predictor truth|words] [--backend NAME] [--json]

Each row has ``samples`` (lists of calls with ``tools``, or texts) and ``groups``, the true group of each sample.
Every library gets the same deterministic predictor of entailment: ``truth`` knows the labels, ``words`` compares
words. A pair is two texts, judged in both directions; a batch is up to 32 directed inputs of one call.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from itertools import combinations
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from guardrail.cli.plugins import entailment
from guardrail.cli.rows import Row, Tools, read_rows
from guardrail.clustering import Entailment, ExactEntailment, SharedEntailment, TextPair, compare, group_samples
from guardrail.errors import ConfigError, GuardrailError
from guardrail.types import Sample, ToolCall, ToolSpec
from tests.benchmarks.clusterers import INSTALL, Clusterer, clusterers
from tests.benchmarks.predictor import BATCH, ENTAILMENT, Predictor, Rule, as_text, truth_rule, words_rule

SETS = Path(__file__).parents[1] / "data" / "sample_sets.jsonl"
KINDS = ("all", "calls", "texts")
_SPECIAL_TOKENS = 3  # one before, one between and one after the two texts of an input


@dataclass(frozen=True, kw_only=True)
class LabelledSet:
    """Samples and their true groups."""

    row: Row
    groups: tuple[int, ...]

    @property
    def kind(self) -> str:
        return "texts" if self.row.texts else "calls"

    def rule(self, predictor: str) -> Rule:
        texts = [as_text(sample, text=self.row.texts) for sample in self.row.samples]
        return words_rule if predictor == "words" else truth_rule(self.row.samples, self.groups, texts)


@dataclass
class Tally:
    """What a library spent on sets, and how its pairs of samples compare with the true ones."""

    sets: int = 0
    pairs: int = 0
    batches: int = 0
    seconds: float = 0.0
    right: int = 0
    said: int = 0
    true: int = 0

    @property
    def pair_f1(self) -> float | None:
        return 2 * self.right / (self.said + self.true) if self.said + self.true else None

    def data(self) -> dict[str, Any]:
        return {
            "sets": self.sets,
            "pairs": self.pairs,
            "batches": self.batches,
            "seconds": round(self.seconds, 4),
            "pair_f1": self.pair_f1,
        }


def read_sets(path: Path) -> list[LabelledSet]:
    """The labelled sets of a file.

    Raises:
        ConfigError: the file is missing, or a line is no set, or has not one group a sample.
    """
    rows = list(read_rows(path, Tools()))
    found = []
    for row, line in zip(rows, filter(str.strip, path.read_text(encoding="utf-8").split("\n")), strict=True):
        groups = json.loads(line).get("groups")
        if not isinstance(groups, list) or len(groups) != len(row.samples):
            raise ConfigError(f"{row.where}: give one true group for each of the {len(row.samples)} samples")
        found.append(LabelledSet(row=row, groups=tuple(groups)))
    return found


def run(sets: Sequence[LabelledSet], clusterer: Clusterer, predictor: str) -> dict[str, Tally]:
    """What a library spends on the sets, in all and by kind."""
    tallies = {kind: Tally() for kind in KINDS}
    for one in sets:
        judge = Predictor(one.rule(predictor))
        started = time.perf_counter()
        groups = clusterer.groups(one.row, judge)
        seconds = time.perf_counter() - started
        said = {pair for group in groups for pair in combinations(sorted(group), 2)}
        true = {(a, b) for a, b in combinations(range(len(one.groups)), 2) if one.groups[a] == one.groups[b]}
        for tally in (tallies["all"], tallies[one.kind]):
            tally.sets += 1
            tally.pairs += judge.pairs
            tally.batches += judge.batches
            tally.seconds += seconds
            tally.right += len(said & true)
            tally.said += len(said)
            tally.true += len(true)
    return tallies


def in_flight(sets: Sequence[LabelledSet]) -> dict[str, int]:
    """Our batches where all sets are grouped at the same time and share one judge, which compares words."""
    predictor = Predictor(words_rule)
    judge = SharedEntailment(predictor)

    async def one(row: Row) -> None:
        grouping = group_samples(row.samples, row.tools)
        same = dict(zip(grouping.against_first, await judge.aequivalent(grouping.against_first), strict=True))
        rest = grouping.open_pairs(same)
        await judge.aequivalent(rest)

    async def everything() -> None:
        await asyncio.gather(*(one(labelled.row) for labelled in sets))

    asyncio.run(everything())
    figures = judge.figures
    return {
        "pairs": predictor.pairs,
        "calls": figures.batches,
        "batches": predictor.batches,
        "hits": figures.hits,
        "misses": figures.misses,
    }


_PLACES = ("harbour", "bakery", "library", "station", "garden", "museum", "office", "market", "school", "tower")


def worst_case(size: int) -> LabelledSet:
    """So many texts, all different, all equal in meaning: complete linkage has to ask about every pair."""
    texts = [f"see the {place}" for place in _PLACES] + [f"visit the {place}" for place in _PLACES]
    calls = [ToolCall(name="answer", arguments={"text": text}) for text in texts[:size]]
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    row = Row(
        where="",
        line=0,
        id=f"worst-{size}",
        samples=tuple(Sample(calls=(call,)) for call in calls),
        tools=(ToolSpec(name="answer", parameters=schema),),
        texts=True,
    )
    return LabelledSet(row=row, groups=(0,) * size)


_FIELDS = ("title", "body", "reason", "note")
_QUEUES = {"a": "the shop", "b": "the depot", "c": "the bank"}


def big_step() -> tuple[tuple[ToolCall, ...], tuple[Sample, ...], tuple[ToolSpec, ...]]:
    """A plan of 3 calls of one tool and 10 samples of it; four free texts a call, each worded anew in each sample."""
    free = {"type": "string", "description": "In your own words."}
    tool = ToolSpec(
        name="open_case",
        parameters={
            "type": "object",
            "properties": {"queue": {"type": "string", "enum": list(_QUEUES)}, **dict.fromkeys(_FIELDS, free)},
        },
    )

    def call(queue: str, wording: int) -> ToolCall:
        verb, place = ("see", "visit")[wording // 10], _PLACES[wording % 10]
        texts = {name: f"{verb} the {place} and tell {_QUEUES[queue]} about the {name}" for name in _FIELDS}
        return ToolCall(name=tool.name, arguments={"queue": queue, **texts})

    plan, *drawn = ([call(queue, wording) for queue in _QUEUES] for wording in range(11))
    return tuple(plan), tuple(Sample(calls=tuple(calls)) for calls in drawn), (tool,)


def step(judge: Entailment) -> dict[str, Any]:
    """What clustering the big step takes; tokens as the backend counts them, else estimated from words and signs."""
    plan, drawn, tools = big_step()
    started = time.perf_counter()
    comparison = compare(plan, drawn, tools)
    same: dict[TextPair, bool] = {}
    rounds = []
    for asked in (comparison.against_plan, None):
        pairs = comparison.open_pairs(same) if asked is None else asked
        if pairs:
            rounds.append(pairs)
            same.update(zip(pairs, judge.equivalent(pairs), strict=True))
    meaning = comparison.resolve(same)
    return {
        "rounds": len(rounds),
        "pairs": len(same),
        **(_counted(judge) or _estimated(rounds)),
        "meanings": [len(call.clusters) for call in meaning.calls],
        "seconds": round(time.perf_counter() - started, 4),
    }


def _counted(judge: Entailment) -> dict[str, int] | None:
    stats = getattr(judge, "stats", None)
    return None if stats is None else {"tokens": stats.tokens, "padded_tokens": stats.padded_tokens}


def _estimated(rounds: Sequence[Sequence[TextPair]]) -> dict[str, int]:
    inputs = [
        sorted(_tokens(pair.a) + _tokens(pair.b) + _SPECIAL_TOKENS for pair in (*asked, *asked)) for asked in rounds
    ]
    batches = [lengths[place : place + BATCH] for lengths in inputs for place in range(0, len(lengths), BATCH)]
    return {"tokens": sum(map(sum, inputs)), "padded_tokens": sum(len(batch) * max(batch) for batch in batches)}


def _tokens(text: str) -> int:
    """Words and signs: what a tokenizer gives for common words."""
    return len(re.findall(r"\w+|[^\w\s]", text))


class _Always(ExactEntailment):
    """Holds all texts equal."""

    name = "all equal"

    def equivalent(self, pairs: Sequence[TextPair]) -> Sequence[bool]:
        return [True] * len(pairs)


def measure(
    sets: Sequence[LabelledSet], ready: dict[str, Clusterer], predictor: str, judges: Sequence[Entailment]
) -> dict[str, Any]:
    """The figures that ``--json`` prints."""
    libraries = {}
    for name, clusterer in ready.items():
        tallies = run(sets, clusterer, predictor)
        libraries[name] = {**tallies["all"].data(), **{kind: tallies[kind].data() for kind in KINDS[1:]}}
    worst: dict[str, dict[str, Any]] = {}
    for size in (5, 10, 20):
        for name, clusterer in ready.items():
            judge = Predictor(lambda *_: ENTAILMENT)
            groups = clusterer.groups(worst_case(size).row, judge)
            worst.setdefault(name, {})[str(size)] = {
                "pairs": judge.pairs,
                "batches": judge.batches,
                "groups": len(groups),
            }
    return {
        "libraries": libraries,
        "worst_case": worst,
        "in_flight": in_flight(sets),
        "step": {judge.name: step(judge) for judge in judges},
    }


def report(found: dict[str, Any], missing: dict[str, str], console: Console) -> None:
    table = Table(title="grouping the same sets with the same predictor")
    for column in ("library", "sets", "pairs", "batches", "seconds", "pair F1"):
        table.add_column(column, justify="left" if column == "library" else "right")
    for kind in KINDS:
        for name, figures in found["libraries"].items():
            part = figures if kind == "all" else figures[kind]
            f1 = "-" if part["pair_f1"] is None else f"{part['pair_f1']:.3f}"
            table.add_row(
                f"{name}, {kind}",
                str(part["sets"]),
                str(part["pairs"]),
                str(part["batches"]),
                f"{part['seconds']:.3f}",
                f1,
            )
        table.add_section()
    console.print(table)
    worst = Table(title="worst case, apart: all texts differ, all are equal in meaning (pairs / batches)")
    worst.add_column("library")
    for size in (5, 10, 20):
        worst.add_column(f"N = {size}", justify="right")
    for name, sizes in found["worst_case"].items():
        worst.add_row(name, *(f"{one['pairs']} / {one['batches']}" for one in sizes.values()))
    console.print(worst)
    flight = found["in_flight"]
    console.print(
        f"all sets in flight at once, one shared judge: {flight['pairs']} pairs in {flight['calls']} calls of the "
        f"backend ({flight['batches']} batches), {flight['hits']} of {flight['hits'] + flight['misses']} known before"
    )
    for name, figures in found["step"].items():
        console.print(
            f"a step of 3 calls x 10 samples x 4 free texts, judge {name}: {figures['rounds']} rounds, "
            f"{figures['pairs']} pairs, {figures['tokens']} tokens, {figures['padded_tokens']} with padding, "
            f"{figures['seconds']:.3f} s"
        )
    for name, why in missing.items():
        console.print(f"[bold]{name} is missing[/bold]: {why}.", highlight=False)
    if missing:
        console.print(f"To compare with it, in an environment that has this package: {INSTALL}", markup=False)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.clustering", description=__doc__)
    parser.add_argument("sets", nargs="?", type=Path, default=SETS, help="JSON lines of labelled sample sets")
    parser.add_argument("--predictor", choices=("truth", "words"), default="truth", help="who judges (default: truth)")
    parser.add_argument("--backend", metavar="NAME", help="a real judge for the step of free texts, such as nli:FOLDER")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last line")
    options = parser.parse_args(arguments)
    console = Console(width=120, highlight=False)
    judges: list[Entailment] = [_Always(), ExactEntailment()]
    try:
        sets = read_sets(options.sets)
        judges += [entailment(options.backend)] if options.backend else []
    except GuardrailError as error:
        print(error, file=sys.stderr)
        return 2
    ready, missing = clusterers()
    sizes = sorted({len(one.groups) for one in sets})
    console.print(
        f"guardrail-middleware {version('guardrail-middleware')}, "
        f"{', '.join(f'{name} {version(name)}' for name in ready if name != 'ours') or 'no peer'}, "
        f"Python {platform.python_version()}, {os.cpu_count()} cores, predictor {options.predictor}, "
        f"{len(sets)} sets, N {', '.join(map(str, sizes))}"
    )
    found = measure(sets, ready, options.predictor, judges)
    report(found, missing, console)
    if options.json:
        print(json.dumps({**found, "missing": missing, "predictor": options.predictor}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
