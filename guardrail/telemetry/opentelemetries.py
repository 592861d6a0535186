"""Verdicts as spans and metrics of OpenTelemetry.

Attributes are named as the semantic conventions for generative AI have them, as far as they have one:
https://opentelemetry.io/docs/specs/semconv/gen-ai/ (now https://github.com/open-telemetry/semantic-conventions-genai).
They have no operation for a guard: ``chat`` and ``execute_tool`` are the requests and the tool itself, which whoever
traces these counts, so that its name here is one of its own, as they allow.
"""

from __future__ import annotations

import time
from typing import Any, Final, Self

from guardrail.engine import Permit, Refusal
from guardrail.errors import ConfigError, MissingExtra
from guardrail.telemetry import told
from guardrail.types import PlanningStep, Review, StepVerdict, Verdict
from guardrail.version import __version__

_SCOPE: Final = "guardrail"
_OPERATION: Final = "apply_guardrail"
_NANO: Final = 1_000_000_000
_Attributes = dict[str, str | int | float]


class OpenTelemetryObserver:
    """A span ``guardrail.assess`` for each step, with a child ``guardrail.verdict`` for each call, and metrics.

    Args:
        tracer_provider: by default the program's own.
        meter_provider: by default the program's own.

    Raises:
        MissingExtra: the API of OpenTelemetry is not installed.
    """

    def __init__(self, *, tracer_provider: Any = None, meter_provider: Any = None) -> None:
        try:
            from opentelemetry import metrics, trace
        except ImportError as error:
            raise MissingExtra("OpenTelemetry", "otel") from error
        self._trace = trace
        self._tracer = trace.get_tracer(_SCOPE, __version__, tracer_provider=tracer_provider)
        meter = metrics.get_meter(_SCOPE, __version__, meter_provider=meter_provider)
        self._verdicts = meter.create_counter("guardrail.verdicts", unit="{call}", description="Verdicts on calls")
        self._permits = meter.create_counter("guardrail.permitted", unit="{call}", description="Calls that might run")
        self._refusals = meter.create_counter(
            "guardrail.refused", unit="{call}", description="Calls refused at the end"
        )
        self._reviews = meter.create_counter("guardrail.reviewed", unit="{review}", description="Decisions of people")
        self._samples = meter.create_histogram("guardrail.samples", unit="{sample}", description="Samples of a step")
        self._tokens = meter.create_histogram("guardrail.tokens", unit="{token}", description="Tokens of the samples")
        self._seconds = meter.create_histogram("guardrail.seconds", unit="s", description="Time that a verdict took")

    @classmethod
    def configured(cls, how: str) -> Self:
        """One for a program that configures nothing itself. ``how`` is its command line with somebody who does.

        Raises:
            ConfigError: nobody has said where spans go, so that all would be lost.
        """
        made = cls()
        if type(made._trace.get_tracer_provider()).__module__ == made._trace.__name__:
            raise ConfigError(f"OpenTelemetry is not configured, so that nothing would be sent: run `{how}`")
        return made

    def assessed(self, step: PlanningStep, verdict: StepVerdict, record_id: str) -> None:
        """Spans as long as the assessment took, under the span that is current; counts."""
        end = time.time_ns()
        start = end - int(verdict.seconds * _NANO)
        whole = _step(step, verdict, record_id)
        calls = [_call(step, one) for one in verdict.verdicts]
        if len(calls) == 1:
            whole = {**calls[0], **whole}
        span = self._tracer.start_span("guardrail.assess", start_time=start, attributes=whole)
        inside = self._trace.set_span_in_context(span)
        for call in calls:
            child = self._tracer.start_span("guardrail.verdict", inside, start_time=start, attributes=call)
            child.end(end)
        span.end(end)
        model = {"gen_ai.request.model": told.short(step.model)} if step.model else {}
        for call in calls:
            names = ("guardrail.route", "guardrail.tier", "gen_ai.tool.name")
            self._verdicts.add(1, {name: call[name] for name in names})
        self._samples.record(verdict.drawn, model)
        self._seconds.record(verdict.seconds, model)
        for kind, count in told.tokens(verdict).items():
            self._tokens.record(count, {**model, "gen_ai.token.type": kind})

    def permitted(self, record_id: str, permit: Permit) -> None:  # noqa: ARG002 - an id is no dimension of a counter
        """Count, by whether a person was asked."""
        self._permits.add(1, {"guardrail.by_person": permit.review is not None})

    def refused(self, record_id: str, refusal: Refusal) -> None:  # noqa: ARG002 - as above; words are for the agent
        """Count."""
        self._refusals.add(1)

    def reviewed(self, review: Review) -> None:
        """Count, by what was decided."""
        decision = "" if review.decision is None else review.decision.type.value
        self._reviews.add(1, {"guardrail.decision": decision, "guardrail.tier": review.tier.value})


def _step(step: PlanningStep, verdict: StepVerdict, record_id: str) -> _Attributes:
    found: _Attributes = {
        "gen_ai.operation.name": _OPERATION,
        "guardrail.record_id": record_id,
        "guardrail.route": verdict.route.value,
        "guardrail.samples": verdict.drawn,
        "guardrail.samples.invalid": verdict.invalid,
        "guardrail.calls": len(verdict.verdicts),
    }
    if step.model:
        found["gen_ai.request.model"] = told.short(step.model)
    if step.thread_id:
        found["gen_ai.conversation.id"] = told.short(step.thread_id)
    for kind, count in told.tokens(verdict).items():
        found[f"gen_ai.usage.{kind}_tokens"] = count
    return found


def _call(step: PlanningStep, verdict: Verdict) -> _Attributes:
    found: _Attributes = {
        "gen_ai.operation.name": _OPERATION,
        "gen_ai.tool.name": told.tool_name(step, verdict),
        "guardrail.route": verdict.route.value,
        "guardrail.tier": verdict.tier.value,
        "guardrail.reason": verdict.reason.value,
    }
    numbers = {
        "guardrail.agreement": told.agreement(verdict),
        "guardrail.semantic_entropy": told.entropy(verdict),
    }
    found.update({name: value for name, value in numbers.items() if value is not None})
    if verdict.review_id:
        found["guardrail.review_id"] = verdict.review_id
    return found
