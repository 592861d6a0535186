"""The form of what a policy says about people's decisions."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from guardrail.policy.part import Part, Unset
from guardrail.policy.reviewing import MAX_PER_HOUR, MAX_QUORUM

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION: Final = r"^(\d+(\.\d+)?)\s*([smhd])$"


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = re.match(_DURATION, value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"must be a duration such as 90s, 15m, 2h or 1d, not {value!r}")
    return float(found[1]) * _UNITS[found[3]]


Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _DURATION}]}),
]
Count = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1})]


class TimeoutPart(Part):
    """How long a review may wait, and how it then ends."""

    after: Seconds
    then: Literal["reject"] = "reject"
    escalate: Seconds | Unset = None
    """When a review that nobody has decided is marked and comes first, before it ends; never if left out."""
    use: Seconds | Unset = None
    """How long an approval holds: one that is not used by then lets nothing run; until it is used if left out."""


class _OneOf(Part):
    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @model_validator(mode="before")
    @classmethod
    def _something(cls, data: Any) -> Any:
        if data == {}:
            raise ValueError(f"is empty; set one of {', '.join(cls.model_fields)}, or remove it")
        return data


class ReviewersPart(_OneOf):
    """Who decides."""

    roles: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] | Unset = None
    """Roles of which somebody who decides needs one; anybody may if left out."""
    quorum: Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_QUORUM})] | Unset = None
    """How many different people have to approve the same; 1 if left out. One reject is enough."""


class FloodsPart(_OneOf):
    """How many reviews one requester may ask for. What is over it is refused, and does not run."""

    open: Count | Unset = None
    """Waiting at the same time."""
    per_hour: Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1, "maximum": MAX_PER_HOUR})] | Unset = None
    """Within any hour."""
