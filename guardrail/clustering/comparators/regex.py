"""Regular expressions: every character counts."""

from __future__ import annotations

from guardrail.clustering.comparators.about import About


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two expressions are written the same."""
    return a == b
