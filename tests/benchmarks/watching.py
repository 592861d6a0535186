"""How often watching raises a false alarm, and how soon a true one: ``python -m tests.benchmarks.watching``.

The audits of one tier, each answered as soon as it is drawn, are a walk over counts (audits, wrong ones), so that the
e-process' figures are computed exactly from the binomial distribution; ``--runs`` simulates the rest.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace

import numpy as np
from scipy import stats

from guardrail.calibration.eprocess import EProcess

DELTA = 0.05


def crossing(alpha: float, delta: float, *, risk: float, audits: int) -> list[float]:
    """P(an alarm by then) after each of so many audits, where ``risk`` of the calls are wrong."""
    start = EProcess.start(alpha=alpha, delta=delta)
    least = _least_wrong(start, audits)
    alive, raised, found = np.array([1.0]), 0.0, []
    for n in range(1, audits + 1):
        step = np.zeros(min(len(alive) + 1, least[n] + 1))
        step[: len(alive)] += alive * (1 - risk)
        step[1 : len(alive) + 1] += alive[: len(step) - 1] * risk
        raised += step[least[n] :].sum()
        alive = step[: least[n]]
        found.append(float(raised))
    return found


def _least_wrong(start: EProcess, audits: int) -> list[int]:
    """By the number of audits, how many wrong ones raise the alarm."""
    wrong, right = (np.array(start.update(outcome).logs) for outcome in (True, False))
    limit, least, found = math.log(start.limit), 1, [1]
    for n in range(1, audits + 1):
        while least <= n and _wealth(start, least * wrong + (n - least) * right) < limit:
            least += 1
        found.append(least)
    return found


def _wealth(start: EProcess, logs: np.ndarray) -> float:
    return replace(start, logs=tuple(map(float, logs))).log_wealth


def quantile(raised: list[float], share: float) -> float:
    """After how many audits that share of the alarms are raised."""
    return next((n for n, so_far in enumerate(raised, 1) if so_far >= share), math.inf)


def false_alarms_of_a_rolling_test(
    alpha: float, delta: float, *, audits: int, window: int, runs: int, seed: int
) -> float:
    """The share of runs in which an exact test of the last ``window`` audits, after each of them, rejects once."""
    rng = np.random.default_rng(seed)
    most = stats.binom.ppf(1 - delta, window, alpha)
    wrong = np.cumsum(rng.random((runs, audits)) < alpha, axis=1)
    within = wrong[:, window:] - wrong[:, :-window]
    return float((within > most).any(axis=1).mean())


def main() -> None:
    """Print the table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--audits", type=int, default=4000)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    found = []
    for alpha in (0.2, 0.1, 0.05, 0.02, 0.01):
        row = {
            "alpha": alpha,
            "false_alarms": crossing(alpha, DELTA, risk=alpha, audits=options.audits)[-1],
            "rolling_test": false_alarms_of_a_rolling_test(
                alpha, DELTA, audits=options.audits, window=200, runs=options.runs, seed=options.seed
            ),
        }
        for times in (1.5, 2, 3, 5):
            raised = crossing(alpha, DELTA, risk=times * alpha, audits=options.audits)
            row[f"median_{times}"], row[f"q90_{times}"] = quantile(raised, 0.5), quantile(raised, 0.9)
        found.append(row)
    if options.json:
        print(json.dumps(found, indent=2))
        return
    print(f"delta {DELTA}; audits until the alarm, median (90 %), by how many times alpha are wrong")
    print("alpha  false alarms  rolling test      1.5x            2x            3x            5x")
    for row in found:
        delays = "  ".join(f"{row[f'median_{times}']:5} ({row[f'q90_{times}']:5})" for times in (1.5, 2, 3, 5))
        print(f"{row['alpha']:5}  {row['false_alarms']:12.4f}  {row['rolling_test']:12.2f}  {delays}")


if __name__ == "__main__":
    main()
