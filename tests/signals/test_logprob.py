"""Which tokens spell a call's name and values, and when that cannot be told."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.signals import call_logprobs
from guardrail.types import Sample, Token, ToolCall

PAY = ToolCall(name="pay", arguments={"amount": 500, "to": "Ann Lee"})
STRUCTURE, VALUE = -9.0, -0.5


def tokens(*parts: str | tuple[str, float]) -> tuple[Token, ...]:
    """Plain parts are structure; those with a number are what should count."""
    return tuple(
        Token(text=part, logprob=STRUCTURE) if isinstance(part, str) else Token(text=part[0], logprob=part[1])
        for part in parts
    )


def planned(*calls: ToolCall, parts: tuple[Token, ...]) -> Sample:
    return Sample(calls=calls, tokens=parts)


FENCED = tokens(
    "```", "json", "\n", "{\n", '"', "name", '":', ' "', ("pay", -0.1), '",\n', ' "', "arguments", '":', " {",
    '"amount":', (" 5", -0.2), ("00,", -0.3), ' "to": "', ("Ann", -0.4), (' Lee"', -0.6), "}\n", "}", "\n```",
)  # fmt: skip


def test_a_call_in_a_code_fence() -> None:
    found = call_logprobs(planned(PAY, parts=FENCED), 0)
    assert found.missing is None
    assert found.logprobs == (-0.1, -0.2, -0.3, -0.4, -0.6)
    assert found.min == -0.6
    assert found.mean == pytest.approx(-0.32)


def test_arguments_alone_have_values_and_no_name() -> None:
    parts = tokens('{"', "amount", '":', (" 500", -0.2), ', "to": "', ("Ann Lee", -0.4), '"}')
    assert call_logprobs(planned(PAY, parts=parts), 0).logprobs == (-0.2, -0.4)


def test_several_calls_in_tags_each_have_their_own_tokens() -> None:
    other = ToolCall(name="log", arguments={"text": "paid"})
    parts = tokens(
        "<tool_call>\n", '{"name": "', ("pay", -0.1), '", "arguments": {"amount": ', ("500", -0.2), ', "to": "',
        ("Ann Lee", -0.3), '"}}', "\n</tool_call><tool_call>", '{"name": "', ("log", -0.7), '", "arguments": {"text": "',
        ("paid", -0.8), '"}}', "</tool_call>",
    )  # fmt: skip
    step = planned(PAY, other, parts=parts)
    assert call_logprobs(step, 0).logprobs == (-0.1, -0.2, -0.3)
    assert call_logprobs(step, 1).logprobs == (-0.7, -0.8)


def test_several_calls_by_arguments_alone() -> None:
    other = ToolCall(name="log", arguments={"text": "paid"})
    parts = tokens('{"amount":', ("500", -0.2), ',"to":"', ("Ann Lee", -0.3), '"}', '{"text":"', ("paid", -0.8), '"}')
    step = planned(PAY, other, parts=parts)
    assert call_logprobs(step, 1).logprobs == (-0.8,)


@pytest.mark.parametrize(
    "wrap", ["[%s]", '{"tool_calls": [{"type": "function", "function": %s}]}', "{%s}", "Sure {now}: %s"]
)
def test_calls_inside_other_json_and_text(wrap: str) -> None:
    before, after = wrap.split("%s")
    parts = tokens(
        before,
        '{"name": "',
        ("pay", -0.1),
        '", "parameters": {"amount": ',
        ("500", -0.2),
        ', "to": "',
        ("Ann Lee", -0.3),
        '"}}',
        after,
    )
    assert call_logprobs(planned(PAY, parts=parts), 0).logprobs == (-0.1, -0.2, -0.3)


def test_nested_and_empty_values() -> None:
    call = ToolCall(name="f", arguments={"a": {"b": [1, "x"]}, "c": "", "d": [], "e": None, "g": True})
    parts = tokens(
        '{"name": "', ("f", -1), '", "arguments": {"a": {"b": [', ("1", -2), ', "', ("x", -3), '"]}, "c": ', ('""', -4),
        ', "d":', (" []", -5), ', "e": ', ("null", -6), ', "g": ', ("true", -7), "}}",
    )  # fmt: skip
    assert call_logprobs(planned(call, parts=parts), 0).logprobs == (-1, -2, -3, -4, -5, -6, -7)


def test_escapes_are_read_as_json() -> None:
    call = ToolCall(name="f", arguments={"a": 'say "hi" \n é'})
    parts = tokens('{"name":"', ("f", -1), '","arguments":{"a":"', ('say \\"hi', -2), ('\\" \\n \\u00e9', -3), '"}}')
    assert call_logprobs(planned(call, parts=parts), 0).logprobs == (-1, -2, -3)


def test_a_value_that_reads_as_a_call_is_data() -> None:
    call = ToolCall(name="f", arguments={"a": {"name": "pay", "arguments": {"amount": 1}}})
    parts = tokens(
        '{"name":"',
        ("f", -1),
        '","arguments":{"a":{"name":"',
        ("pay", -2),
        '","arguments":{"amount":',
        ("1", -3),
        "}}}}",
    )
    assert call_logprobs(planned(call, parts=parts), 0).logprobs == (-1, -2, -3)


def test_data_that_reads_as_a_planned_call_is_not_taken_for_it() -> None:
    inner = ToolCall(name="g", arguments={"x": 1})
    outer = ToolCall(name="f", arguments={"a": {"name": "g", "arguments": {"x": 1}}})
    nested = (
        '{"name":"',
        ("f", -1),
        '","arguments":{"a":{"name":"',
        ("g", -2),
        '","arguments":{"x":',
        ("1", -3),
        "}}}}",
    )
    parts = tokens(*nested, ' {"name":"', ("g", -4), '","arguments":{"x":', ("1", -5), "}}")
    step = planned(outer, inner, parts=parts)
    assert call_logprobs(step, 0).logprobs == (-1, -2, -3)
    assert call_logprobs(step, 1).logprobs == (-4, -5)


def test_arguments_alone_may_read_as_a_call() -> None:
    call = ToolCall(name="f", arguments={"name": "g", "arguments": {"x": 1}})
    parts = tokens('{"name":"', ("g", -2), '","arguments":{"x":', ("1", -3), "}}")
    assert call_logprobs(planned(call, parts=parts), 0).logprobs == (-2, -3)


def test_a_call_without_arguments_has_its_name() -> None:
    parts = tokens('{"name": "', ("now", -0.1), '", "arguments": {}}')
    assert call_logprobs(planned(ToolCall(name="now", arguments={}), parts=parts), 0).logprobs == (-0.1,)


def test_rounding_above_zero_is_zero() -> None:
    parts = tokens('{"name": "', ("now", 1e-9), '", "arguments": {}}')
    assert call_logprobs(planned(ToolCall(name="now", arguments={}), parts=parts), 0).logprobs == (0.0,)


def text_of(call: ToolCall) -> str:
    return json.dumps({"name": call.name, "arguments": call.arguments})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON here",
        text_of(ToolCall(name="pay", arguments={"amount": 501, "to": "Ann Lee"})),
        text_of(ToolCall(name="pay", arguments={"amount": 500.0, "to": "Ann Lee"})),
        text_of(ToolCall(name="refund", arguments=PAY.arguments)),
        text_of(PAY) + text_of(PAY),
        text_of(PAY)[:-1],
        '{"name": "pay", "name": "pay", "arguments": {"amount": 500, "to": "Ann Lee"}}',
        '{"name": "pay", "arguments": {"amount": 9, "amount": 500, "to": "Ann Lee"}}',
        '{"name": "refund", "arguments": {}} {"amount": 500, "to": "Ann Lee"}',
        "{" * 5000,
        '{"a":' * 5000,
        '{"a": [' * 5000,
        '{"a": "\\x"}',
    ],
)
def test_what_does_not_spell_exactly_the_plan_has_no_number(text: str) -> None:
    found = call_logprobs(planned(PAY, parts=(Token(text=text, logprob=-0.1),)), 0)
    assert found.logprobs == ()
    assert (found.missing or "").startswith("the tokens do not spell the planned calls")


def test_one_call_of_two_missing_has_no_number_for_either() -> None:
    step = planned(PAY, ToolCall(name="log", arguments={}), parts=FENCED)
    assert call_logprobs(step, 0).missing == "the tokens do not spell the planned calls"


@pytest.mark.parametrize("tokens", [None, ()])
def test_no_tokens(tokens: tuple[Token, ...] | None) -> None:
    assert call_logprobs(Sample(calls=(PAY,), tokens=tokens), 0).missing == "the provider gave no log-probabilities"


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 0.5])
def test_one_odd_log_probability_makes_all_missing(odd: float) -> None:
    parts = (*FENCED, Token(text=" ", logprob=odd))
    assert call_logprobs(planned(PAY, parts=parts), 0).missing == "a token's log-probability is not a log-probability"


def test_arguments_alone_without_values() -> None:
    found = call_logprobs(planned(ToolCall(name="now", arguments={}), parts=tokens("{}")), 0)
    assert found.missing == "the call has neither name nor value tokens"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.dictionaries(st.text(min_size=1, max_size=4), VALUES, max_size=3),
    st.booleans(),
    st.integers(1, 7),
    st.sampled_from([None, 2]),
)
def test_every_call_is_found_however_it_is_cut_into_tokens(
    arguments: dict[str, object], ascii_only: bool, size: int, indent: int | None
) -> None:
    call = ToolCall(name="tool", arguments=arguments)
    text = (
        "```json\n"
        + json.dumps({"name": call.name, "arguments": arguments}, ensure_ascii=ascii_only, indent=indent)
        + "\n```"
    )
    cut = tuple(Token(text=text[i : i + size], logprob=-1.0) for i in range(0, len(text), size))
    found = call_logprobs(planned(call, parts=cut), 0)
    assert found.missing is None
    assert 1 <= len(found.logprobs) <= len(cut)
