"""Formulas: ``2x^2``, ``2*x**2`` and ``lambda x: 2*x*x`` are one; what is subtracted or divided keeps its side."""

from __future__ import annotations

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.algebra import normal_form


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two formulas are the same; those that cannot be read are so character by character."""
    if a.strip() == b.strip():
        return True
    one, other = normal_form(a.strip()), normal_form(b.strip())
    return one is not None and one == other
