"""What the viewer sees is what is on record, and hostile text stays text."""

import io

import pytest
from langchain_core.messages import AIMessage, ToolMessage
from rich.console import Console

from guardrail.types import (
    Cluster,
    MeaningKind,
    Reason,
    Record,
    Route,
    Sample,
    Signal,
    StepVerdict,
    Tier,
    ToolCall,
    Usage,
    Verdict,
)
from guardrail_langgraph.demo.tally import Tally
from guardrail_langgraph.demo.view import View

HOSTILE = "[red]x[/red]\x1b[2J\x1b]0;t\x07\u202eevil\n[link=http://x]"


@pytest.fixture
def out():
    return io.StringIO()


@pytest.fixture
def view(out):
    return View(Console(file=out, width=100, force_terminal=False, markup=True))


def record(
    *, call, clusters=(), signals=(), drawn=8, route=Route.RETRY, reason=Reason.DISAGREED, why="because", extra=None
):
    verdict = Verdict(
        call=call,
        tier=Tier.HIGH,
        route=route,
        reason=reason,
        why=why,
        asked=drawn,
        needed=drawn,
        agreeing=5,
        disagreeing=3,
        clusters=clusters,
        signals=signals,
    )
    step = StepVerdict(
        record_id="r" * 64,
        step_id="s",
        route=route,
        verdicts=(verdict,),
        asked=drawn,
        drawn=drawn,
        extra=extra or {},
        usage=Usage(requests=1, prompt_tokens=1000, completion_tokens=80, seconds=1.0),
        seconds=1.5,
    )
    return Record(
        id=step.record_id,
        at="2026-01-01T00:00:00+00:00",
        thread_id="t",
        namespace="",
        step_id="s",
        attempt=0,
        model="m",
        request_digest="d",
        planned=Sample(calls=(call,)),
        samples=(),
        verdict=step,
        fingerprint={},
    )


def pay(amount):
    return ToolCall(name="pay", arguments={"amount": amount, "to": "ann"}, id="c1")


MEANINGS = (
    Cluster(kind=MeaningKind.NO_CALL, members=(7,)),
    Cluster(kind=MeaningKind.CALL, members=(5, 6), call=pay(9), differs=("amount",)),
    Cluster(kind=MeaningKind.CALL, members=(0, 1, 2, 3, 4), call=pay(5), planned=True),
)


def test_meanings_are_shown_largest_first_with_bars_in_proportion(view, out):
    view.step(record(call=pay(5), clusters=MEANINGS))
    lines = [line.strip() for line in out.getvalue().splitlines() if "█" in line]
    assert [line.split(None, 1)[1] for line in lines] == ["5  as planned", "2  amount=9", "1  no such call"]
    assert [line.count("█") for line in lines] == [10, 4, 2]


def test_a_planned_call_that_no_sample_makes_is_shown_with_an_empty_bar(view, out):
    lonely = Cluster(kind=MeaningKind.CALL, members=(), call=pay(5), planned=True)
    view.step(record(call=pay(5), clusters=(lonely,)))
    assert "░" * 16 + " 0  as planned" in out.getvalue()


def test_numbers_verdict_and_reason_are_shown(view, out):
    entropy = Signal(name="semantic_entropy", value=0.9, unit="nats")
    view.step(
        record(call=pay(5), clusters=MEANINGS, signals=(entropy,), why="3 plan something else.", extra={"mail": 6})
    )
    text = out.getvalue()
    assert 'plans    pay(amount=5, to="ann")' in text
    assert "high stakes · agreement 5/8 · entropy 0.90 nats · 8 of 8 samples" in text
    assert "retry    3 plan something else." in text
    assert "6 of 8 samples also call mail" in text


def test_a_missing_entropy_is_called_missing(view, out):
    gone = Signal(name="semantic_entropy", missing="no valid sample")
    view.step(record(call=pay(5), signals=(gone,)))
    assert "entropy missing" in out.getvalue()


def test_hostile_text_is_neither_markup_nor_control_characters(view, out):
    call = ToolCall(name=HOSTILE, arguments={HOSTILE: HOSTILE}, id="c1")
    other = Cluster(kind=MeaningKind.OTHER_TOOL, members=(0,), call=call)
    differing = Cluster(kind=MeaningKind.CALL, members=(1,), call=call, differs=(HOSTILE,))
    view.step(record(call=call, clusters=(other, differing), why=HOSTILE, extra={HOSTILE: 2}))
    view.said(AIMessage(HOSTILE))
    view.answered(ToolMessage(HOSTILE, tool_call_id="c1"))
    rejected = {"guardrail": {"outcome": "rejected"}}
    view.answered(ToolMessage(HOSTILE, tool_call_id="c1", additional_kwargs=rejected))
    text = out.getvalue()
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\u202e" not in text
    assert "[red]x[/red]" in text
    assert "\\x1b[2J" in text


def test_an_agent_that_says_nothing_is_told_so(view, out):
    view.said(AIMessage(""))
    assert "agent    (says nothing)" in out.getvalue()


def test_the_summary_counts_calls_routes_tokens_and_says_where_the_record_is(view, out):
    tally = Tally(tasks=1)
    tally.add(record(call=pay(5)))
    tally.add(record(call=pay(5), route=Route.REVIEW))
    tally.decisions["approved"] += 1
    tally.pending.append("f" * 64)
    view.ended(tally, where="sqlite:///here.db", source="m, live", graph="g")
    text = out.getvalue()
    for part in (
        "2 planned in 2 steps of 1 tasks",
        "0 executed, 1 planned again, 1 reviewed (1 approved, 1 pending)",
        "16 drawn in 2 requests",
        "2,000 + 160 for the guard's samples",
        "3.0 guarding",
        "sqlite:///here.db",
        "guardrail resume --graph g",
    ):
        assert part in text, part
