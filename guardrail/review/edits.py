"""Whether arguments that a person wrote fit the tool they are for."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from guardrail.codec import canonical
from guardrail.redaction import holds_mark
from guardrail.review.leniency import lenient, unseen
from guardrail.types import ToolSpec

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

MAX_ARGUMENTS = 1_000_000
"""Characters of JSON that edited arguments may have."""
_OPEN_ENDED = frozenset({"additionalProperties", "patternProperties", "unevaluatedProperties", "$ref"})
_OPEN_ENDED |= {"allOf", "anyOf", "oneOf", "if", "dependentSchemas"}
_SHOWN = 5


def check_arguments(tool: ToolSpec | None, arguments: dict[str, Any], *, hidden: Collection[str] = ()) -> list[str]:
    """What is wrong with the arguments, a phrase each; empty if they fit the tool's JSON Schema.

    At the ``hidden`` places (JSON pointers) stand marks: whatever the schema wants there, they fit.

    Stricter than JSON Schema in one point: where a schema lists its arguments and is silent about others,
    others are unknown. What cannot be checked (no schema, a broken one, one that refers elsewhere) does not fit.
    """
    if tool is None:
        return ["the tool's schema is not known, so they cannot be checked"]
    try:
        size = len(canonical(arguments))
    except (ValueError, TypeError, RecursionError) as error:
        return [f"they are no JSON ({error})"]
    if size > MAX_ARGUMENTS:
        return [f"they have {size} characters of JSON, the limit is {MAX_ARGUMENTS}"]
    try:
        return _violations(tool.parameters, arguments, frozenset(hidden))[:_SHOWN]
    except Exception as error:  # noqa: BLE001 - whatever a schema makes its validator raise, nothing was checked
        return [f"the schema of {tool.name} is broken ({_first_line(error)}), so they cannot be checked"]


def _violations(schema: dict[str, Any], arguments: dict[str, Any], hidden: frozenset[str]) -> list[str]:
    from jsonschema.validators import Draft202012Validator, validator_for
    from referencing import Registry

    kind = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(schema)
    checked = unseen(arguments, hidden) if hidden else arguments
    checker = (lenient(kind) if hidden else kind)(schema, registry=Registry())  # an empty one: no schema fetches a URL
    seen = {name: value for name, value in checked.items() if not holds_mark(name)} if hidden else checked
    return [_phrase(error) for error in checker.iter_errors(seen)] + _unknown(schema, seen)


def _phrase(error: ValidationError) -> str:
    from jsonschema.exceptions import best_match

    deepest = best_match([error]) or error
    place = ".".join(str(part) for part in deepest.absolute_path)
    message = deepest.message[:300] + "…" * (len(deepest.message) > 300)
    return f"{place}: {message}" if place else message


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).splitlines()[0]


def _unknown(schema: dict[str, Any], arguments: dict[str, Any]) -> list[str]:
    if _OPEN_ENDED & schema.keys():
        return []
    known = schema.get("properties", {})
    listed = ", ".join(known) or "none"
    return [f"{name!r} is not an argument of the tool (it has: {listed})" for name in arguments if name not in known]
