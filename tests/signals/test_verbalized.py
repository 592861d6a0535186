"""A stated confidence is a number on the last line, on a scale that it names, or it is missing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.signals import Evidence, Registry
from guardrail.types import Reply, Sample, SampleStatus, Signal, ToolCall

PLAN = Sample(calls=(ToolCall(name="pay", arguments={"memo": "confidence: 100"}),))


def measured(name: str, *replies: Reply) -> Signal:
    (signal,) = Registry().measure([name], Evidence(planned=PLAN, index=0, replies={name: replies}))
    return signal


def stated(text: str) -> Signal:
    return measured("verbalized_confidence", Reply(text=text))


def among(text: str) -> Signal:
    return measured("verbalized_top_k", Reply(text=text))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("The amount is not given.\nConfidence: 35%", 0.35),
        ("Nothing.\n\nConfidence: 100%\n\n", 1.0),
        ("Confidence: 0%", 0.0),
        ("Confidence: 0", 0.0),
        ("Confidence: 1%", 0.01),
        ("Confidence: 0.5 %", 0.005),
        ("Confidence: 0.85", 0.85),
        ("confidence: 85", 0.85),
        ("CONFIDENCE = 85 percent.", 0.85),
        ("Confidence: 85/100", 0.85),
        ("**Confidence:** 72.5%", 0.725),
        ("> **Confidence: 72%**", 0.72),
        ("It says `confidence: 100` in the memo.\nConfidence: 20%", 0.2),
        ("There are 3 accounts, 90 % of them old.\nConfidence: 20%", 0.2),
        ("```\nConfidence: 20%\n```", 0.2),
    ],
)
def test_a_number_on_the_last_line(text: str, value: float) -> None:
    found = stated(text)
    assert found.value == pytest.approx(value)
    assert found.unit == "probability"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no confidence"),
        ("I am quite sure.", "no confidence"),
        ("85%", "no confidence"),
        ('The memo says "confidence: 100".', "no confidence"),
        ("My confidence: 90%", "no confidence"),
        ("Confidence: 10", "which scale"),
        ("Confidence: 1", "which scale"),
        ("Confidence: 1.0", "which scale"),
        ("Confidence: 9.5", "which scale"),
        ("Confidence: 8/10", "not one number"),
        ("Confidence: 1000%", "no probability"),
        ("Confidence: 101", "no probability"),
        ("Confidence: -5%", "no probability"),
        ("Confidence: +5%", "no probability"),
        ("Confidence: high", "not one number"),
        ("Confidence: 80-90%", "not one number"),
        ("Confidence: 80% or 90%", "not one number"),
        ("Confidence: 85,5%", "not one number"),
        ("Confidence: 1e2%", "not one number"),
        ("Confidence: nan", "not one number"),
        ("Confidence: N%", "not one number"),
        ("Confidence: ٨٥%", "not one number"),
        ("Confidence:", "not one number"),
        ("confidence: 100\nConfidence: 20%", "2 confidences"),
        ("Confidence: 20%\nConfidence: 20%", "2 confidences"),
        ("Confidence: 90%\nBut the amount is wrong.", "does not end"),
    ],
)
def test_what_is_no_confidence_is_missing(text: str, why: str) -> None:
    found = stated(text)
    assert found.value is None
    assert why in (found.missing or "")


@given(st.text())
def test_no_text_passes_for_a_number_by_accident(text: str) -> None:
    found = stated(text)
    assert found.value is None or text.lower().count("confidence") == 1


@given(st.text(alphabet="confidence: 10%\nP1"), st.integers(0, 100))
def test_reasons_never_raise_what_is_stated(reasons: str, percent: int) -> None:
    assert stated(f"{reasons}\nConfidence: {percent}%").value in (None, percent / 100)


@pytest.mark.parametrize("name", ["verbalized_confidence", "verbalized_top_k"])
@pytest.mark.parametrize("status", [status for status in SampleStatus if status is not SampleStatus.OK])
def test_a_reply_that_is_no_evidence_is_missing(name: str, status: SampleStatus) -> None:
    found = measured(name, Reply(text="Confidence: 90%\nP1: 90%\nP2: 1%", status=status, detail="gone"))
    assert found.value is None
    assert "gone" in (found.missing or "")


@pytest.mark.parametrize("name", ["verbalized_confidence", "verbalized_top_k"])
def test_too_many_replies_are_none(name: str) -> None:
    reply = Reply(text="Confidence: 90%")
    assert "2 replies" in (measured(name, reply, reply).missing or "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2: pay 6\n3: ask first\nP1: 60%\nP2: 30%\nP3: 10%", 0.6),
        ("Guess 2: pay {'memo': 'P1: 100%'}\n\nP1: 20%\n\nP2: 80%\n", 0.2),
        ("**P1:** 0.5\n**P2:** 0.25", 0.5),
        ("P1: 0%\nP2: 0%", 0.0),
        # together more than 1: scaled down
        ("P1: 90%\nP2: 90%", 0.5),
    ],
)
def test_the_planned_call_is_guess_1(text: str, value: float) -> None:
    assert among(text).value == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "0 probabilities"),
        ("Confidence: 90%", "0 probabilities"),
        ("P1: 90%", "1 probabilities"),
        ("P1: 90%\nP2: 1%\nP3: 1%\nP4: 1%\nP5: 1%", "5 probabilities"),
        ("P2: 90%\nP1: 10%", "numbered"),
        ("P1: 90%\nP3: 10%", "numbered"),
        ("P1: 100%\nP1: 20%\nP2: 80%", "numbered"),
        ("P1: 90%\nP2: high", "not one number"),
        ("P1: 5\nP2: 20%", "which scale"),
        ("P1: 500%\nP2: 20%", "no probability"),
        ("P1: 90%\nP2: 10%\nor so", "does not end"),
        ("P1: 90%\nperhaps\nP2: 10%", "does not end"),
    ],
)
def test_guesses_that_cannot_be_read_are_missing(text: str, why: str) -> None:
    found = among(text)
    assert found.value is None
    assert why in (found.missing or "")


@given(st.lists(st.integers(0, 100), min_size=2, max_size=4))
def test_other_guesses_never_raise_the_planned_one(percents: list[int]) -> None:
    value = among("\n".join(f"P{number}: {percent}%" for number, percent in enumerate(percents, start=1))).value
    assert value is not None
    assert value <= percents[0] / 100
    assert value == pytest.approx(percents[0] / max(100, sum(percents)))
