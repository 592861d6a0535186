"""How well each signal tells right plans from wrong ones.

    python -m tests.benchmarks.signals CASES.jsonl [--bfcl BFCL.jsonl] [--backend structure|nli:FOLDER_OR_ID]
        [--folds 5] [--seed 0] [--json]

``tests.benchmarks.cases`` says which files are read. Exact matching stands beside each signal over meanings: the
share of samples with the same JSON as the plan, and the entropy over exact JSON. A step with several calls
is as doubtful as its most doubtful call; a plan without a call agrees with samples without one. Brier score and ECE are of
P(right) by logistic regression on the signal, fitted on the other folds; ``ece_null`` is the ECE that exact
probabilities would have.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import platform
import sys
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from guardrail.clustering import CallMeaning, Entailment, ExactEntailment, TextPair, compare
from guardrail.errors import ConfigError, GuardrailError
from guardrail.signals import Evidence, Registry
from guardrail.signals.exact import exact
from guardrail.types import Sample, ToolCall
from tests.benchmarks.backends import backend
from tests.benchmarks.cases import CATEGORIES, Case, read_cases
from tests.benchmarks.scores import accepted, aurc, auroc, auroc_interval, brier, cross_fitted, ece, ece_null

MEASURED = (
    "agreement",
    "semantic_entropy",
    "semantic_entropy_weighted",
    "lexical_entropy",
    "logprob_mean",
    "logprob_min",
)
UNANIMOUS = {
    "agreement": 1.0,
    "exact_agreement": 1.0,
    "semantic_entropy": 0.0,
    "lexical_entropy": 0.0,
    "semantic_entropy_weighted": 0.0,
}
LIKELY = {"logprob_min": math.log(0.5)}
SHARES = ((2 / 3, "2/3"), (4 / 5, "4/5"), (1.0, "all"))
LEAST_CASES = 20


def measured(cases: Sequence[Case], entailment: Entailment) -> list[dict[str, float]]:
    """Scores by signal for each case, higher where more certain; a missing signal has none."""
    compared = [compare(_reference(case), case.samples, case.tools) for case in cases]
    same: dict[TextPair, bool] = {}
    if not isinstance(entailment, ExactEntailment):
        pairs = sorted({pair for one in compared for pair in one.pairs}, key=repr)
        same = dict(zip(pairs, entailment.equivalent(pairs), strict=True))
    found = []
    for case, comparison in zip(cases, compared, strict=True):
        calls = [dict(_scores(case, index, each)) for index, each in enumerate(comparison.resolve(same).calls)]
        shared = set.intersection(*map(set, calls))
        found.append({name: min(call[name] for call in calls) for name in shared})
    return found


def _reference(case: Case) -> tuple[ToolCall, ...]:
    """The calls that samples are compared with: where none is planned, those of a sample, or a stand-in."""
    calling = (sample.calls for sample in (case.planned, *case.samples) if sample.calls)
    return next(calling, (ToolCall(name="", arguments={}),))


def _scores(case: Case, index: int, meaning: CallMeaning) -> Iterator[tuple[str, float]]:
    silent = not case.planned.calls
    agreeing = [sample.valid and not sample.calls for sample in case.samples] if silent else meaning.agrees
    for signal in Registry().measure(
        [name for name in MEASURED if not (silent and name.startswith("logprob"))],
        Evidence(
            planned=case.planned,
            index=index,
            samples=tuple(case.samples),
            clusters=meaning.clusters,
            agrees=tuple(agreeing),
            asked=len(case.samples),
        ),
    ):
        if signal.value is not None:
            yield signal.name, -signal.value if "entropy" in signal.name else signal.value
    plan = _form(case.planned)
    yield "exact_agreement", sum(sample.valid and _form(sample) == plan for sample in case.samples) / len(case.samples)


def _form(sample: Sample) -> str:
    return exact([[call.name, call.arguments] for call in sample.calls])


def figures(found: Sequence[Mapping[str, float]], right: Sequence[bool], *, folds: int, seed: int) -> dict[str, Any]:
    """What ``--json`` prints for one label."""
    names = [
        name for name in ("agreement", "exact_agreement", *MEASURED[1:]) if any(name in scores for scores in found)
    ]
    return {
        "n": len(right),
        "error_rate": right.count(False) / len(right),
        "signals": {name: _figures(name, found, right, folds=folds, seed=seed) for name in names},
    }


def _figures(
    name: str, found: Sequence[Mapping[str, float]], right: Sequence[bool], *, folds: int, seed: int
) -> dict[str, Any]:
    present = [(scores[name], good) for scores, good in zip(found, right, strict=True) if name in scores]
    scores, labels = [score for score, _ in present], [good for _, good in present]
    fitted = cross_fitted(scores, labels, folds=folds, seed=seed)
    interval = auroc_interval(scores, labels, seed=seed)
    figure: dict[str, Any] = {
        "auroc": auroc(scores, labels),
        "ci": None if interval is None else list(interval),
        "aurc": aurc(scores, labels),
        "brier": brier(fitted, labels),
        "ece": ece(fitted, labels),
        "ece_null": ece_null(fitted, seed=seed),
        "missing": len(right) - len(present),
    }
    least = {**UNANIMOUS, **LIKELY}.get(name)
    if least is not None:
        coverage, error = accepted(scores, labels, least)
        figure["executed"] = {
            "rule": "unanimous" if name in UNANIMOUS else "at least ln 0.5",
            "coverage": coverage,
            "error": error,
        }
    if "agreement" in name:
        figure["by_share"] = {
            text: dict(zip(("coverage", "error"), accepted(scores, labels, share), strict=True))
            for share, text in SHARES
        }
    return figure


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def report(title: str, found: Mapping[str, Any], console: Console, *, brief: bool = False) -> None:
    table = Table(title=f"{title}: {found['n']} plans, {_percent(found['error_rate'])} wrong")
    for column in ("signal", "AUROC", "95 % CI", "AURC", "Brier", "ECE", "null", "missing", "coverage", "error"):
        table.add_column(column, justify="left" if column == "signal" else "right")
    for name, figure in found["signals"].items():
        executed = figure.get("executed", {})
        table.add_row(
            name,
            _number(figure["auroc"]),
            "-" if figure["ci"] is None else " to ".join(map(_number, figure["ci"])),
            *(_number(figure[key]) for key in ("aurc", "brier", "ece", "ece_null")),
            str(figure["missing"]),
            _percent(executed.get("coverage")),
            _percent(executed.get("error")),
        )
    console.print(table)
    if brief:
        return
    shares = Table(title="executed where that share of the samples agrees: coverage (error)")
    shares.add_column("signal")
    for _, text in SHARES:
        shares.add_column(text, justify="right")
    for name, figure in found["signals"].items():
        if "by_share" in figure:
            cells = (
                f"{_percent(cell['coverage'])} ({_percent(cell['error'])})" for cell in figure["by_share"].values()
            )
            shares.add_row(name, *cells)
    console.print(shares)


def score(cases: Sequence[Case], entailment: Entailment, *, folds: int, seed: int) -> dict[str, Any]:
    """Figures by the first label; beside it those by other labels, and of parts of the cases.

    Raises:
        ConfigError: too few cases are labelled.
    """
    found = measured(cases, entailment)
    main, *others = cases[0].labels
    live = [case.category.startswith("live") for case in cases]
    groups = [(label, label, [True] * len(cases)) for label in (main, *others)]
    calling = [bool(case.planned.calls) for case in cases]
    if not all(calling):
        groups.append((f"{main}, plans with a call", main, calling))
    groups += [(f"{label}, live categories", label, live) for label in (main, *others)]
    least = max(LEAST_CASES, folds)
    by_group: dict[str, Any] = {}
    for group, label, members in groups:
        known = [
            (scores, right)
            for scores, case, member in zip(found, cases, members, strict=True)
            if member and (right := case.labels[label]) is not None
        ]
        if len(known) >= least:
            by_group[group] = figures(*map(list, zip(*known, strict=True)), folds=folds, seed=seed)
    if main not in by_group:
        raise ConfigError(f"fewer than {least} cases have the label {main!r}: nothing can be said")
    return {"label": main, **by_group.pop(main), "beside": by_group}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.signals", description=__doc__)
    parser.add_argument("cases", type=Path, help="JSON lines of plans and their samples")
    parser.add_argument("--bfcl", type=Path, help="JSON lines with the tools (default: bfcl.jsonl beside CASES)")
    parser.add_argument("--backend", default="structure", help="structure (default) or nli:FOLDER_OR_ID")
    parser.add_argument("--folds", type=int, default=5, help="folds of the logistic regression")
    parser.add_argument("--seed", type=int, default=0, help="of the folds and the bootstrap")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object, last line")
    options = parser.parse_args(arguments)
    if options.folds < 2:
        parser.error("--folds must be at least 2")
    console = Console(width=130, highlight=False)
    try:
        cases = read_cases(options.cases, options.bfcl or options.cases.parent / "bfcl.jsonl")
        found = score(cases, backend(options.backend), folds=options.folds, seed=options.seed)
    except GuardrailError as error:
        print(error, file=sys.stderr)
        return 2
    drawn = sorted({len(case.samples) for case in cases})
    console.print(
        f"guardrail-middleware {version('guardrail-middleware')}, Python {platform.python_version()}, {os.cpu_count()} cores, "
        f"backend {options.backend}, N {', '.join(map(str, drawn))}, seed {options.seed}, {options.folds} folds, "
        f"categories {', '.join(CATEGORIES)}"
    )
    report(found["label"], found, console)
    for group, beside in found["beside"].items():
        report(group, beside, console, brief=True)
    if options.json:
        print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
