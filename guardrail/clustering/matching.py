"""Best one-to-one assignment, and groups in which everybody equals everybody."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")


def assign(gains: Sequence[Sequence[int]]) -> list[int]:
    """The column of each row, or -1, such that the gains of the pairs add up to the most.

    Shortest augmenting paths with prices (Kuhn 1955; Jonker and Volgenant 1987), O(rows^2 x columns).
    A pair without gain is not made. Among equal sums the result depends on the order of rows and
    columns only: sort them to be independent of how they came.
    """
    wide = len(gains[0]) if gains else 0
    if not wide:
        return [-1] * len(gains)
    top = max(max(row) for row in gains)
    spare = [top] * max(len(gains) - wide, 0)
    owner = _owners([[top - gain for gain in row] + spare for row in gains])
    found = [-1] * len(gains)
    for column in range(wide):
        row = owner[column + 1] - 1
        if row >= 0 and gains[row][column] > 0:
            found[row] = column
    return found


def _owners(costs: Sequence[Sequence[int]]) -> list[int]:
    """The row of each column at the least cost; rows and columns count from 1, 0 is nobody."""
    columns = range(1, len(costs[0]) + 1)
    owner, previous, column_price = ([0] * (len(columns) + 1) for _ in range(3))
    row_price = [0] * (len(costs) + 1)
    for row in range(1, len(costs) + 1):
        owner[0], column = row, 0
        slack: list[float] = [math.inf] * (len(columns) + 1)
        reached = [False] * (len(columns) + 1)
        while owner[column]:
            reached[column] = True
            cost, price = costs[owner[column] - 1], row_price[owner[column]]
            for other in columns:
                if not reached[other] and cost[other - 1] - price - column_price[other] < slack[other]:
                    slack[other], previous[other] = cost[other - 1] - price - column_price[other], column
            column = min((other for other in columns if not reached[other]), key=slack.__getitem__)
            step = int(slack[column])
            for other in (0, *columns):
                if reached[other]:
                    row_price[owner[other]] += step
                    column_price[other] -= step
                else:
                    slack[other] -= step
        while column:
            owner[column], column = owner[previous[column]], previous[column]
    return owner


def complete_linkage(values: Sequence[T], equal: Callable[[T, T], bool]) -> list[list[T]]:
    """Groups in which every value equals every other; each value joins the first group that takes it.

    A chain a = b = c with a unlike c is cut, never merged. Depends on the order of ``values`` only.
    """
    groups: list[list[T]] = []
    for value in values:
        home = next((group for group in groups if all(equal(value, other) for other in group)), None)
        if home is None:
            groups.append([value])
        else:
            home.append(value)
    return groups
