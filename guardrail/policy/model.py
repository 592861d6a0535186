"""The form of a policy file, for pydantic: types and keys. What the values mean is checked by the policy."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Annotated, Any, ClassVar, Final, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema, model_validator
from pydantic.json_schema import SkipJsonSchema

from guardrail import catalogue
from guardrail.policy.conditions import NAMES
from guardrail.policy.defaults import (
    COMPARATORS,
    MAX_RETRIES,
    MAX_SAMPLES,
    NUMBER_WITHIN,
    is_comparator,
)
from guardrail.policy.problems import unknown
from guardrail.types import DecisionType, Tier

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SHARE: Final = r"^(\d{1,3})\s*/\s*([1-9]\d{0,2})$"
_DURATION: Final = r"^(\d+(\.\d+)?)\s*([smhd])$"


def _tier(value: object) -> Tier:
    if isinstance(value, str) and value in list(Tier):
        return Tier(value)
    raise ValueError(unknown("tier", value, Tier))


def _decision(value: object) -> DecisionType:
    if isinstance(value, str) and value in list(DecisionType):
        return DecisionType(value)
    raise ValueError(unknown("decision", value, DecisionType))


def _comparator(value: object) -> str:
    if isinstance(value, str) and is_comparator(value):
        return value
    raise ValueError(unknown("comparator", value, COMPARATORS))


def _signal(value: object) -> str:
    if isinstance(value, str) and catalogue.info(value) is not None:
        return value
    raise ValueError(unknown("signal", value, catalogue.names()))


def _share(value: object) -> object:
    """A number, or a fraction such as 2/3, which no decimal number is."""
    found = re.match(_SHARE, value) if isinstance(value, str) else None
    if found:
        return float(Fraction(int(found[1]), int(found[2])))
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"must be a share such as 0.8 or 4/5, not {value!r}")  # noqa: TRY004  pydantic reports ValueError only
    return value


def _seconds(value: object) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    found = re.match(_DURATION, value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"must be a duration such as 90s, 15m, 2h or 1d, not {value!r}")
    return float(found[1]) * _UNITS[found[3]]


def _listed(value: object) -> object:
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list):
        raise ValueError(f"must be a tool's name, a pattern with *, or a list of them, not {value!r}")  # noqa: TRY004  pydantic reports ValueError only
    return value


def _enum(names: object) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "enum": [str(name) for name in names]})  # type: ignore[attr-defined]


_SCALAR: Final = {"type": ["string", "number", "boolean"]}
_NUMBER: Final = {"type": "number"}
_OPERANDS: Final[dict[str, Any]] = {
    "eq": _SCALAR,
    "ne": _SCALAR,
    "gt": _NUMBER,
    "ge": _NUMBER,
    "lt": _NUMBER,
    "le": _NUMBER,
    "in": {"type": "array", "items": _SCALAR, "minItems": 1},
    "not_in": {"type": "array", "items": _SCALAR, "minItems": 1},
    "matches": {"type": "string", "format": "regex", "description": "The whole text, as a regular expression."},
    "contains": _SCALAR,
    "exists": {"type": "boolean"},
}

TierName = Annotated[Tier, BeforeValidator(_tier), _enum(Tier)]
Decision = Annotated[DecisionType, BeforeValidator(_decision), _enum(DecisionType)]
Comparator = Annotated[
    str,
    BeforeValidator(_comparator),
    WithJsonSchema(
        {"anyOf": [{"enum": list(COMPARATORS)}, {"pattern": f"^{NUMBER_WITHIN}$"}], "type": "string"},
    ),
]
SignalName = Annotated[
    str, BeforeValidator(_signal), WithJsonSchema({"type": "string", "examples": list(catalogue.BUILT_IN)})
]
Share = Annotated[
    float,
    BeforeValidator(_share),
    WithJsonSchema(
        {"anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": 1}, {"type": "string", "pattern": _SHARE}]}
    ),
]
Seconds = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": _DURATION}]}),
]
Names = Annotated[
    list[str],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}),
]
Conditions = Annotated[
    Any,
    WithJsonSchema(
        {
            "type": "object",
            "properties": {name: _OPERANDS[name] for name in NAMES},
            "additionalProperties": False,
            "minProperties": 1,
        }
    ),
]


class _Part(BaseModel):
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


Samples = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 2, "maximum": MAX_SAMPLES})]
Retries = Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_RETRIES})]
Probability = Annotated[float, WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Nats = Annotated[float, WithJsonSchema({"type": "number", "maximum": 0})]
Unset = SkipJsonSchema[None]
"""Marks a key that may be left out, but not be given without a value."""


class CriticalPart(_Part):
    """Critical calls are always reviewed; what is measured is evidence for the human."""

    samples: Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_SAMPLES})] | Unset = None
    """N, how often a planning step is drawn again; 0 for not at all."""
    signals: list[SignalName] | Unset = None
    """What is measured and put on the record."""


class _SampledPart(_Part):
    samples: Samples | Unset = None
    """N, how often a planning step is drawn again."""
    agreement: Share | Unset = None
    """Share of the N samples that must contain the call's meaning, such as 0.8 or 4/5."""
    max_retries: Retries | Unset = None
    """How often a step is planned again before a human is asked."""
    audit: Probability | Unset = None
    """Probability that a step is drawn for an audit."""
    signals: list[SignalName] | Unset = None
    """What is measured and put on the record."""


class TierPart(_SampledPart):
    """What a tier asks for before a call runs."""

    unmeasured: Literal["review"] | Unset = None
    """Where a call goes that could not be measured."""


class LowPart(_SampledPart):
    """What the low tier asks for before a call runs."""

    nullable: ClassVar[frozenset[str]] = frozenset({"logprob"})
    unmeasured: Literal["review", "execute"] | Unset = None
    """Where a call goes that could not be measured."""
    logprob: Nats | None = None
    """A call runs without samples if each of its name and value tokens is so likely (nats); null: never."""


class TiersPart(_Part):
    """Settings that replace the defaults, tier by tier."""

    low: LowPart | Unset = None
    medium: TierPart | Unset = None
    high: TierPart | Unset = None
    critical: CriticalPart | Unset = None


class DefaultPart(_Part):
    """What applies to calls that no rule matches."""

    tier: TierName


class TimeoutPart(_Part):
    """How long a review may wait, and how it then ends."""

    after: Seconds
    then: Literal["reject"] = "reject"


class AnnotationsPart(_Part):
    """Hints of the tool's server (MCP). They are claims, not facts."""

    readOnlyHint: bool | Unset = None  # noqa: N815  MCP's spelling
    destructiveHint: bool | Unset = None  # noqa: N815  MCP's spelling
    idempotentHint: bool | Unset = None  # noqa: N815  MCP's spelling
    openWorldHint: bool | Unset = None  # noqa: N815  MCP's spelling


class RulePart(_Part):
    """One rule. The first that matches a call decides."""

    match: Names
    """Names of tools; only * is a wildcard."""
    tier: TierName
    """Stakes of the calls that it matches."""
    when: dict[str, Conditions] | Unset = None
    """Conditions on arguments, by name or dotted path; all must hold."""
    annotations: AnnotationsPart | Unset = None
    """Annotations that the tool must have."""
    decisions: list[Decision] | Unset = None
    """What a reviewer may answer; everything if left out."""
    timeout: TimeoutPart | Unset = None
    """How long a review may wait."""
    arguments: dict[str, Comparator] | Unset = None
    """How arguments are compared, by name or dotted path."""


class PolicyFile(_Part):
    """A guardrail policy."""

    nullable: ClassVar[frozenset[str]] = frozenset({"tiers", "tools"})
    default: DefaultPart | Unset = None
    """What applies to calls that no rule matches; the high tier if left out."""
    tiers: TiersPart | None = None
    """What each tier asks for, where it differs from the defaults."""
    stated_defaults: bool = True
    """Whether defaults that a tool's description states count as given when calls are compared."""
    judge_fallback: Literal["none", "exact"] = "none"
    """What judges free texts where the judge of language fails: nothing (the call is reviewed), or exact comparison."""
    tools: list[RulePart] | None = None
    """Ordered rules."""
