"""How the arguments of a tool are compared, and why, for people who write policies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from guardrail.clustering.comparators import check
from guardrail.clustering.schema import Field, read_schema
from guardrail.clustering.stated import NOT_STATED
from guardrail.comparing import Named
from guardrail.errors import ConfigError
from guardrail.types import ToolSpec

_DEEPEST = 6


@dataclass(frozen=True, kw_only=True)
class FieldPlan:
    """How one argument is compared.

    ``path`` is its place ("address.street"; arrays add nothing), ``kind`` its JSON type ("" if unknown),
    ``comparator`` what compares it and ``because`` why: the policy, its name, description, format or
    type. ``default`` counts as given where the argument is omitted; ``default_source`` is "declared",
    "description", or "" where there is none.
    """

    path: str
    kind: str
    comparator: str
    because: str
    default: Any = None
    default_source: str = ""


def explain_schema(
    tool: ToolSpec, comparators: Mapping[str, Named] | None = None, *, stated_defaults: bool = True
) -> tuple[FieldPlan, ...]:
    """How each argument of a tool is compared, in the schema's order, at most six levels deep.

    Raises:
        ConfigError: a comparator has no such name.
    """
    for path, name in (comparators or {}).items():
        if problem := check(name):
            raise ConfigError(f"argument {path!r} of tool {tool.name!r} has comparator {name!r}; {problem}")
    return tuple(_plans(read_schema(tool, comparators or {}, stated_defaults=stated_defaults), 0))


def _plans(at: Field, depth: int) -> Iterator[FieldPlan]:
    if at.path:
        yield _plan(at)
    if depth < _DEEPEST:
        inner = at.items if at.kind == "array" else at
        for place in inner.properties.values():
            yield from _plans(place, depth + 1)


def _plan(at: Field) -> FieldPlan:
    source = "" if at.default is NOT_STATED else ("declared" if at.schema.get("default") is not None else "description")
    return FieldPlan(
        path=at.path,
        kind=at.kind,
        comparator=at.named or _comparator(at),
        because=at.because,
        default=at.default if source else None,
        default_source=source,
    )


def _comparator(at: Field) -> str:
    if at.chosen:
        return at.chosen[0].name
    if at.comparator:
        return at.comparator
    if at.kind == "array":
        return "sequence"
    return "exact" if at.enum or at.kind in ("boolean", "object") else "text"
