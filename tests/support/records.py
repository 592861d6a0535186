"""Records and reviews to keep, list and decide on in tests."""

from __future__ import annotations

from typing import Any

from guardrail.types import (
    Cluster,
    DecisionType,
    Label,
    LabelSource,
    MeaningKind,
    Reason,
    Record,
    Review,
    Route,
    Sample,
    Signal,
    StepVerdict,
    Tier,
    ToolCall,
    ToolSpec,
    Usage,
    Verdict,
)

REFUND = ToolSpec(
    name="refund",
    description="Refund an order.",
    parameters={
        "type": "object",
        "properties": {
            "order_id": {"type": "string"},
            "amount": {"type": "number", "minimum": 0},
            "note": {"type": "string"},
        },
        "required": ["order_id", "amount"],
    },
)


def refund(amount: float = 100, **more: Any) -> ToolCall:
    return ToolCall(name="refund", arguments={"order_id": "A-7", "amount": amount, **more}, id="call_1")


def record(
    identity: str = "rec-000001",
    *,
    at: str = "2026-01-02T03:04:05+00:00",
    thread_id: str = "thread-1",
    call: ToolCall | None = None,
    review_id: str = "",
    tools: tuple[ToolSpec, ...] = (REFUND,),
    labels: tuple[Label, ...] = (),
    text: str = "",
) -> Record:
    """A step with one planned refund, of whose five samples four agree; reviewed where a review id is given."""
    call = call or refund()
    other = refund(1000)
    route = Route.REVIEW if review_id else Route.EXECUTE
    verdict = Verdict(
        call=call,
        tier=Tier.HIGH if review_id else Tier.MEDIUM,
        route=route,
        reason=Reason.DISAGREED if review_id else Reason.AGREED,
        why="4 of 5 samples plan the same call, 5 were needed" if review_id else "4 of 5 samples plan the same call",
        rule="refund",
        asked=5,
        needed=5 if review_id else 4,
        agreeing=4,
        disagreeing=1,
        threshold=0.8,
        clusters=(
            Cluster(kind=MeaningKind.CALL, members=(0, 1, 2, 4), call=call, planned=True),
            Cluster(kind=MeaningKind.CALL, members=(3,), call=other, differs=("amount",)),
        ),
        signals=(
            Signal(name="agreement", value=0.8),
            Signal(name="semantic_entropy", value=0.5004, unit="nats"),
            Signal(name="logprob_min", missing="the provider gave no log-probabilities"),
        ),
        review_id=review_id,
    )
    samples = tuple(Sample(calls=(other if index == 3 else call,), finish_reason="tool_calls") for index in range(5))
    return Record(
        id=identity,
        at=at,
        thread_id=thread_id,
        namespace="",
        step_id=f"step of {identity}",
        attempt=0,
        model="gpt-test",
        request_digest="d1",
        planned=Sample(calls=(call,), text=text),
        samples=samples,
        verdict=StepVerdict(
            record_id=identity,
            step_id=f"step of {identity}",
            route=route,
            verdicts=(verdict,),
            asked=5,
            drawn=5,
            entailment="exact",
            usage=Usage(requests=1, prompt_tokens=120, completion_tokens=90, seconds=1.5),
            seconds=1.75,
        ),
        fingerprint={"model": "gpt-test", "n": "5"},
        tools=tools,
        labels=labels,
    )


def review(
    identity: str = "rev-000001",
    *,
    record_id: str = "rec-000001",
    at: str = "2026-01-02T03:04:06+00:00",
    thread_id: str = "thread-1",
    call: ToolCall | None = None,
    decisions: tuple[DecisionType, ...] = tuple(DecisionType),
) -> Review:
    return Review(
        id=identity,
        record_id=record_id,
        thread_id=thread_id,
        namespace="",
        step_id=f"step of {record_id}",
        call=call or refund(),
        digest="digest of the call",
        tier=Tier.HIGH,
        why="4 of 5 samples plan the same call, 5 were needed",
        at=at,
        decisions=decisions,
    )


def label(*, correct: bool = True, note: str = "") -> Label:
    return Label(
        call_id="call_1",
        correct=correct,
        source=LabelSource.AUDIT,
        by="ana",
        at="2026-01-03T00:00:00+00:00",
        note=note,
    )
