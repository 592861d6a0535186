"""A million labelled calls, calibrated: how long it takes, and how much memory.

    python -m tests.benchmarks.calibration_scale [--calls 1000000] [--combiner recorded] [--format parquet]

The calls are made first, by another process, so that the peak is that of reading and calibrating alone.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

TOOLS = ("pay", "send", "search", "book", "delete")
TIERS = ("low", "medium", "high")


def make(path: Path, calls: int, seed: int) -> None:
    """Write calls whose error is logistic in two signals, a third of each tier, two a task."""
    import numpy as np
    import polars as pl

    rng = np.random.default_rng(seed)
    likely, share = rng.random(calls), rng.choice([0.2, 0.4, 0.6, 0.8, 1.0], calls)
    risk = 1 / (1 + np.exp(5.5 - 4 * (1 - likely) - 4 * (1 - share)))
    number = np.arange(calls)
    frame = pl.DataFrame(
        {
            "id": pl.Series(number).cast(pl.String).str.zfill(9),
            "tier": pl.Series(TIERS)[(number % 3).tolist()],
            "tool": pl.Series(TOOLS)[rng.integers(0, len(TOOLS), calls).tolist()],
            "correct": rng.random(calls) >= risk,
            "probability": np.ones(calls),
            "risk": risk,
            "signals.logprob_sum": np.log(likely + 1e-9),
            "signals.agreement": share,
            "source": ["checker"] * calls,
            "at": ["2026-01-01T00:00:00Z"] * calls,
            "task": pl.Series(number // 2).cast(pl.String),
            "fingerprint.model": ["m"] * calls,
        }
    )
    {".parquet": frame.write_parquet, ".csv": frame.write_csv}[path.suffix](path)


def calibrated(path: Path, combiner: str) -> None:
    """Calibrate the file, and print what that took."""
    from guardrail.calibration import Combiner, calibrate, read_calls

    start = time.perf_counter()
    stages: list[tuple[str, float]] = []
    calls = read_calls([path])
    read = time.perf_counter()
    found = calibrate(
        calls,
        combiner=Combiner(combiner),
        attempts="all",
        progress=lambda what, _: stages.append((what, time.perf_counter())),
    )
    end = time.perf_counter()
    result = {
        "calls": len(calls),
        "seconds": round(end - start, 1),
        "reading": round(read - start, 1),
        "stages": {what: round(until - at, 1) for (what, at), (_, until) in pairwise(stages)},
        "peak_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        "tiers": {
            tier.tier.value: {"n": one.n, "below": one.execute_below, "coverage": round(one.coverage, 3)}
            for tier in found.policy.tiers
            for one in tier.thresholds
        },
    }
    print(json.dumps(result, indent=2))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=1_000_000)
    parser.add_argument("--combiner", choices=["cross-fit", "recorded"], default="cross-fit")
    parser.add_argument("--format", choices=["parquet", "csv"], default="parquet")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--make", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        make(given.file, given.calls, given.seed)
    elif given.file:
        calibrated(given.file, given.combiner)
    else:
        with tempfile.TemporaryDirectory() as folder:
            again = [sys.executable, "-m", "tests.benchmarks.calibration_scale", "--calls", str(given.calls)]
            again += ["--combiner", given.combiner, "--file", str(Path(folder) / f"calls.{given.format}")]
            subprocess.run([*again, "--make", "--seed", str(given.seed)], check=True)
            subprocess.run(again, check=True)


if __name__ == "__main__":
    main()
