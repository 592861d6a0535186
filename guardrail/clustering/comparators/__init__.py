"""What the values of a field mean: one module a comparator, loaded on first need.

Each offers ``settle(a, b, about) -> bool | None``: whether two texts are the same, None where it does not
understand both of them.
"""

from guardrail.clustering.comparators.about import About, Chosen
from guardrail.clustering.comparators.registry import COMPARATORS, FIELDS, check, settle
from guardrail.clustering.comparators.suggestion import suggested

__all__ = ["COMPARATORS", "FIELDS", "About", "Chosen", "check", "settle", "suggested"]
