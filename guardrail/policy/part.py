"""What all parts of a policy file have in common, and the kinds of value that several of them hold."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from guardrail import catalogue
from guardrail.policy.defaults import MAX_SAMPLES
from guardrail.policy.problems import unknown

FRACTION: Final = r"^(\d{1,3})\s*/\s*([1-9]\d{0,2})$"

Unset = SkipJsonSchema[None]
"""Marks a key that may be left out, but not be given without a value."""


class Part(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, use_attribute_docstrings=True)
    nullable: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _no_empty_values(cls, data: Any) -> Any:
        """A key without a value is a slip: ``when:`` with its conditions lost would match every call."""
        for key, value in data.items() if isinstance(data, dict) else ():
            if value is None and key in cls.model_fields and key not in cls.nullable:
                raise ValueError(f"'{key}' has no value; give it one or remove it")
        return data


def fraction(value: object, what: str) -> object:
    """A number, or a fraction such as 2/3, which no decimal number is."""
    found = re.match(FRACTION, value) if isinstance(value, str) else None
    if found:
        return float(Fraction(int(found[1]), int(found[2])))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be {what} such as 0.8 or 4/5, not {value!r}")  # noqa: TRY004  pydantic reports ValueError only
    return value


def _signal(value: object) -> str:
    if isinstance(value, str) and catalogue.info(value) is not None:
        return value
    raise ValueError(unknown("signal", value, (*catalogue.names(), catalogue.RISK.name)))


SignalName = Annotated[
    str,
    BeforeValidator(_signal),
    WithJsonSchema({"type": "string", "examples": [*catalogue.BUILT_IN, catalogue.RISK.name]}),
]
Samples = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 2, "maximum": MAX_SAMPLES})]
Share = Annotated[
    float,
    BeforeValidator(lambda value: fraction(value, "a share")),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "string", "pattern": FRACTION}]}
    ),
]
Bound = Annotated[
    float,
    BeforeValidator(lambda value: fraction(value, "a number")),
    WithJsonSchema({"anyOf": [{"type": "number"}, {"type": "string", "pattern": FRACTION}]}),
]
Probability = Annotated[float, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Nats = Annotated[float, WithJsonSchema({"type": "number", "maximum": 0})]
Positive = Annotated[float, WithJsonSchema({"type": "number", "exclusiveMinimum": 0})]
