"""Observers hear the same through every door, and their spans are part of the agent's trace."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail.engine import Permit
from guardrail.telemetry import OpenTelemetryObserver
from tests.adapters.conftest import EACH, Opens
from tests.adapters.script import agreeing, plan
from tests.adapters.tools import rules

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

PAY = plan("pay", amount=100, to="bob")


class Noting:
    """What is told, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, Any]] = []

    def assessed(self, _step: Any, verdict: Any, _record_id: str) -> None:
        self.told.append(("assessed", verdict.route.value))

    def permitted(self, _record_id: str, permit: Permit) -> None:
        self.told.append(("permitted", permit.review is not None))

    def refused(self, _record_id: str, _refusal: Any) -> None:
        self.told.append(("refused", None))

    def reviewed(self, review: Any) -> None:
        self.told.append(("reviewed", review.decision.type.value))


class Spans:
    """The SDK, in memory."""

    def __init__(self) -> None:
        self._kept = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._kept))
        self.observer = OpenTelemetryObserver(tracer_provider=self.tracers)

    def named(self, name: str) -> list[Any]:
        return [span for span in self._kept.get_finished_spans() if span.name == name]


@pytest.mark.parametrize(("door", "way"), EACH)
async def test_a_step_is_a_span_of_the_agents_trace(opens: Opens) -> None:
    spans = Spans()
    with spans.tracers.get_tracer("agent").start_as_current_span("agent") as agent:
        conversation = await opens(agreeing(PAY), policy=rules("high"), options={"observers": (spans.observer,)})
        await conversation.go()
    assert conversation.ran == [("pay", {"amount": 100, "to": "bob"})]
    (step,), (call,) = spans.named("guardrail.assess"), spans.named("guardrail.verdict")
    assert step.parent.span_id == agent.get_span_context().span_id
    assert call.parent.span_id == step.context.span_id
    (record,) = conversation.records
    assert step.attributes["guardrail.record_id"] == record.id
    assert step.attributes["guardrail.samples"] == record.verdict.drawn
    assert step.attributes["gen_ai.conversation.id"] == conversation.setting.thread_id


@pytest.mark.parametrize(("door", "way"), EACH)
async def test_a_verdict_and_a_permit_are_told_once(opens: Opens) -> None:
    noting = Noting()
    conversation = await opens(agreeing(PAY), policy=rules("high"), options={"observers": (noting,)})
    await conversation.go()
    assert noting.told == [("assessed", "execute"), ("permitted", False)]


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize(("door", "way"), EACH)
async def test_a_decision_elsewhere_is_told_once_when_the_guard_sees_it(opens: Opens, decision: str) -> None:
    """It is written by another queue on the same store, as a page, the API or another process does."""
    noting = Noting()
    conversation = await opens(agreeing(PAY), policy=rules("critical"), options={"observers": (noting,)})
    await conversation.go()
    assert noting.told == [("assessed", "review")]
    conversation.decide(decision)
    await conversation.resume()
    told = [("assessed", "review"), ("reviewed", decision), *([("permitted", True)] if decision == "approve" else [])]
    assert noting.told == told
