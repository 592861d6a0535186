"""Parts of the rows that share no group: what is learned from the others is tried on each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from guardrail.calibration.libraries import needed
from guardrail.calibration.rows import Row
from guardrail.errors import ConfigError


def fold_of(rows: Sequence[Row], folds: int, seed: int) -> list[int]:
    """The fold of each row: groups whole, in shuffled order, with about as many wrong rows in each fold.

    Raises:
        ConfigError: there are too few rows, groups, or rows of one kind; or all of one kind are in one fold.
    """
    np = needed("numpy")
    wrong = np.array([not row.right for row in rows], dtype=bool)
    groups = sorted({row.kin for row in rows})
    fewest = min(int(wrong.sum()), int((~wrong).sum()))
    if folds < 2 or fewest < folds or len(groups) < folds:
        raise ConfigError(
            f"{len(rows)} rows ({int(wrong.sum())} wrong) of {len(groups)} groups do not make {folds} folds: "
            f"label more, until there are at least {max(folds, 2)} groups, right rows and wrong rows"
        )
    place = {group: number for number, group in enumerate(groups)}
    members = np.array([place[row.kin] for row in rows])
    splitter = needed("sklearn.model_selection").StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    found = np.zeros(len(rows), dtype=int)
    for fold, (_, held) in enumerate(splitter.split(np.zeros(len(rows)), wrong, members)):
        found[held] = fold
    for fold in range(folds):
        rest: Any = wrong[found != fold]
        if rest.all() or not rest.any():
            raise ConfigError("nearly all wrong (or right) rows are of one group: label calls of other groups")
    return [int(fold) for fold in found]
