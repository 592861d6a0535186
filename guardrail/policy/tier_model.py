"""The form of what a tier asks for: samples, stages, and when drawing stops."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import ConfigDict, Field, WithJsonSchema, model_validator

from guardrail.policy.defaults import MAX_RETRIES, MAX_SAMPLES
from guardrail.policy.part import Bound, Nats, Part, Positive, Probability, Samples, Share, SignalName, Unset
from guardrail.policy.reviewing_model import ReviewersPart, TimeoutPart
from guardrail.policy.stages import Op


class BoundPart(Part):
    """How a signal is compared, and with which number."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})
    ge: Bound | Unset = None
    """At least."""
    gt: Bound | Unset = None
    """More than."""
    le: Bound | Unset = None
    """At most."""
    lt: Bound | Unset = None
    """Less than."""

    @model_validator(mode="before")
    @classmethod
    def _one(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError(f"must say how to compare, such as {{ge: {data!r}}}")  # noqa: TRY004  pydantic reports ValueError only
        if set(data) <= set(Op) and len(data) != 1:
            raise ValueError("must have one of 'ge', 'gt', 'le' and 'lt'")
        return data


class StagePart(Part):
    """A stage before the last: the signals it pays for, and what they decide."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["execute"]}, {"required": ["doubt"]}]})
    samples: Samples | Unset = None
    """How many samples are drawn by then, earlier stages included; none if left out."""
    signals: list[SignalName] | Unset = None
    """What is measured here beside the signals of the conditions, such as what the risk model looks at."""
    execute: Annotated[dict[SignalName, BoundPart], Field(min_length=1)] | Unset = None
    """The call runs if all of these hold."""
    doubt: Annotated[dict[SignalName, BoundPart], Field(min_length=1)] | Unset = None
    """The call is planned again or reviewed if one of these holds, and it does not run."""


class StoppingPart(Part):
    """When drawing stops before all N samples are there."""

    rule: Literal["none", "lossless", "bayesian"]
    """Never; when the rest cannot change the route; when it would with a stated probability at most."""
    error: (
        Annotated[float, WithJsonSchema({"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.5})] | Unset
    ) = None
    """For bayesian: how probable it may be that all N samples would have sent a call another way."""
    prior: Annotated[list[Positive], Field(min_length=2, max_length=2)] | Unset = None
    """For bayesian: pseudo-counts of a sample that agrees and of one that does not; 1 and 1 if left out."""

    @model_validator(mode="after")
    def _stated(self) -> StoppingPart:
        if self.rule == "bayesian" and self.error is None:
            raise ValueError("bayesian stopping needs an 'error', such as 0.02")
        return self


class CriticalPart(Part):
    """Critical calls are always reviewed; what is measured is evidence for the human."""

    samples: Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_SAMPLES})] | Unset = None
    """N, how often a planning step is drawn again; 0 for not at all."""
    signals: list[SignalName] | Unset = None
    """What is measured and put on the record."""
    timeout: TimeoutPart | Unset = None
    """How long a review may wait, where its rule does not say."""
    reviewers: ReviewersPart | Unset = None
    """Who decides on a review, where its rule does not say; at least so many people in any case."""


class _SampledPart(Part):
    samples: Samples | Unset = None
    """N, how often a planning step is drawn again."""
    agreement: Share | Unset = None
    """Share of the N samples that must contain the call's meaning, such as 0.8 or 4/5."""
    max_risk: Annotated[float, WithJsonSchema({"type": "number", "minimum": 0, "exclusiveMaximum": 1})] | Unset = None
    """The greatest risk, by the risk model, at which a call runs; without 'agreement' it decides alone."""
    cascade: list[StagePart] | Unset = None
    """Stages before the one with all N samples, cheap to dear."""
    stopping: StoppingPart | Unset = None
    """When drawing stops before all N samples are there; lossless if left out."""
    waves: list[Annotated[int, WithJsonSchema({"type": "integer", "minimum": 1})]] | Unset = None
    """Sizes in which the samples of the last stage are drawn."""
    max_retries: Annotated[int, WithJsonSchema({"type": "integer", "minimum": 0, "maximum": MAX_RETRIES})] | Unset = (
        None
    )
    """How often a step is planned again before a human is asked."""
    audit: Probability | Unset = None
    """Probability that a step is drawn for an audit."""
    signals: list[SignalName] | Unset = None
    """What is measured and put on the record."""
    timeout: TimeoutPart | Unset = None
    """How long a review may wait, where its rule does not say."""
    reviewers: ReviewersPart | Unset = None
    """Who decides on a review, where its rule does not say; at least so many people in any case."""


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


class TiersPart(Part):
    """Settings that replace the defaults, tier by tier."""

    low: LowPart | Unset = None
    medium: TierPart | Unset = None
    high: TierPart | Unset = None
    critical: CriticalPart | Unset = None
