"""E-mail addresses: the domain in any case, what stands before it exactly."""

from __future__ import annotations

from guardrail.clustering.comparators.about import About
from guardrail.clustering.texts import identity


def settle(a: str, b: str, about: About) -> bool | None:  # noqa: ARG001 - comparators share one signature
    """Whether two addresses are one; None where one is no plain address."""
    one, other = _reading(a), _reading(b)
    return one == other if one and other else None


def _reading(text: str) -> str:
    name, at, domain = identity(text).removeprefix("mailto:").rpartition("@")
    if not (name and at and domain.isascii()) or any(letter.isspace() for letter in name + domain) or "@" in name:
        return ""
    return f"{name}@{domain.lower()}"
