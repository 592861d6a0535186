"""Whether the promise is kept: in worlds in which the truth is known, and on the held-out half of public cases.

    python -m tests.benchmarks.calibration [CASES.jsonl] [--bfcl BFCL.jsonl] [--backend structure|nli:FOLDER_OR_ID]
        [--trials 1000] [--resplits 100] [--seed 0] [--json]

``worlds``: of so many calibrations, the share by which more than alpha of what runs is wrong (``violation``; delta is 0.05),
and what runs as a share of what could (``oracle``: what one could run who knows the world). The grid is of binormal worlds,
and once more with walks that begin where risks of a model of other calls (here the true ones) say;
``naive`` marks what is done carelessly and breaks the promise. ``--trials 0`` leaves the worlds out.

``cases`` (``tests.benchmarks.cases`` says which files are read): the functions are split in two halves, again and again;
thresholds are set on one half, with each signal alone and with the combined risk, and the calls of the other half run by
them. The combined risk is cross-fitted on the half that calibrates; or it is fitted on a half of that, and the threshold
set on the rest, with a planned start (``split``). ``error_mean`` is the mean error of what ran, over the splits by which something
did (``ran``: their share), and ``error_ci`` is where 95 % of these splits lie. ``above`` is the share of all splits by
which more than alpha of the held-out calls that ran were wrong. The halves make up one finite whole: where one has fewer
wrong calls than its share, the other has more. So where few splits have a threshold, these are the ones whose held-out
half is the worse one, and ``above`` may come to more than delta. ``coverage`` is the mean share of held-out calls that
ran, over all splits.
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

import numpy as np
from rich.console import Console
from rich.table import Table

from guardrail import catalogue
from guardrail.calibration import Row, fit_risk
from guardrail.calibration.dependence import task_correlation
from guardrail.calibration.promise import fixed_sequence
from guardrail.errors import ConfigError, GuardrailError
from guardrail.types import Safer
from tests.benchmarks.backends import backend
from tests.benchmarks.cases import read_cases
from tests.benchmarks.scores import BASELINES
from tests.benchmarks.signals import LEAST_CASES, Bench
from tests.calibration.traps import traps
from tests.calibration.worlds import DELTA, Scenario, bound, grid, scenarios, simulate

ALPHAS = (0.2, 0.1, 0.05)
RISK = "risk (combined)"
SPLIT = "risk (split, planned)"
RESPLITS = 100


def worlds(trials: int, seed: int) -> list[dict[str, Any]]:
    """Every scenario and every cell of the grid, in the benchmark's keys."""
    found = []
    for group, listed in (("world", scenarios()), ("trap", traps()), ("grid", grid()), ("planned", grid(planned=True))):
        found += [_world(one, group, trials, seed) for one in listed]
    return found


def _world(one: Scenario, group: str, trials: int, seed: int) -> dict[str, Any]:
    result = simulate(one, trials=trials, seed=seed)
    return {
        "name": one.name,
        "group": group,
        "n": one.n,
        "alpha": one.alpha,
        "naive": one.naive,
        "violation": result.violation,
        "share": _known(result.share),
        "oracle": _known(one.oracle),
    }


def _known(value: float) -> float | None:
    return None if math.isnan(value) else value


def halves(rows: Sequence[Row], rng: np.random.Generator) -> tuple[list[int], list[int]]:
    """The places of the rows of some groups, about half of all, and those of the other groups."""
    places: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(row.kin, []).append(place)
    mine: list[int] = []
    other: list[int] = []
    for name in rng.permutation(sorted(places)):
        (mine if len(mine) < len(rows) / 2 else other).extend(places[name])
    return sorted(mine), sorted(other)


class Resplit:
    """Rows with their scores from 0 to 1, lower is safer (NaN: missing), as one signal after the other sorts them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = rows
        self.wrong = np.array([not row.right for row in rows])
        safer = {info.name: info.safer for info in (*catalogue.BUILT_IN.values(), *BASELINES)}
        named = dict.fromkeys(name for row in rows for name in row.signals if name in safer and name != "risk")
        scores = {name: _ranks([row.signals.get(name) for row in rows], safer[name]) for name in named}
        self.scores = {name: ranks for name, ranks in scores.items() if np.isfinite(ranks).mean() >= 0.5}

    def once(
        self, mine: list[int], other: list[int], rng: np.random.Generator
    ) -> Iterator[tuple[str, float, int, int]]:
        """By score and alpha: how many of the other half ran, and how many of those were wrong."""
        fit = {name: (mine, ranks[mine], ranks[other]) for name, ranks in self.scores.items()}
        fit[RISK] = (mine, *self._combined(mine, other))
        fitted, rest = ([mine[place] for place in part] for part in halves([self.rows[place] for place in mine], rng))
        both = self._combined(fitted, rest + other)[1]
        fit[SPLIT] = (rest, both[: len(rest)], both[len(rest) :])
        for name, (tested, here, there) in fit.items():
            known = np.isfinite(here)
            wrong = self.wrong[tested][known]
            for alpha in ALPHAS:
                found = fixed_sequence(here[known], wrong, alpha=alpha, delta=DELTA, planned=name == SPLIT)
                below = 0.0 if found.execute_below is None else found.execute_below
                ran = there < below  # a missing score never is
                yield name, alpha, int(ran.sum()), int(self.wrong[other][ran].sum())

    def _combined(self, mine: list[int], other: list[int]) -> tuple[np.ndarray, np.ndarray]:
        try:
            fitted = fit_risk([self.rows[place] for place in mine])
        except ConfigError:
            return np.full(len(mine), np.nan), np.full(len(other), np.nan)
        held = [one.risk for one in fitted.held]
        model = fitted.model
        there = (
            {name: value for name in model.signals if (value := self.rows[place].signals.get(name)) is not None}
            for place in other
        )
        return _numbers(held), _numbers([model.of(values) for values in there])


def _numbers(values: Sequence[float | None]) -> np.ndarray:
    return np.array([math.nan if value is None else value for value in values])


def _ranks(values: Sequence[float | None], safer: Safer) -> np.ndarray:
    """The values in their order, from 0 to 1; equal ones are equal."""
    known = _numbers(values)
    there = np.isfinite(known)
    distinct, place = np.unique(-known[there] if safer is Safer.HIGH else known[there], return_inverse=True)
    found = np.full(len(known), math.nan)
    found[there] = place / max(len(distinct), 1)
    return found


def resplits(rows: Sequence[Row], *, splits: int, seed: int) -> list[dict[str, Any]]:
    """The combined risks first, then each signal, by falling coverage."""
    rng = np.random.default_rng(seed)
    plan = Resplit(rows)
    ran: dict[tuple[str, float], list[tuple[int, int, int]]] = {}
    for _ in range(splits):
        mine, other = halves(rows, rng)
        for name, alpha, n, wrong in plan.once(mine, other, rng):
            ran.setdefault((name, alpha), []).append((n, wrong, len(other)))
    found = [_case(name, alpha, counts) for (name, alpha), counts in ran.items()]
    covered = {name: [one["coverage"] for one in found if one["signal"] == name] for name, _ in ran}
    return sorted(
        found,
        key=lambda one: (one["signal"] != RISK, one["signal"] != SPLIT, -sum(covered[one["signal"]]), one["signal"]),
    )


def _case(name: str, alpha: float, counts: Sequence[tuple[int, int, int]]) -> dict[str, Any]:
    errors = [wrong / n for n, wrong, _ in counts if n]
    return {
        "signal": name,
        "alpha": alpha,
        "error_mean": float(np.mean(errors)) if errors else None,
        "error_ci": [float(one) for one in np.quantile(errors, [0.025, 0.975])] if errors else None,
        "coverage": float(np.mean([n / of for n, _, of in counts])),
        "ran": len(errors) / len(counts),
        "above": float(np.mean([n > 0 and wrong > alpha * n for n, wrong, _ in counts])),
    }


def cases(path: Path, tools: Path, judge: str, *, splits: int, seed: int) -> dict[str, Any]:
    """What ``--json`` prints of a file.

    Raises:
        ConfigError: too few cases are labelled.
    """
    recorded = read_cases(path, tools)
    bench = Bench(recorded, backend(judge), None)
    labels = list(recorded[0].labels)
    found: dict[str, Any] = {"drawn": sorted({len(one.case.samples) for one in recorded}), "beside": {}}
    for label in labels:
        rows = bench.rows(label, [one.single for one in recorded])
        if len(rows) < 2 * LEAST_CASES:
            continue
        figures = {
            "n": len(rows),
            "error_rate": sum(not row.right for row in rows) / len(rows),
            "groups": len({row.kin for row in rows}),
            "correlation": _known(task_correlation([row.kin for row in rows], [not row.right for row in rows])),
            "cases": resplits(rows, splits=splits, seed=seed),
        }
        if label == labels[0]:
            found |= {"label": label, **figures}
        else:
            found["beside"][label] = figures
    if "cases" not in found:
        raise ConfigError(f"fewer than {2 * LEAST_CASES} cases have the label {labels[0]!r}: nothing can be said")
    return found


def _number(value: float | None, digits: int = 3) -> str:
    return "-" if value is None else f"{value:.{digits}f}"


def worlds_table(found: Sequence[Mapping[str, Any]], trials: int, console: Console) -> None:
    """Each scenario, and the grid in a line for each number of labels."""
    table = Table(title=f"{trials} calibrations each; delta {DELTA}, with three standard errors {bound(trials):.3f}")
    for column in ("world", "n", "alpha", "violation", "share of oracle", "oracle", "promise"):
        table.add_column(column, justify="left" if column in ("world", "promise") else "right")
    for one in found:
        if one["group"] in ("world", "trap"):
            kept = one["violation"] <= bound(trials)
            said = ("kept" if kept else "broken") + (", carelessly" if one["naive"] else "")
            numbers = (f"{one['alpha']:g}", *(_number(one[key]) for key in ("violation", "share", "oracle")))
            table.add_row(one["name"], str(one["n"]), *numbers, said)
    for group, said in (("grid", "grid"), ("planned", "grid, planned")):
        cells = [one for one in found if one["group"] == group]
        for n in (*sorted({one["n"] for one in cells}), None):
            some = [one for one in cells if n in (None, one["n"])]
            worst, share = max(one["violation"] for one in some), float(np.mean([one["share"] for one in some]))
            kept = "kept" if worst <= bound(trials) else "broken"
            name = f"{said}: worst of {len(some)} worlds"
            table.add_row(name, "all" if n is None else str(n), "all", _number(worst), _number(share), "", kept)
    console.print(table)


def cases_table(title: str, found: Mapping[str, Any], splits: int, console: Console) -> None:
    """What ran of the held-out half, and how much of it was wrong, by each score."""
    table = Table(
        title=f"{title}: {found['n']} plans, {100 * found['error_rate']:.1f} % wrong, {found['groups']} functions "
        f"(intraclass correlation {_number(found['correlation'], 2)}), {splits} splits"
    )
    table.add_column("score", no_wrap=True)
    for alpha in ALPHAS:
        for column in (f"alpha {alpha:g}: error", "95 % of splits", "ran", "above", "coverage"):
            table.add_column(column, justify="right")
    for name in dict.fromkeys(one["signal"] for one in found["cases"]):
        cells = []
        for one in (each for each in found["cases"] if each["signal"] == name):
            low_high = one["error_ci"]
            cells.append(_number(one["error_mean"]))
            cells.append("-" if low_high is None else f"{low_high[0]:.2f} to {low_high[1]:.2f}")
            cells += [_number(one[key], 2) for key in ("ran", "above", "coverage")]
        table.add_row(name, *cells)
    console.print(table)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.calibration", description=__doc__)
    parser.add_argument("cases", type=Path, nargs="?", help="JSON lines of plans and their samples")
    parser.add_argument("--bfcl", type=Path, help="JSON lines with the tools (default: bfcl.jsonl beside CASES)")
    parser.add_argument("--backend", default="structure", help="who judges free texts that differ")
    parser.add_argument("--trials", type=int, default=1_000, help="calibrations in each world; 0: no worlds")
    parser.add_argument("--resplits", type=int, default=RESPLITS, help="how often the cases are split in halves")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true", help="print one JSON object on the last line")
    options = parser.parse_args(arguments)
    if options.trials < 0 or options.resplits < 1:
        print("--trials must be at least 0, and --resplits at least 1", file=sys.stderr)
        return 2
    console = Console(width=230)
    measured: dict[str, Any] = {}
    try:
        if options.cases is not None:
            tools = options.bfcl or options.cases.parent / "bfcl.jsonl"
            measured = cases(options.cases, tools, options.backend, splits=options.resplits, seed=options.seed)
        in_worlds = worlds(options.trials, options.seed) if options.trials else []
    except GuardrailError as error:
        print(error, file=sys.stderr)
        return 2
    on = f"backend {options.backend}, N {', '.join(map(str, measured['drawn']))}, " if measured else ""
    console.print(
        f"guardrail-middleware {version('guardrail-middleware')}, scipy {version('scipy')}, scikit-learn "
        f"{version('scikit-learn')}, Python {platform.python_version()}, {os.cpu_count()} cores, {on}seed {options.seed}",
        highlight=False,
    )
    if in_worlds:
        worlds_table(in_worlds, options.trials, console)
    if measured:
        cases_table(measured["label"], measured, options.resplits, console)
        for label, beside in measured["beside"].items():
            cases_table(label, beside, options.resplits, console)
    if options.json:
        print(json.dumps({"worlds": in_worlds, **measured}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
