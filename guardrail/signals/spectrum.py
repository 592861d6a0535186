"""Eigenvalues of small symmetric matrices, in plain Python: no library is loaded for a signal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

_HALVINGS: Final = 60
_TINY: Final = 1e-300


def eigenvalues(matrix: Sequence[Sequence[float]]) -> list[float]:
    """The eigenvalues of a symmetric matrix, least first, to about 1e-15 of the largest; O(n^3).

    Householder's reduction to three diagonals, then bisection by counting signs (Sturm sequences; Golub and Van
    Loan, Matrix Computations, 8.3.1 and 8.4.1).
    """
    diagonal, beside = _three_diagonals([list(row) for row in matrix])
    squares = [value * value for value in beside]
    radius = max((math.fsum(map(abs, row)) for row in matrix), default=0.0)  # Gershgorin
    return [_eigenvalue(place, diagonal, squares, radius) for place in range(len(diagonal))]


def _three_diagonals(a: list[list[float]]) -> tuple[list[float], list[float]]:
    """The diagonal, and the one beside it, of a similar matrix that has no others."""
    n = len(a)
    beside = []
    for k in range(n - 2):
        x = [a[i][k] for i in range(k + 1, n)]
        length = math.copysign(math.sqrt(math.fsum(value * value for value in x)), x[0])
        beside.append(-length)
        v = [x[0] + length, *x[1:]]
        norm = math.fsum(value * value for value in v)
        if norm == 0:
            continue
        block = [row[k + 1 :] for row in a[k + 1 :]]
        p = [2 / norm * math.fsum(map(float.__mul__, row, v)) for row in block]
        shift = math.fsum(map(float.__mul__, p, v)) / norm
        w = [one - shift * other for one, other in zip(p, v, strict=True)]
        for i, row in enumerate(block):
            vi, wi = v[i], w[i]
            a[k + 1 + i][k + 1 :] = [value - vi * wj - wi * vj for value, vj, wj in zip(row, v, w, strict=True)]
    if n > 1:
        beside.append(a[n - 1][n - 2])
    return [a[i][i] for i in range(n)], beside


def _eigenvalue(place: int, diagonal: Sequence[float], squares: Sequence[float], radius: float) -> float:
    """The eigenvalue of that rank: more than ``place`` of them lie below what is above it."""
    low, high = -radius, radius
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if _below(middle, diagonal, squares) > place:
            high = middle
        else:
            low = middle
    return (low + high) / 2


def _below(x: float, diagonal: Sequence[float], squares: Sequence[float]) -> int:
    """How many eigenvalues are less than x."""
    count, pivot = 0, 1.0
    for value, square in zip(diagonal, (0.0, *squares), strict=True):
        pivot = value - x - square / pivot
        if pivot == 0:
            pivot = _TINY
        count += pivot < 0
    return count
