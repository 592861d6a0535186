"""Formulas: ``2x^2``, ``2*x**2`` and ``lambda x: 2*x*x`` are one; what is subtracted or divided keeps its side."""

from __future__ import annotations

import re

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.algebra import normal_form

_MATRIX = re.compile(r"\bmatri(?:x|ces)\b|\bquaternion|\boperators?\b", re.IGNORECASE)


def settle(a: str, b: str, about: About) -> bool | None:
    """Whether two formulas are the same; those that cannot be read are so character by character.

    Factors may change places unless the description speaks of matrices.
    """
    if a.strip() == b.strip():
        return True
    if _MATRIX.search(about.description):
        return False
    one, other = normal_form(a.strip()), normal_form(b.strip())
    return one is not None and one == other
