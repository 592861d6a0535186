"""SQL by its syntax tree: spacing, letter case of keywords and the order of conditions say nothing."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from guardrail.clustering.comparators.about import About
from guardrail.clustering.comparators.libraries import needed

_LONGEST = 20_000
_DIALECTS = ("postgres", "mysql", "sqlite", "bigquery", "snowflake", "tsql", "oracle", "duckdb", "clickhouse", "hive")


def settle(a: str, b: str, about: About) -> bool | None:
    """Whether two texts are the same statements; False where one cannot be parsed and they differ.

    Names keep their letter case: what folds it, and how, is the database's affair.
    """
    if a.strip() == b.strip():
        return True
    dialect = next((name for name in _DIALECTS if name in f"{about.tool} {about.description}".casefold()), "")
    one, other = _reading(a, dialect), _reading(b, dialect)
    return bool(one) and one == other


@lru_cache(maxsize=1024)
def _reading(text: str, dialect: str) -> tuple[str, ...]:
    if len(text) > _LONGEST:
        return ()
    sqlglot = needed("sqlglot")
    try:
        parsed = sqlglot.parse(text, read=dialect or None, error_level=sqlglot.ErrorLevel.RAISE)
        statements = [one for one in parsed if one is not None]
        if any(one.find(sqlglot.exp.Command) for one in statements):
            return ()  # kept as text, not parsed
        return tuple(
            _normal(one).sql(dialect=dialect or None, comments=False, normalize_functions="upper") for one in statements
        )
    except (sqlglot.errors.SqlglotError, RecursionError, ValueError, AttributeError):
        return ()


def _normal(tree: Any) -> Any:
    exp = needed("sqlglot").exp
    for kind in (exp.And, exp.Or):
        tops = [one for one in tree.find_all(kind) if not isinstance(one.parent, kind)]
        for top in tops:
            operands = sorted((one.unnest() for one in top.flatten()), key=lambda one: str(one.sql()))
            wrapped = [exp.paren(one) if isinstance(one, exp.Connector) else one for one in operands]
            joined = wrapped[0]
            for one in wrapped[1:]:
                joined = kind(this=joined, expression=one)
            top.replace(joined)
            if top is tree:
                tree = joined
    return tree
