"""The form of a policy file, for pydantic: types and keys. What the values mean is checked by the policy."""

from __future__ import annotations

import re
from typing import Annotated, Any, ClassVar, Final, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from guardrail.comparing import NAME
from guardrail.policy.conditions import NAMES
from guardrail.policy.defaults import COMPARATORS, NUMBER_WITHIN, is_comparator
from guardrail.policy.part import Part, Positive, Unset
from guardrail.policy.problems import unknown
from guardrail.policy.reviewing_model import FloodsPart, ReviewersPart, TimeoutPart
from guardrail.policy.tier_model import TiersPart
from guardrail.types import DecisionType, Tier


def _tier(value: object) -> Tier:
    if isinstance(value, str) and value in list(Tier):
        return Tier(value)
    raise ValueError(unknown("tier", value, Tier))


def _decision(value: object) -> DecisionType:
    if isinstance(value, str) and value in list(DecisionType):
        return DecisionType(value)
    raise ValueError(unknown("decision", value, DecisionType))


def _comparator(value: object) -> str:
    if isinstance(value, str) and (is_comparator(value) or re.fullmatch(NAME, value, re.ASCII)):
        return value  # whether somebody has a comparator of that name is looked at with the rule
    raise ValueError(unknown("comparator", value, COMPARATORS))


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
        {
            "anyOf": [{"enum": list(COMPARATORS)}, {"pattern": f"^{NUMBER_WITHIN}$"}, {"pattern": f"^{NAME}$"}],
            "type": "string",
        },
    ),
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


class DefaultPart(Part):
    """What applies to calls that no rule matches."""

    tier: TierName


class AnnotationsPart(Part):
    """Hints of the tool's server (MCP). They are claims, not facts."""

    readOnlyHint: bool | Unset = None  # noqa: N815  MCP's spelling
    destructiveHint: bool | Unset = None  # noqa: N815  MCP's spelling
    idempotentHint: bool | Unset = None  # noqa: N815  MCP's spelling
    openWorldHint: bool | Unset = None  # noqa: N815  MCP's spelling


class RulePart(Part):
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
    """How long a review may wait; as its tier says if left out."""
    reviewers: ReviewersPart | Unset = None
    """Who decides on a review; as its tier says if left out, and never fewer people than that."""
    arguments: dict[str, Comparator] | Unset = None
    """How arguments are compared, by name or dotted path."""


class _NotEmpty(Part):
    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"is empty; set one of {', '.join(type(self).model_fields)}, or remove it")
        return self


class LimitsPart(_NotEmpty):
    """Most that may be spent."""

    tokens: Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1})] | Unset = None
    """Prompt and completion tokens together."""
    seconds: Positive | Unset = None
    """Wall time: of a step since it began, of a thread and a day that of their requests."""
    money: Positive | Unset = None
    """In the currency of 'prices'."""


class BudgetPart(_NotEmpty):
    """What measuring may cost. A call whose measurement would cost more takes its fail-closed route."""

    step: LimitsPart | Unset = None
    """For a planning step."""
    thread: LimitsPart | Unset = None
    """For all steps of a thread."""
    day: LimitsPart | Unset = None
    """For all steps since midnight UTC."""


class PricePart(Part):
    """Money for a million tokens."""

    prompt: Annotated[float, WithJsonSchema({"type": "number", "minimum": 0})]
    completion: Annotated[float, WithJsonSchema({"type": "number", "minimum": 0})]


class RedactionPart(_NotEmpty):
    """What is hidden in store, logs, pages and notifications. What runs stays what it is."""

    secrets: bool = True
    """Whether known shapes of secrets are hidden, and arguments that are named like one."""
    paths: list[Annotated[str, Field(min_length=3)]] | Unset = None
    """Arguments that are hidden: a tool's name, exact unless * is written, a dot and keys with dots between them."""
    sealed: Literal["keep", "drop"] | Unset = None
    """Whether what is hidden of a call under review is kept, encrypted with the key in GUARDRAIL_KEY."""


class PolicyFile(Part):
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
    risk_model: Annotated[str, Field(min_length=1)] | Unset = None
    """File of the risk model, beside this one: for 'calibration', 'max_risk' and conditions on 'risk'."""
    calibration: Annotated[str, Field(min_length=1)] | Unset = None
    """File of the adopted calibration, beside this one: its thresholds decide in place of the tiers' own rules."""
    uncalibrated: Literal["review", "defaults"] | Unset = None
    """Where calls go that no threshold is calibrated for: to a human (if left out), or by the tier's own rule."""
    budget: BudgetPart | Unset = None
    """What measuring may cost, per step, thread and day; no limit if left out."""
    prices: dict[str, PricePart] | Unset = None
    """What models cost, by name; * is every other model. A limit on money needs it."""
    floods: FloodsPart | Unset = None
    """How many reviews one requester may ask for; any number if left out."""
    redaction: RedactionPart | Unset = None
    """What is hidden wherever calls are written down; everything that looks like a secret if left out."""
    tools: list[RulePart] | None = None
    """Ordered rules."""
