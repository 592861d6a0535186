"""Margin and entropy of the likeliest tokens: the worst place counts, and what is not reported is never taken for sure."""

from __future__ import annotations

import math

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from guardrail.signals import Evidence, Registry
from guardrail.types import Sample, Signal, Token, ToolCall

CALL = ToolCall(name="pay", arguments={"amount": 57})
LN2 = math.log(2)


def likely(**probabilities: float) -> tuple[tuple[str, float], ...]:
    return tuple((text, math.log(p) if p else -math.inf) for text, p in probabilities.items())


SURE = Token(text="pay", logprob=math.log(0.98), top=likely(pay=0.98, send=0.01))


def measured(*digits: Token, name: Token = SURE) -> tuple[Signal, Signal]:
    """Margin and entropy of a call whose amount was written in those tokens."""
    frame = (Token(text='{"name": "', logprob=-3), name, Token(text='", "arguments": {"amount": ', logprob=-3))
    planned = Sample(calls=(CALL,), tokens=(*frame, *digits, Token(text="}}", logprob=-3, top=likely(x=0.9))))
    margin, entropy = Registry().measure(("top_margin", "top_entropy"), Evidence(planned=planned, index=0))
    assert (margin.unit, entropy.unit) == ("nats", "nats")
    return margin, entropy


def token(text: str, p: float, **top: float) -> Token:
    return Token(text=text, logprob=math.log(p), top=likely(**top))


def test_the_least_margin_and_the_greatest_entropy_are_those_of_the_most_doubtful_token() -> None:
    margin, entropy = measured(
        token("5", 0.9, **{"5": 0.9, "4": 0.1}), token("7", 0.5, **{"7": 0.5, "8": 0.25, "9": 0.25})
    )
    assert margin.value == pytest.approx(math.log(0.5 / 0.25))
    assert entropy.value == pytest.approx(1.5 * LN2)


def test_tokens_that_do_not_count_need_no_alternatives() -> None:
    margin, _ = measured(token("57", 0.8, **{"57": 0.8, "58": 0.1}))
    assert margin.value == pytest.approx(math.log(8))


def test_the_order_of_alternatives_does_not_matter() -> None:
    margin, _ = measured(token("57", 0.8, **{"1": 0.02, "57": 0.8, "58": 0.1}))
    assert margin.value == pytest.approx(math.log(8))


@pytest.mark.parametrize("top", [{"58": 0.9, "57": 0.05}, {"58": 0.9, "59": 0.04}, {"58": 0.9}])
def test_where_another_token_was_likelier_the_margin_is_negative(top: dict[str, float]) -> None:
    margin, entropy = measured(token("57", 0.05, **top))
    assert margin.value == pytest.approx(math.log(0.05 / 0.9))
    assert entropy.value is not None


def test_a_tie_has_no_margin() -> None:
    for top in ({"57": 0.4, "58": 0.4}, {"58": 0.4, "57": 0.4}, {"58": 0.4, "59": 0.1}):
        margin, _ = measured(token("57", 0.4, **top))
        assert margin.value == pytest.approx(0)


def test_an_unlikely_token_among_unlikely_ones_is_not_sure() -> None:
    """What is left has 0.9 of the probability, and no token of it has more than 0.05."""
    _, entropy = measured(token("57", 0.05, **{"57": 0.05, "58": 0.05}))
    assert entropy.value == pytest.approx(math.log(20))


def test_a_small_rest_counts_as_one_outcome() -> None:
    _, entropy = measured(token("57", 0.7, **{"57": 0.7, "58": 0.2}))
    assert entropy.value == pytest.approx(-sum(p * math.log(p) for p in (0.7, 0.2, 0.1)))


@pytest.mark.parametrize("rounded", [1e-9, 0.0])
def test_a_certain_token_is_sure(rounded: float) -> None:
    top = (("57", rounded), ("58", -30.0))
    margin, entropy = measured(Token(text="57", logprob=rounded, top=top))
    assert margin.value == pytest.approx(math.log(0.98 / 0.01))  # the name's
    assert entropy.value == pytest.approx(-sum(p * math.log(p) for p in (0.98, 0.01, 0.01)))


def test_an_alternative_without_probability_is_none() -> None:
    impossible = (("57", math.log(0.9)), ("x", -math.inf), ("y", -9999.0), ("z", -3.4e38))
    why = "only one alternative is reported for a token"
    margin, entropy = measured(Token(text="57", logprob=math.log(0.9), top=impossible))
    assert (margin.missing, entropy.missing) == (why, why)
    margin, entropy = measured(Token(text="57", logprob=math.log(0.9), top=(*impossible, ("58", math.log(0.05)))))
    assert margin.value == pytest.approx(math.log(18))
    assert entropy.value == pytest.approx(-sum(p * math.log(p) for p in (0.9, 0.05, 0.05)))


def test_a_part_of_a_character_is_recognised_by_its_probability() -> None:
    shared = Token(text="5", logprob=math.log(0.8), top=likely(**{"\ufffd": 0.8, "6": 0.1}))
    margin, _ = measured(shared, token("7", 0.9, **{"7": 0.9, "8": 0.05}))
    assert margin.value == pytest.approx(math.log(8))


def test_another_token_of_the_same_text_is_another_token() -> None:
    margin, _ = measured(token("57", 0.1, **{"57": 0.8, "58": 0.05}))
    assert margin.value == pytest.approx(math.log(0.1 / 0.8))


@pytest.mark.parametrize(
    ("digits", "why"),
    [
        ([Token(text="57", logprob=-0.1)], "the provider gave no alternatives at 1 of the call's 2 tokens"),
        ([token("57", 0.9, **{"57": 0.9})], "only one alternative is reported for a token"),
        ([token("57", 0.9, **{"57": 0.9, "58": 0.9})], "the alternatives of a token are together likelier than 1: these are no log-probabilities"),
        ([Token(text="57", logprob=-0.1, top=(("57", -0.1), ("58", math.nan)))], "an alternative's log-probability is not a log-probability"),
        ([Token(text="57", logprob=-0.1, top=(("57", -0.1), ("58", 2.0)))], "an alternative's log-probability is not a log-probability"),
        ([Token(text="57", logprob=math.nan, top=likely(**{"57": 0.9, "58": 0.1}))], "a token's log-probability is not a log-probability"),
        ([Token(text="57", logprob=-9999.0, top=likely(**{"58": 0.9, "59": 0.1}))], "a token's log-probability is only said to be below -9999"),
        ([token("58", 0.9, **{"58": 0.9, "57": 0.1})], "the tokens do not spell the planned calls"),
    ],
)  # fmt: skip
def test_what_cannot_be_measured_says_why(digits: list[Token], why: str) -> None:
    margin, entropy = measured(*digits)
    assert (margin.value, entropy.value) == (None, None)
    assert (margin.missing, entropy.missing) == (why, why)


def test_no_alternatives_at_all() -> None:
    margin, entropy = measured(Token(text="57", logprob=-0.1), name=Token(text="pay", logprob=-0.1))
    assert margin.missing == entropy.missing == "the provider gave no alternatives"
    nothing = Registry().measure(("top_margin", "top_entropy"), Evidence(planned=Sample(calls=(CALL,)), index=0))
    assert {signal.missing for signal in nothing} == {"the provider gave no log-probabilities"}


@given(
    st.lists(st.integers(1, 1000), min_size=3, max_size=30),
    st.integers(1, 5),
    st.integers(0, 29),
)
def test_the_entropy_is_a_lower_bound_and_more_alternatives_raise_it(weights: list[int], k: int, written: int) -> None:
    vocabulary = sorted((weight / sum(weights) for weight in weights), reverse=True)
    p = vocabulary[written % len(vocabulary)]
    true = -sum(q * math.log(q) for q in vocabulary)
    certain = Token(text="pay", logprob=0.0, top=(("pay", 0.0), ("x", -50.0)))
    found = []
    for size in (k, k + 1):
        top = {f"t{index}": q for index, q in enumerate(vocabulary[:size])}
        assume(len(top) >= 2 or p != vocabulary[0])
        (own,) = [index for index, q in enumerate(vocabulary) if q == p][:1]
        top = {("57" if index == own else text): q for index, (text, q) in enumerate(top.items())}
        margin, entropy = measured(token("57", p, **top), name=certain)
        assert margin.value == pytest.approx(
            min(50.0, math.log(p / max(q for i, q in enumerate(vocabulary) if i != own)))
        )
        assert entropy.value is not None
        assert entropy.value <= true + 1e-9
        rest = 1 - sum({**top, "57": p}.values())
        assert entropy.value >= -sum(q * math.log(q) for q in (*{**top, "57": p}.values(), rest) if q > 1e-12) - 1e-6
        found.append(entropy.value)
    assert found[0] <= found[1] + 1e-9
