"""How well each signal tells right plans from wrong ones, what they come to together, and how few samples do.

    python -m tests.benchmarks.signals CASES.jsonl [--bfcl BFCL.jsonl] [--backend structure|nli:FOLDER_OR_ID]
        [--folds 5] [--seed 0] [--rounds 1000] [--peer-nli FOLDER] [--save-risk FILE] [--json]

``tests.benchmarks.cases`` says which files are read. Beside the signals stand exact matching, the log-probability of all
tokens, and, with ``--peer-nli``, the entropy of semantic-entropy-gate with that NLI model. A step with several calls is
as doubtful as its most doubtful call. Brier score, log loss and ECE are of P(right) by a logistic fit on the other folds;
folds are by function, and so are the bootstrap's draws. ``ece_null`` is what exact probabilities would have.

The combined risk ranks by its weighted doubt (the models of five folds differ in their intercepts, which says nothing
about the plans); ``pooled`` is the AUROC of the risks as they are. Which differences the intervals do not decide is said.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from guardrail.calibration import Calibrated, Difference, Evaluation, Measured, Row, accepted, evaluate
from guardrail.calibration.bootstrap import ROUNDS
from guardrail.clustering import Entailment
from guardrail.errors import ConfigError, GuardrailError
from guardrail.types import SignalInfo
from tests.benchmarks import peers
from tests.benchmarks.backends import backend
from tests.benchmarks.cases import Recorded, read_cases
from tests.benchmarks.scores import BASELINES, PAIRS, measured
from tests.benchmarks.stopping import samples_of

LEAST_CASES = 20
UNANIMOUS = ("agreement", "exact_agreement")
SHARES = ((2 / 3, "2/3"), (4 / 5, "4/5"), (1.0, "all"))
_SAID = ("auroc", "excess_aurc", "log_loss")


class Bench:
    """The cases with their signals, measured once."""

    def __init__(self, cases: Sequence[Recorded], entailment: Entailment, peer: Path | None) -> None:
        self.cases = cases
        self.entailment = entailment
        self.infos: tuple[SignalInfo, ...] = BASELINES
        self.pairs: tuple[tuple[str, str], ...] = PAIRS
        self.signals = measured([one.case for one in cases], entailment)
        self.peer = "not asked for (--peer-nli FOLDER)"
        if peer is not None:
            try:
                entropies = peers.peer_entropies([one.case for one in cases], peer)
            except ConfigError as error:
                self.peer = str(error)
                return
            self.peer = f"{peers.PEER}, NLI model {peer}"
            self.infos, self.pairs = (*BASELINES, *peers.INFOS), (*PAIRS, *peers.PAIRS)
            for signals, entropy in zip(self.signals, entropies, strict=True):
                signals.update(entropy)

    def rows(self, label: str, member: Sequence[bool]) -> list[Row]:
        """The cases of a group as rows, those with that label."""
        return [
            Row(id=one.case.id, right=right, group=one.case.group, signals=signals)
            for one, signals, kept in zip(self.cases, self.signals, member, strict=True)
            if kept and (right := one.labels[label]) is not None
        ]


def score(bench: Bench, *, folds: int, seed: int, rounds: int = ROUNDS) -> tuple[dict[str, Any], dict[str, Evaluation]]:
    """What ``--json`` prints: figures by the first label where one call is right; beside them other labels and groups.

    Raises:
        ConfigError: too few cases are labelled.
    """
    cases = bench.cases
    main, *others = cases[0].labels
    single = [one.single for one in cases]
    live = [one.single and one.category.startswith("live") for one in cases]
    calling = [one.single and bool(one.case.planned.calls) for one in cases]
    groups = [(main, main, single), *((label, label, single) for label in others)]
    if not all(single):
        groups.append(("all plans", main, [True] * len(cases)))
    if calling != single:
        groups.append((f"{main}, plans with a call", main, calling))
    groups += [(f"{label}, live categories", label, live) for label in (main, *others)]
    found: dict[str, Evaluation] = {}
    figures: dict[str, Any] = {}
    for name, label, member in groups:
        rows = bench.rows(label, member)
        if len(rows) < max(LEAST_CASES, folds):
            continue
        first = name == main
        found[name] = evaluate(
            rows,
            folds=folds,
            seed=seed,
            names=list(bench.signals[0]),
            others=bench.infos,
            pairs=bench.pairs,
            rounds=rounds,
            repeats=5 if first or name == "all plans" else 1,
        )
        figures[name] = data_of(found[name], rows)
        if first or name == "all plans":
            of_label = [
                replace(one.case, correct=one.labels[label])
                for one, kept in zip(cases, member, strict=True)
                if kept and one.labels[label] is not None
            ]
            figures[name]["samples"] = samples_of(of_label, rows, bench.entailment, folds=folds, seed=seed)
    if main not in figures:
        raise ConfigError(f"fewer than {max(LEAST_CASES, folds)} cases have the label {main!r}: nothing can be said")
    stated = Counter(one.stated for one in cases if one.stated is not None)
    return {
        "label": main,
        **figures.pop(main),
        "verbalized": dict(stated.most_common()),
        "peer": bench.peer,
        "beside": figures,
    }, found


def data_of(found: Evaluation, rows: Sequence[Row]) -> dict[str, Any]:
    """An evaluation in the benchmark's keys."""
    right = [row.right for row in rows]
    combined: dict[str, Any] = {"missing": len(rows), "reason": found.no_model}
    if found.combined is not None and found.model is not None:
        combined = {
            **_figures(found.combined, right),
            "inputs": {one.name: one.coefficient for one in found.model.inputs},
            "facts": dict(found.model.facts),
            "pooled": dict(found.pooled),
            "by_seed": [dict(one) for one in found.repeats],
        }
    return {
        "n": found.n,
        "error_rate": found.error_rate,
        "groups": found.groups,
        "signals": {one.name: _figures(one, right) for one in found.signals},
        "combined": combined,
        "differences": [
            {
                "one": one.one,
                "other": one.other,
                "measure": one.measure,
                "n": one.n,
                **asdict(one.interval),
                "improves": one.improves,
                "decided": one.decided,
            }
            for one in found.differences
        ],
    }


def _figures(one: Measured, right: Sequence[bool]) -> dict[str, Any]:
    interval = one.intervals.get("auroc")
    before, after = (_calibrated(each) for each in (one.before, one.after))
    figures: dict[str, Any] = {
        **{name: one.value(name) for name in ("auroc", "aurc", "excess_aurc", "brier", "log_loss")},
        "ci": None if interval is None else [interval.low, interval.high],
        "intervals": {name: [each.low, each.high] for name, each in one.intervals.items() if each is not None},
        **after,
        "before": before,
        "missing": one.missing,
    }
    if one.name in UNANIMOUS and one.n:
        known = [(score, good) for score, good in zip(one.scores, right, strict=True) if score is not None]
        scores, goods = [score for score, _ in known], [good for _, good in known]
        figures["by_share"] = {
            text: dict(zip(("coverage", "error"), accepted(scores, goods, share), strict=True))
            for share, text in SHARES
        }
    return figures


def _calibrated(found: Calibrated | None) -> dict[str, float | None]:
    names = ("ece", "ece_debiased", "ece_null")
    return {name: None if found is None else getattr(found, name) for name in names}


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.1f} %"


def report(title: str, data: Mapping[str, Any], found: Evaluation, console: Console, *, brief: bool) -> None:
    """The table of one group of cases, and what its intervals decide."""
    table = Table(title=f"{title}: {data['n']} plans, {_percent(data['error_rate'])} wrong, {data['groups']} functions")
    columns = (
        "AUROC",
        "95 % CI",
        "AURC",
        "excess",
        "Brier",
        "log loss",
        "ECE",
        "debiased",
        "null",
        "raw ECE",
        "missing",
    )
    table.add_column("signal")
    for column in columns:
        table.add_column(column, justify="right")
    for name, figure in (*data["signals"].items(), ("risk (combined)", data["combined"])):
        if figure.get("auroc") is None:
            table.add_row(name, *["-"] * (len(columns) - 1), str(figure["missing"]))
            continue
        table.add_row(
            name,
            _number(figure["auroc"]),
            "-" if figure["ci"] is None else " to ".join(map(_number, figure["ci"])),
            *(_number(figure[key]) for key in ("aurc", "excess_aurc", "brier", "log_loss")),
            *(_number(figure[key]) for key in ("ece", "ece_debiased", "ece_null")),
            _number(figure["before"]["ece"]),
            str(figure["missing"]),
        )
    console.print(table)
    for line in _said(data, found.differences, brief=brief):
        console.print(line, markup=False, highlight=False)


def _said(data: Mapping[str, Any], differences: Iterable[Difference], *, brief: bool) -> Iterator[str]:
    combined = data["combined"]
    if "inputs" in combined:
        weights = ", ".join(f"{name} {weight:.2f}" for name, weight in combined["inputs"].items())
        yield f"risk: {weights}; risks as they are, pooled over the folds' models: AUROC {combined['pooled']['auroc']:.3f}"
        by_seed = ", ".join(f"{one['auroc']:.3f} / {one['excess_aurc']:.4f}" for one in combined["by_seed"])
        yield f"risk with other folds (AUROC / excess AURC): {by_seed}"
    else:
        yield f"no combined risk: {combined['reason']}"
    for one in differences:
        own = one.one == "risk"
        if one.measure in _SAID[: 1 if brief or own else None] and not (brief and own):
            yield one.sentence


def samples_table(data: Mapping[str, Any], console: Console) -> None:
    """Samples, AUROC and verdicts of drawing all, of stopping without loss, and of stopping early."""
    found = data.get("samples")
    if not found:
        return
    table = Table(title="samples a plan, and what fewer cost")
    for column in ("policy", "plans", "samples", "saved", "AUROC of agreement", "of the risk", "other verdicts"):
        table.add_column(column, justify="left" if column == "policy" else "right")
    for tier, one in found["tiers"].items():
        full, cut = one["full"], one["curtailed"]
        name, n = f"{tier} (N={one['asked']})", str(one["n"])
        table.add_row(f"{name}, all", n, _number(full["samples"], 2), "", _number(full["auroc"]), "", "")
        saved, other = _percent(cut["saved"]), str(cut["different_verdicts"])
        table.add_row(f"{name}, curtailed", n, _number(cut["samples"], 2), saved, _number(cut["auroc"]), "", other)
    for size, one in found.get("bayesian_by_n", {}).items():
        risk, risk_full = _number(one["risk_auroc"]), _number(one["risk_auroc_full"])
        n, other = str(one["n"]), str(one["different_verdicts"])
        table.add_row(f"all {size} agree, all", n, f"{size}.00", "", _number(one["auroc_full"]), risk_full, "")
        name = f"all {size} agree, Bayesian, error {one['error']}"
        drawn, saved = _number(one["samples"], 2), _percent(one["saved"])
        table.add_row(name, n, drawn, saved, _number(one["auroc"]), risk, other)
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.signals", description=__doc__)
    parser.add_argument("cases", type=Path, help="JSON lines of plans and their samples")
    parser.add_argument("--bfcl", type=Path, help="JSON lines with the tools (default: bfcl.jsonl beside CASES)")
    parser.add_argument("--backend", default="structure", help="who judges free texts that differ")
    parser.add_argument("--peer-nli", type=Path, metavar="FOLDER", help="the NLI model for semantic-entropy-gate")
    parser.add_argument("--save-risk", type=Path, metavar="FILE", help="write the risk model of the first table")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="draws of the bootstrap")
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    options = parser.parse_args(arguments)
    console = Console(width=170)
    try:
        cases = read_cases(options.cases, options.bfcl or options.cases.parent / "bfcl.jsonl")
        bench = Bench(cases, backend(options.backend), options.peer_nli)
        data, found = score(bench, folds=options.folds, seed=options.seed, rounds=options.rounds)
        main_found = found[data["label"]]
        if options.save_risk is not None and main_found.model is not None:
            main_found.model.save(options.save_risk)
    except GuardrailError as error:
        print(error, file=sys.stderr)
        return 2
    drawn = sorted({len(one.case.samples) for one in cases})
    console.print(
        f"guardrail-middleware {version('guardrail-middleware')}, scikit-learn {version('scikit-learn')}, Python "
        f"{platform.python_version()}, {os.cpu_count()} cores, backend {options.backend}, N {', '.join(map(str, drawn))}, "
        f"seed {options.seed}, {options.folds} folds; peer: {bench.peer}",
        highlight=False,
    )
    report(data["label"], data, main_found, console, brief=False)
    samples_table(data, console)
    if data["verbalized"]:
        clumps = ", ".join(f"{text!r} {n}" for text, n in data["verbalized"].items())
        console.print(f"confidence as stated, taken out of 100: {clumps}", markup=False, highlight=False)
    for name, beside in data["beside"].items():
        report(name, beside, found[name], console, brief=name != "all plans")
        samples_table(beside, console)
    if options.json:
        print(json.dumps(data))
    return 0


if __name__ == "__main__":
    sys.exit(main())
