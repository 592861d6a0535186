"""SQL by name, from each backend's own file."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

Value = str | bytes | int | None


@cache
def queries(folder: str = "sql") -> dict[str, str]:
    """The statements and conditions of a backend by name."""
    text = (files("guardrail.store") / folder / "queries.sql").read_text(encoding="utf-8")
    named = (block.partition("\n") for block in text.split("-- name: ")[1:])
    return {name.strip(): sql.strip() for name, _, sql in named}


def conditional(name: str, asked: Mapping[str, Value], folder: str = "sql") -> tuple[str, dict[str, Value]]:
    """A query with the conditions asked for (not None), and their values."""
    given: dict[str, Value] = {condition: value for condition, value in asked.items() if value is not None}
    conditions = " AND ".join(queries(folder)[f"{name}.{condition}"] for condition in given) or "TRUE"
    return queries(folder)[name].format(conditions=conditions), given
