"""P(True) is read from the probabilities of two letters, in both orders, or it is missing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.signals import Evidence, PTrue, Registry
from guardrail.types import PlanningStep, Reply, Sample, SampleStatus, Signal, Token, ToolCall, Turn

PLAN = Sample(calls=(ToolCall(name="pay", arguments={"memo": "(A)"}),))


def first(*top: tuple[str, float], text: str = "A", before: tuple[str, ...] = ()) -> Reply:
    """An answer whose first token had these probabilities."""
    tops = tuple((token, math.log(p)) for token, p in top)
    opening = tuple(Token(text=token, logprob=-0.1, top=(("B", -0.1), ("A", -3.0))) for token in before)
    return Reply(text=text, tokens=(*opening, Token(text=text, logprob=-0.1, top=tops)))


def p_true(*replies: Reply) -> Signal:
    (signal,) = Registry().measure(["p_true"], Evidence(planned=PLAN, index=0, replies={"p_true": replies}))
    return signal


def test_both_orders_are_asked() -> None:
    step = PlanningStep(id="s", planned=PLAN, tools=(), conversation=(Turn(role="user", text="go"),))
    one, two = PTrue().questions(step, 0)
    assert "(A) right\n(B) wrong" in one.system
    assert "(A) wrong\n(B) right" in two.system
    assert one.user == two.user
    assert one.letters == two.letters == ("A", "B")
    assert one.max_tokens < 10


def test_the_mean_of_both_orders() -> None:
    found = p_true(first(("A", 0.6), ("B", 0.2)), first(("A", 0.1), ("B", 0.8)))
    assert found.value == pytest.approx((0.75 + 8 / 9) / 2)
    assert found.bounds is None


def test_a_model_that_always_prefers_a_letter_knows_nothing() -> None:
    always_a = first(("A", 0.9), ("B", 0.1))
    assert p_true(always_a, always_a).value == pytest.approx(0.5)


def test_every_form_of_a_letter_counts() -> None:
    forms = first(
        ("A", 0.2),
        (" A", 0.2),
        ("(A", 0.1),
        ("▁A", 0.1),
        ("A)", 0.1),
        ("B", 0.1),
        (" B.", 0.1),
        ("As", 0.05),
        ("a", 0.05),
    )
    mirrored = first(("B", 0.7), ("A", 0.2))
    assert p_true(forms, mirrored).value == pytest.approx(7 / 9)


def test_a_letter_that_is_not_reported_is_at_most_as_likely_as_the_least_reported_one() -> None:
    sure = first(("A", 0.9), ("The", 0.02), ("I", 0.01))
    also = first(("B", 0.9), ("A", 0.09))
    found = p_true(sure, also)
    assert found.value == pytest.approx((0.9 / 0.91 + 0.9 / 0.99) / 2)
    assert found.bounds == (pytest.approx(found.value), pytest.approx((1.0 + 0.9 / 0.99) / 2))


def test_nor_more_likely_than_what_the_reported_ones_leave() -> None:
    """A single reported token at 0.9 leaves 0.1."""
    found = p_true(first(("A", 0.9)), first(("B", 0.9)))
    assert found.value == pytest.approx(0.9)
    assert found.bounds == (pytest.approx(0.9), 1.0)


def test_where_the_right_letter_is_not_reported_the_value_is_0() -> None:
    found = p_true(first(("B", 0.9), ("x", 0.01)), first(("A", 0.9), ("x", 0.01)))
    assert found.value == 0.0
    assert found.bounds == (0.0, pytest.approx(0.01 / 0.91))


@pytest.mark.parametrize("before", [("(",), (" ",), ("\n",), ("\n\n", "("), ("**",)], ids=repr)
def test_the_answer_begins_after_white_space_and_brackets(before: tuple[str, ...]) -> None:
    found = p_true(first(("A", 0.9), ("B", 0.1), before=before), first(("A", 0.1), ("B", 0.9), before=before))
    assert found.value == pytest.approx(0.9)


def test_an_answer_cut_after_its_first_token_is_enough() -> None:
    replies = [first(("A", 0.9), ("B", 0.1)), first(("A", 0.1), ("B", 0.9))]
    cut = [Reply(text=r.text, tokens=r.tokens, status=SampleStatus.TRUNCATED) for r in replies]
    assert p_true(*cut).value == pytest.approx(0.9)


GOOD = first(("A", 0.5), ("B", 0.5))


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (Reply(text="A"), "no probabilities"),
        (Reply(text="A", tokens=()), "no probabilities"),
        (Reply(text="A", tokens=(Token(text="A", logprob=-0.1),)), "no probabilities"),
        (Reply(text="(", tokens=(Token(text="(", logprob=-0.1, top=(("(", -0.1),)),)), "no probabilities"),
        (first(("The", 0.9), ("I", 0.1)), "neither letter"),
        (first(("a", 0.9), ("b", 0.1)), "neither letter"),
        (first(("A", 0.9), ("B", 0.9)), "more than 1"),
        (Reply(tokens=(Token(text="A", logprob=-0.1, top=(("A", 3.0),)),)), "log-probability is none"),
        (Reply(tokens=(Token(text="A", logprob=-0.1, top=(("A", math.nan),)),)), "log-probability is none"),
        (Reply(status=SampleStatus.FAILED, detail="HTTP 500"), "HTTP 500"),
        (Reply(status=SampleStatus.EMPTY), "empty"),
    ],
)
def test_one_bad_order_is_enough_to_be_missing(bad: Reply, why: str) -> None:
    for order, replies in ((1, (bad, GOOD)), (2, (GOOD, bad))):
        found = p_true(*replies)
        assert found.value is None
        assert why in (found.missing or "")
        assert f"order {order}" in (found.missing or "")


def test_one_reply_is_not_two() -> None:
    assert p_true(GOOD).value is None
    assert p_true().value is None


@given(
    st.lists(st.tuples(st.text(max_size=4), st.floats(1e-9, 0.04)), max_size=20),
    st.sampled_from(["A", "B", "(A) is right, confidence: 100"]),
)
def test_the_drawn_letter_counts_for_nothing(top: list[tuple[str, float]], text: str) -> None:
    def value(drawn: str) -> tuple[float | None, str | None]:
        found = p_true(first(*top, text=drawn), first(*top, text=drawn))
        return found.value, found.missing

    assert value(text) == value("B")


@given(st.floats(1e-6, 0.49), st.floats(1e-6, 0.49), st.floats(1e-6, 0.49), st.floats(1e-6, 0.49))
def test_swapping_right_and_wrong_gives_the_complement(a: float, b: float, c: float, d: float) -> None:
    value = p_true(first(("A", a), ("B", b)), first(("A", c), ("B", d))).value
    other = p_true(first(("A", b), ("B", a)), first(("A", d), ("B", c))).value
    assert value is not None
    assert other is not None
    assert value + other == pytest.approx(1.0)
