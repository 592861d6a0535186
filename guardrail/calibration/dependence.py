"""How far calls of one task go right or wrong together, and what a sample of them is then worth.

A test that takes dependent calls for independent ones promises too much. One call a task is safe, whatever the
dependence.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any, Final

from guardrail.calibration.libraries import needed
from guardrail.calibration.thinning import uniform
from guardrail.errors import ConfigError

WARN_ABOVE: Final = 0.1
"""The intraclass correlation above which calls of one task should not be taken for independent."""


def intraclass(wrong: Any, groups: Any) -> float:
    """The intraclass correlation of errors in groups (any labels), by analysis of variance (Donner 1986, eq. 2.2).

    0 where nothing varies; NaN where it cannot be told: one group, or no group with two calls.

    Raises:
        ConfigError: there are not as many labels as groups.
    """
    np = needed("numpy")
    values = np.asarray(wrong, dtype=float)
    _, place, sizes = np.unique(np.asarray(groups), return_inverse=True, return_counts=True)
    if place.shape != values.shape:
        raise ConfigError(f"{len(values)} labels cannot be of {place.shape} tasks: give one task a label")
    n, many = len(values), len(sizes)
    if many < 2 or many == n:
        return float("nan")
    means = np.bincount(place, weights=values) / sizes
    between = float((sizes * (means - values.mean()) ** 2).sum()) / (many - 1)
    within = float(((values - means[place]) ** 2).sum()) / (n - many)
    size = (n - float((sizes**2).sum()) / n) / (many - 1)
    spread = between + (size - 1) * within
    return 0.0 if spread == 0 else (between - within) / spread


def task_correlation(tasks: Sequence[Hashable], wrong: Any) -> float:
    """``intraclass`` of calls by the name of their task."""
    place = {task: number for number, task in enumerate(dict.fromkeys(tasks))}
    return intraclass(wrong, [place[task] for task in tasks])


def effective_number(groups: Any, correlation: float) -> float:
    """How many independent labels so many correlated ones are worth: n / (1 + (m - 1) rho), Kish 1965.

    m is the mean size of a call's group. A correlation of 0 or below, or one that is unknown, takes nothing away.
    """
    np = needed("numpy")
    sizes = np.unique(np.asarray(groups), return_counts=True)[1]
    n = int(sizes.sum())
    if not correlation > 0:
        return float(n)
    return n / (1 + (float((sizes**2).sum()) / n - 1) * correlation)


def one_per_task(tasks: Sequence[Hashable], ids: Sequence[str], seed: int) -> Any:
    """The places of one call a task, ascending: drawn by digest of the call's id, whatever the order or the label."""
    np = needed("numpy")
    place = {task: number for number, task in enumerate(dict.fromkeys(tasks))}
    numbers = np.array([place[task] for task in tasks], dtype=int)
    order = np.lexsort((np.asarray(ids, dtype=object).astype(str), uniform(ids, f"task {seed}")))
    return np.sort(order[np.unique(numbers[order], return_index=True)[1]])
