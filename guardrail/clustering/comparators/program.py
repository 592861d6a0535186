"""Programs: Python by its syntax tree, anything else by its lines."""

from __future__ import annotations

import ast

from guardrail.clustering.comparators.about import About

_LONGEST = 20_000


def settle(a: str, b: str, about: About) -> bool | None:
    """Whether two programs are the same but for spacing, quotes and comments."""
    one, other = _lines(a), _lines(b)
    if one == other:
        return True
    if "python" not in f"{about.name} {about.tool} {about.description}".casefold():
        return False
    left, right = _tree(a), _tree(b)
    return left is not None and left == right


def _lines(text: str) -> list[str]:
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def _tree(text: str) -> str | None:
    if len(text) > _LONGEST:
        return None
    try:
        return ast.dump(ast.parse(text))
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return None
