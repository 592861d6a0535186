"""OpenTelemetry with its real SDK in memory, LangSmith with a client that notes; nothing of the caller's leaves."""

from __future__ import annotations

import json
import logging
import sys
import threading
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guardrail import Decision, DecisionType, Guard, Policy, Route, Sample, ToolCall
from guardrail.engine import permit
from guardrail.errors import MissingExtra
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.telemetry import LangSmithObserver, OpenTelemetryObserver, log_observer
from guardrail.types import Turn
from tests.engine.steps import GOOD, OTHER, in_order, pay, read, sample, step

pytest.importorskip("opentelemetry.sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

SPLIT = [GOOD, OTHER] * 10
POLICY = Policy.parse(
    {"default": {"tier": "high"}, "tiers": {"high": {"max_retries": 0, "signals": ["agreement", "semantic_entropy"]}}}
)


class Otel:
    """An observer and what its SDK holds."""

    def __init__(self) -> None:
        self._spans, self._reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._spans))
        meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.observer = OpenTelemetryObserver(tracer_provider=self.tracers, meter_provider=meters)

    def spans(self, name: str = "") -> list[Any]:
        return [span for span in self._spans.get_finished_spans() if name in ("", span.name)]

    def points(self) -> dict[str, list[Any]]:
        data = self._reader.get_metrics_data()
        return {
            metric.name: list(metric.data.data_points)
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def text(self) -> str:
        metrics = [dict(point.attributes) for points in self.points().values() for point in points]
        return json.dumps([[span.name, span.to_json()] for span in self.spans()]) + json.dumps(metrics)


class Client:
    def __init__(self, *, gate: threading.Event | None = None, error: Exception | None = None) -> None:
        self.feedback: list[dict[str, Any]] = []
        self._gate, self._error = gate, error

    def create_feedback(self, **said: Any) -> None:
        if self._gate is not None:
            self._gate.wait(10)
        self.feedback.append(said)
        if self._error is not None:
            raise self._error


def guard(drawn: list[Any], *observers: Any) -> Guard:
    return Guard(
        POLICY, ScriptedSampler(in_order(drawn)), MemoryStore(), observers=observers, draw=lambda: 1.0, curtail=False
    )


def test_a_step_is_a_span_under_the_current_one() -> None:
    otel = Otel()
    with otel.tracers.get_tracer("agent").start_as_current_span("agent") as agent:
        verdict = guard(SPLIT, otel.observer).assess(step(pay(10), model="small"))
    (span,) = otel.spans("guardrail.assess")
    assert span.parent.span_id == agent.get_span_context().span_id
    one = verdict.verdicts[0]
    entropy, agreement = one.signal("semantic_entropy"), one.signal("agreement")
    assert entropy is not None
    assert agreement is not None
    assert dict(span.attributes) == {
        "gen_ai.conversation.id": "t1",
        "gen_ai.operation.name": "apply_guardrail",
        "gen_ai.request.model": "small",
        "gen_ai.tool.name": "pay",
        "gen_ai.usage.input_tokens": verdict.usage.prompt_tokens,
        "gen_ai.usage.output_tokens": verdict.usage.completion_tokens,
        "guardrail.record_id": verdict.record_id,
        "guardrail.route": "review",
        "guardrail.tier": "high",
        "guardrail.reason": one.reason.value,
        "guardrail.agreement": agreement.value,
        "guardrail.semantic_entropy": entropy.value,
        "guardrail.samples": verdict.drawn,
        "guardrail.samples.invalid": 0,
        "guardrail.calls": 1,
        "guardrail.review_id": one.review_id,
    }
    assert span.end_time - span.start_time == int(verdict.seconds * 1_000_000_000)


def test_each_call_is_a_child() -> None:
    otel = Otel()
    verdict = guard(SPLIT, otel.observer).assess(step(pay(10), read("x")))
    (parent,), children = otel.spans("guardrail.assess"), otel.spans("guardrail.verdict")
    assert [child.attributes["gen_ai.tool.name"] for child in children] == ["pay", "read"]
    assert {child.parent.span_id for child in children} == {parent.context.span_id}
    assert [child.attributes["guardrail.route"] for child in children] == [one.route.value for one in verdict.verdicts]
    assert "gen_ai.tool.name" not in parent.attributes


def test_verdicts_samples_tokens_and_seconds_are_counted() -> None:
    otel = Otel()
    guarded = guard(SPLIT, otel.observer)
    one = step(pay(10), model="small")
    verdict = guarded.assess(one)
    guarded.assess(one)
    review_id = verdict.verdicts[0].review_id
    guarded.queue.decide(review_id, Decision(type=DecisionType.APPROVE, by="ann", at="2026-01-01T00:00:00+00:00"))
    for _ in range(2):
        permit(guarded.store, guarded.queue, record_id=verdict.record_id, thread_id="t1", call=pay(10))
    points = otel.points()
    counted = {
        name: [(point.value, dict(point.attributes)) for point in found]
        for name, found in points.items()
        if hasattr(found[0], "value")
    }
    assert counted == {
        "guardrail.verdicts": [(1, {"guardrail.route": "review", "guardrail.tier": "high", "gen_ai.tool.name": "pay"})],
        "guardrail.reviewed": [(1, {"guardrail.decision": "approve", "guardrail.tier": "high"})],
        "guardrail.permitted": [(1, {"guardrail.by_person": True})],
        "guardrail.refused": [(1, {})],
    }
    sums = {
        (name, point.attributes.get("gen_ai.token.type")): point.sum
        for name, found in points.items()
        for point in found
        if hasattr(point, "sum")
    }
    assert sums == {
        ("guardrail.samples", None): verdict.drawn,
        ("guardrail.seconds", None): verdict.seconds,
        ("guardrail.tokens", "input"): verdict.usage.prompt_tokens,
        ("guardrail.tokens", "output"): verdict.usage.completion_tokens,
    }


def test_without_the_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(MissingExtra, match=r"guardrail-middleware\[otel\]"):
        OpenTelemetryObserver()


# LangSmith


def test_a_run_gets_entropy_agreement_and_verdict() -> None:
    client, run = Client(), uuid4()
    with LangSmithObserver(client, run_id=lambda _step: str(run)) as observer:
        verdict = guard(SPLIT, observer).assess(step(pay(10)))
    entropy = verdict.verdicts[0].signal("semantic_entropy")
    assert entropy is not None
    said = {one["key"]: one.get("score", one.get("value")) for one in client.feedback}
    assert said["guardrail.verdict"] == "review"
    assert said["guardrail.semantic_entropy"] == entropy.value
    assert said["guardrail.agreement"] == 0.5
    assert {one["run_id"] for one in client.feedback} == {run}
    assert len({one["feedback_id"] for one in client.feedback}) == 3


def test_the_same_step_is_the_same_feedback() -> None:
    client, run = Client(), uuid4()
    with LangSmithObserver(client, run_id=lambda _step: run) as observer:
        for _ in range(2):
            guard(SPLIT, observer).assess(step(pay(10)))
    ids = [one["feedback_id"] for one in client.feedback]
    assert len(ids) == 2 * len(set(ids))


def test_a_run_that_nobody_knows_gets_nothing() -> None:
    client = Client()
    with LangSmithObserver(client) as observer:
        guard(SPLIT, observer).assess(step(pay(10)))
    assert client.feedback == []


def test_the_traced_run_is_found() -> None:
    langsmith = pytest.importorskip("langsmith")
    client = Client()
    nowhere = langsmith.Client(api_url="http://127.0.0.1:9", api_key="none", auto_batch_tracing=False)
    with langsmith.tracing_context(enabled="local", client=nowhere), LangSmithObserver(client) as observer:

        @langsmith.traceable
        def plan() -> UUID | None:
            guard(SPLIT, observer).assess(step(pay(10)))
            run = langsmith.get_current_run_tree()
            return None if run is None else run.id

        run_id = plan()
    assert run_id is not None
    assert {one["run_id"] for one in client.feedback} == {run_id}


def test_the_agent_does_not_wait_and_what_does_not_fit_is_dropped(caplog: pytest.LogCaptureFixture) -> None:
    gate = threading.Event()
    client = Client(gate=gate)
    observer = LangSmithObserver(client, run_id=lambda _step: uuid4(), most=2)
    for number in range(5):
        guard(SPLIT, observer).assess(step(pay(10), id=f"m{number}"))
    assert client.feedback == []
    assert "dropped" in caplog.text
    assert not observer.close(0.01)
    gate.set()
    assert observer.close()
    assert 2 <= len(client.feedback) <= 3


def test_feedback_that_fails_is_logged_without_its_words(caplog: pytest.LogCaptureFixture) -> None:
    client = Client(error=RuntimeError("said by the server"))
    with LangSmithObserver(client, run_id=lambda _step: uuid4()) as observer:
        assert guard(SPLIT, observer).assess(step(pay(10))).route is Route.REVIEW
    assert len(client.feedback) >= 2
    assert "RuntimeError" in caplog.text
    assert "said by the server" not in caplog.text


# nothing of the caller's leaves

SECRET = "zq7-secret-"
hostile = st.text(max_size=20).map(lambda text: f"{SECRET}{text}")


class Lines(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(json.dumps([record.getMessage(), vars(record).get("guardrail")]))


@settings(max_examples=40, deadline=None)
@given(memo=hostile, other=hostile, said=hostile, made_up=hostile, identity=hostile, drawn=st.integers(0, 20))
def test_no_text_of_arguments_or_conversation_is_in_anything_that_leaves(
    memo: str, other: str, said: str, made_up: str, identity: str, drawn: int
) -> None:
    otel, client, lines = Otel(), Client(), Lines()
    logger = logging.Logger("apart")  # noqa: LOG001 - not the tree's, each example has its own
    logger.addHandler(lines)
    calls = (pay(10, memo=memo, identity=identity), ToolCall(name=made_up, arguments={other: memo}, id="c2"))
    planned = step(*calls, conversation=(Turn(role="user", text=said),), request=said)
    samples = [sample(*calls)] * drawn + [Sample(calls=(pay(10, memo=other),), text=said)] * (20 - drawn)
    with LangSmithObserver(client, run_id=lambda _step: uuid4()) as langsmith:
        guarded = guard(samples, otel.observer, langsmith, log_observer(logger))
        verdict = guarded.assess(planned)
        for one in verdict.verdicts:
            if one.route is Route.REVIEW:
                no = Decision(type=DecisionType.REJECT, by=said, at="2026-01-01T00:00:00+00:00", message=said)
                guarded.queue.decide(one.review_id, no)
        for call in calls:
            permit(guarded.store, guarded.queue, record_id=verdict.record_id, thread_id="t1", call=call)
    assert len(lines.lines) >= 2
    assert otel.spans("guardrail.assess")
    assert client.feedback
    left = "".join(lines.lines) + otel.text() + repr(client.feedback)
    assert SECRET not in left
    assert "_OTHER" in left
