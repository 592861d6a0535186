"""How the values of one place are compared, and why: what the policy names, else what its schema suggests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guardrail.clustering import naming
from guardrail.clustering.comparators import Chosen, suggested
from guardrail.clustering.comparators.registry import COMPARATORS, EXACTING, FIELDS
from guardrail.comparing import Named, Own, plugin


@dataclass(frozen=True, kw_only=True)
class Plan:
    """``comparator`` tells values apart by structure ("" leaves it to the value), ``chosen`` may hold them equal."""

    comparator: str = ""
    chosen: tuple[Chosen, ...] = ()
    because: str = ""


def named_plan(named: Named) -> Plan:
    """What the comparator that a policy names asks of structure, and of the comparators; "" names none."""
    because = "the policy names it" if named else ""
    if isinstance(named, Own):
        chosen = Chosen(name=named.name, because=because, own=named)
        return Plan(comparator="" if named.judged else "exact", chosen=(chosen,), because=because)
    name, _, option = named.partition(":")
    if name and name not in COMPARATORS:
        return named_plan(plugin(name))
    if name in ("", "sequence"):
        return Plan(because=because)
    if name == "words":
        return Plan(comparator="text", chosen=(Chosen(name=name, because=because),), because=because)
    if name not in FIELDS:
        return Plan(comparator=name, because=because)
    structure = "number" if name == "number" else "exact" if name in EXACTING else ""
    return Plan(comparator=structure, chosen=(Chosen(name=name, because=because, option=option),), because=because)


def suggested_plan(
    name: str, kind: str, schema: Mapping[str, Any], *, siblings: Mapping[str, Any], moment: bool, tool: str
) -> Plan:
    """What a place's type, format, name and description suggest."""
    if kind in ("integer", "number"):
        because = f"its type is {kind!r}"
        return Plan(comparator="number", chosen=(Chosen(name="number", because=because),), because=because)
    if kind == "array":
        if naming.names_set(name, schema, siblings):
            return Plan(comparator="set", because="the order of its items cannot matter")
        return Plan(because="its items are in order")
    if kind not in ("string", "") or schema.get("enum"):
        return Plan(because="its values are enumerated" if schema.get("enum") else f"its type is {kind!r}")
    if moment:
        because = "it holds dates or times"
        return Plan(chosen=(Chosen(name="date", because=because),), because=because)
    return _text_plan(name, schema, tool)


def _text_plan(name: str, schema: Mapping[str, Any], tool: str) -> Plan:
    format_ = schema.get("format")
    chosen = suggested(
        name=name,
        description=naming.described(schema),
        format_=format_ if isinstance(format_, str) else "",
        tool=tool,
    )
    if chosen and chosen[0].name not in EXACTING:
        return Plan(chosen=chosen, because=chosen[0].because)
    if chosen:
        return Plan(comparator="exact", chosen=chosen, because=chosen[0].because)
    if naming.names_identity(name, schema):
        return Plan(comparator="exact", because="its values name one thing each")
    if naming.names_code(name, schema):
        return Plan(comparator="exact", because="a machine reads every character of it")
    return Plan(
        because="nothing says more than that it is a text" if schema.get("type") else "the schema gives no type"
    )
