"""SQL by name, from ``sql/queries.sql``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

Value = str | bytes | int | None


@cache
def queries() -> dict[str, str]:
    """The statements and conditions by name."""
    text = (files("guardrail.store") / "sql" / "queries.sql").read_text(encoding="utf-8")
    named = (block.partition("\n") for block in text.split("-- name: ")[1:])
    return {name.strip(): sql.strip() for name, _, sql in named}


def conditional(name: str, asked: Mapping[str, Value]) -> tuple[str, dict[str, Value]]:
    """A query with the conditions asked for (not None), and their values."""
    given: dict[str, Value] = {condition: value for condition, value in asked.items() if value is not None}
    conditions = " AND ".join(queries()[f"{name}.{condition}"] for condition in given) or "TRUE"
    return queries()[name].format(conditions=conditions), given
