"""The calls that are simulated with: of files with labelled calls or recorded cases, or assumed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from guardrail.calibration import fit_risk, read_calls, row_of
from guardrail.calibration.simulation import Pool, assumed_pool
from guardrail.cli.bench.cases import read_cases
from guardrail.cli.rows import Tools
from guardrail.clustering import Entailment
from guardrail.engine.scoring import score
from guardrail.errors import ConfigError
from guardrail.types import Case, Tier

SIGNALS = ("agreement", "semantic_entropy", "logprob_sum", "logprob_turn")
"""What a recorded case is scored with: what samples and the plan's own tokens tell, and nothing that is asked."""


def from_assumptions(*, error: float, auroc: float, samples: Sequence[int], seed: int) -> list[Pool]:
    """A pool for each N, and one whose score has no ties."""
    return [
        *(assumed_pool(error=error, auroc=auroc, samples=n, seed=seed) for n in samples),
        assumed_pool(error=error, auroc=auroc, samples=None, seed=seed),
    ]


def from_labelled(files: Sequence[Path], tier: Tier | None) -> list[Pool]:
    """The labelled calls of files that have a risk, of one tier or of each tier apart.

    Raises:
        ConfigError: a file cannot be used, or no call of it has a risk.
    """
    from guardrail.calibration.calls import TIERS

    calls = read_calls(files)
    pools = []
    for number, one in enumerate(TIERS):
        part = calls.take((calls.tier == number) & (calls.risk >= 0) & (calls.risk <= 1))
        if len(part) and tier in (None, one):
            pools.append(Pool(name=f"{one.value}, recorded", risk=part.risk, wrong=part.wrong))
    if not pools:
        raise ConfigError(
            f"{', '.join(map(str, files))}: no labelled call{f' of the {tier} tier' if tier else ''} has a risk; "
            "calibrate first, or give recorded cases with --cases"
        )
    return pools


def from_cases(
    files: Sequence[Path], tools: Tools, samples: Sequence[int], judge: Entailment, *, seed: int
) -> list[Pool]:
    """Recorded cases, scored over the first N samples of each, for each N that they have.

    The risk is cross-fitted: each case is scored by a model that has not seen its group.

    Raises:
        ConfigError: a file cannot be used, or has too few labelled cases.
    """
    cases = [case for file in files for case in read_cases(file, tools)]
    used = [case for case in cases if case.correct is not None and case.planned.calls]
    most = min((len(case.samples) for case in used), default=0)
    wanted = sorted({n for n in samples if n <= most})
    if not wanted:
        raise ConfigError(
            f"of {len(cases)} cases {len(used)} have a call and a label, and the fewest samples of one are {most}: "
            f"there is nothing to simulate N = {', '.join(map(str, samples))} with"
        )
    return [_scored(used, n, judge, seed) for n in wanted]


def _scored(cases: Sequence[Case], n: int, judge: Entailment, seed: int) -> Pool:
    measured = score(cases, SIGNALS, entailment=judge, n=n)
    rows = [row for case, calls in zip(cases, measured, strict=True) if (row := row_of(case, calls)) is not None]
    present = [name for name in SIGNALS if 2 * sum(row.signals[name] is not None for row in rows) >= len(rows)]
    held = {one.id: one.risk for one in fit_risk(rows, signals=present, seed=seed).held}
    kept = [(held[row.id], not row.right) for row in rows if held[row.id] is not None]
    return Pool(name=f"N = {n}, recorded", risk=[risk for risk, _ in kept], wrong=[bad for _, bad in kept], samples=n)
