"""Which tokens spell a call's name and values, and when that cannot be told."""

from __future__ import annotations

import json
import math

import pytest

from guardrail.signals import call_logprobs, json_spans
from guardrail.types import Sample, Token, ToolCall

PAY = ToolCall(name="pay", arguments={"amount": 500, "to": "Ann Lee"})
LOG = ToolCall(name="log", arguments={"text": "paid"})
STRUCTURE = -9.0


def tokens(*parts: str | tuple[str, float]) -> tuple[Token, ...]:
    """Plain parts are structure; those with a number are what should count."""
    return tuple(
        Token(text=part, logprob=STRUCTURE) if isinstance(part, str) else Token(text=part[0], logprob=part[1])
        for part in parts
    )


def counted(*calls: ToolCall, parts: tuple[Token, ...], index: int = 0) -> tuple[float, ...] | str:
    found = call_logprobs(Sample(calls=calls, tokens=parts), index)
    assert (found.missing is None) == bool(found.tokens)
    return found.missing or found.logprobs


FENCED = tokens(
    "```", "json", "\n", "{\n", '"', "name", '":', ' "', ("pay", -0.1), '",\n', ' "', "arguments", '":', " {",
    '"amount":', (" 5", -0.2), ("00", -0.3), ', "to":', (' "', -0.35), ("Ann", -0.4), (' Lee"', -0.6), "}\n", "}", "\n```",
)  # fmt: skip


def test_a_call_in_a_code_fence() -> None:
    found = call_logprobs(Sample(calls=(PAY,), tokens=FENCED), 0)
    assert found.missing is None
    assert found.logprobs == (-0.1, -0.2, -0.3, -0.35, -0.4, -0.6)
    assert found.min == -0.6
    assert found.sum == pytest.approx(-1.95)
    assert found.mean == pytest.approx(-0.325)


def test_the_end_of_a_text_and_the_frame_of_a_list_are_part_of_the_value() -> None:
    call = ToolCall(name="tag", arguments={"as": ["a", "b"], "by": "Ann"})
    parts = tokens(
        '{"name":"', ("tag", -1), '","arguments":{"as":', ("[", -2), ('"a"', -3), (",", -4), ('"b', -5), ('"', -6), ("]", -7),
        ',"by"', ":", ('"Ann', -8), ('",', -0.5), "}}",
    )  # fmt: skip
    assert counted(call, parts=tokens(*(part.text for part in parts[:-2]), '"}}')) == (STRUCTURE,) * 9
    parts = (*parts[:-2], Token(text='"}', logprob=-0.5), Token(text="}", logprob=STRUCTURE))
    assert counted(call, parts=parts) == (-1, -2, -3, -4, -5, -6, -7, -8, -0.5)


def test_arguments_alone_have_values_and_no_name() -> None:
    parts = tokens('{"', "amount", '":', (" 500", -0.2), ', "to": ', ('"Ann Lee"', -0.4), "}")
    assert counted(PAY, parts=parts) == (-0.2, -0.4)


def test_several_calls_each_have_their_own_tokens() -> None:
    parts = tokens(
        "<tool_call>\n", '{"name": "', ("pay", -0.1), '", "arguments": {"amount": ', ("500", -0.2), ', "to": ',
        ('"Ann Lee"', -0.3), "}}", "\n</tool_call><tool_call>", '{"name": "', ("log", -0.7), '", "arguments": {"text": ',
        ('"paid"', -0.8), "}}", "</tool_call>",
    )  # fmt: skip
    assert counted(PAY, LOG, parts=parts, index=0) == (-0.1, -0.2, -0.3)
    assert counted(PAY, LOG, parts=parts, index=1) == (-0.7, -0.8)


def test_several_calls_of_one_tool_are_told_apart_by_their_place() -> None:
    one, other = ('{"name": "', ("log", -0.1), '", "arguments": {"text": ', ('"paid"', -0.2), "}} "), ('{"name": "', ("log", -0.3), '", "arguments": {"text": ', ('"paid"', -0.4), "}}")  # fmt: skip
    parts = tokens(*one, *other)
    assert [counted(LOG, LOG, parts=parts, index=index) for index in (0, 1)] == [(-0.1, -0.2), (-0.3, -0.4)]


def test_several_calls_by_arguments_alone() -> None:
    parts = tokens('{"amount":', ("500", -0.2), ',"to":', ('"Ann Lee"', -0.3), "}", '{"text":', ('"paid"', -0.8), "}")
    assert counted(PAY, LOG, parts=parts, index=1) == (-0.8,)


def test_nested_and_empty_values() -> None:
    call = ToolCall(name="f", arguments={"a": {"b": [1, "x"]}, "c": "", "d": [], "e": None, "g": True})
    parts = tokens(
        '{"name": "', ("f", -1), '", "arguments": {"a":', (' {"b', -2), ('": ', -2.5), ("[1", -3), (', "x"]', -4), ("}", -5), ', "c":',
        (' ""', -6), ', "d":', (" []", -7), ', "e": ', ("null", -8), ', "g": ', ("true", -0.5), "}}",
    )  # fmt: skip
    assert counted(call, parts=parts) == (-1, -2, -2.5, -3, -4, -5, -6, -7, -8, -0.5)


def test_escapes_are_read_as_json() -> None:
    call = ToolCall(name="f", arguments={"a": 'say "hi" \n é \U0001f600', "b": "/"})
    parts = tokens(
        '{"name":"', ("f", -1), '","arguments":{"a":', ('"say \\', -2), ('"hi', -3), ('\\" \\n \\u00', -4), ("e9 \\ud83d\\u", -5),
        ('de00"', -6), ',"b":', ('"\\/"', -7), "}}",
    )  # fmt: skip
    assert counted(call, parts=parts) == (-1, -2, -3, -4, -5, -6, -7)


def test_halves_of_a_surrogate_pair_are_their_character() -> None:
    call = ToolCall(name="f", arguments={"a": "x\U0001f600y\U0001f600", "b": "\ud83d"})
    parts = tokens(
        '{"name":"', ("f", -1), '","arguments":{"a":', ('"x\ud83d', -2), ("\ude00y", -3), ("\ud83d", -4), ("", -4.5), ("\ude00", -5),
        ('"', -6), ',"b":', ('"\ud83d', -7), ('"', -8), "}}",
    )  # fmt: skip
    assert counted(call, parts=parts) == (-1, -2, -3, -4, -4.5, -5, -6, -7, -8)


@pytest.mark.parametrize(
    ("written", "planned", "fits"),
    [
        ("\ufffd\ufffd", "é", True),
        ("\ufffd\ufffd", "\ufffd\ufffd", True),
        ("é\ufffd\ufffdüx", "éßüx", True),
        ("é\ufffd\ufffdüx", "èßüx", False),
        ("é\ufffd\ufffdüx", "éßöx", False),
        ("é\ufffd\ufffdüx", "éüx", False),
        ("é\ufffd\ufffdüx", "éßßßüx", False),
        ("é\ufffd\ufffdüx", "éßüy", False),
        ("\ufffd\ufffd", "e", False),
        ("\ufffd\ufffd", "", False),
        ("é", "è", False),
    ],
)
def test_an_unreadable_part_of_a_text_may_be_what_was_planned_and_no_more(
    written: str, planned: str, fits: bool
) -> None:
    parts = tokens('{"name":"', ("f", -1), '","arguments":{"a":["', written, '", 1]}}')
    found = call_logprobs(Sample(calls=(ToolCall(name="f", arguments={"a": [planned, 1]}),), tokens=parts), 0)
    assert (found.missing is None) is fits
    for other in ([planned], [planned, 2], {"b": planned}, planned):
        call = ToolCall(name="f", arguments={"a": other})
        assert call_logprobs(Sample(calls=(call,), tokens=parts), 0).missing is not None


def test_a_call_of_another_tool_with_an_unreadable_part_is_another_call() -> None:
    parts = tokens('{"name":"', ("g", -1), '","arguments":{"a":', ('"\ufffd\ufffd"', -2), "}}")
    assert counted(ToolCall(name="g", arguments={"a": "é"}), parts=parts) == (-1, -2)
    assert isinstance(counted(ToolCall(name="f", arguments={"a": "é"}), parts=parts), str)


def test_what_is_nested_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    container = json_spans._Reader._container
    monkeypatch.setattr(
        json_spans._Reader, "_container", lambda self, start, depth: read.append(start) or container(self, start, depth)
    )
    text = ('{"a":[' * 30 + "x") * 3
    assert counted(PAY, parts=(Token(text=text, logprob=-0.1),)) == "the tokens do not spell the planned calls"
    assert len(read) == len(set(read)) > 90


@pytest.mark.parametrize(
    "wrap", ["%s", "[%s]", '{"tool_calls": [{"type": "function", "function": %s}]}', "Sure {now}: %s"]
)
def test_calls_inside_other_json_and_text(wrap: str) -> None:
    before, after = wrap.split("%s")
    parts = tokens(
        before, '{"name": "', ("pay", -0.1), '", "parameters": {"amount": ', ("500", -0.2), ', "to": ', ('"Ann Lee"', -0.3),
        "}}", after,
    )  # fmt: skip
    assert counted(PAY, parts=parts) == (-0.1, -0.2, -0.3)


@pytest.mark.parametrize(("left", "right"), [("{", "}"), ("{{", "}}")])
def test_braces_that_a_model_doubled(left: str, right: str) -> None:
    call = ToolCall(name="f", arguments={"a": {"b": {}}, "c": "{{x}}"})
    parts = tokens(
        '{{"name": "', ("f", -0.1), f'", "arguments": {left}"a":', (f"{left}", -0.2), (f'"b": {left}{right}', -0.3), (right, -0.4),
        ', "c": ', ('"{{x}}"', -0.5), f"{right}}}}}",
    )  # fmt: skip
    assert counted(call, parts=parts) == (-0.1, -0.2, -0.3, -0.4, -0.5)


def test_arguments_that_are_json_as_text() -> None:
    call = ToolCall(name="f", arguments={"a": 'x"\U0001f600', "b": [1, 2]})
    parts = tokens(
        '{"name": "', ("f", -1), '", "arguments": "{\\"', "a", '\\": ', ('\\"x\\\\\\', -2), ('"\\ud83d', -3), ("\\ude00\\", -4),
        ('"', -5), ", ", '\\"b', '\\":', (" [1", -6), (", 2]", -7), ' }"', "}",
    )  # fmt: skip
    assert json.loads("".join(part.text for part in parts))["arguments"].startswith('{"a": "x\\"')
    assert counted(call, parts=parts) == (-1, -2, -3, -4, -5, -6, -7)


def test_a_value_that_reads_as_a_call_is_data() -> None:
    inner = {"name": "pay", "arguments": {"amount": 1}}
    call = ToolCall(name="f", arguments={"a": inner})
    parts = tokens('{"name":"', ("f", -1), '","arguments":{"a":', ('{"name":"pay","arguments":{"amount":1}}', -2), "}}")
    assert counted(call, parts=parts) == (-1, -2)


def test_data_that_reads_as_a_planned_call_is_not_taken_for_it() -> None:
    inner = ToolCall(name="g", arguments={"x": 1})
    outer = ToolCall(name="f", arguments={"a": {"name": "g", "arguments": {"x": 1}}})
    nested = ('{"name":"', ("f", -1), '","arguments":{"a":', ('{"name":"g","arguments":{"x":1}}', -2), "}}")
    parts = tokens(*nested, ' {"name":"', ("g", -4), '","arguments":{"x":', ("1", -5), "}}")
    assert counted(outer, inner, parts=parts, index=0) == (-1, -2)
    assert counted(outer, inner, parts=parts, index=1) == (-4, -5)


def test_arguments_alone_may_read_as_a_call() -> None:
    call = ToolCall(name="f", arguments={"name": "g", "arguments": {"x": 1}})
    parts = tokens('{"name":', ('"g"', -2), ',"arguments":', ('{"x":1}', -3), "}")
    assert counted(call, parts=parts) == (-2, -3)


def test_a_call_without_arguments_has_its_name() -> None:
    now = ToolCall(name="now", arguments={})
    assert counted(now, parts=tokens('{"name": "', ("now", -0.1), '", "arguments": {}}')) == (-0.1,)
    assert counted(now, parts=tokens("{}")) == "the call has neither name nor value tokens"


def test_rounding_above_zero_is_zero() -> None:
    parts = tokens('{"name": "', ("now", 1e-9), '", "arguments": {}}')
    assert counted(ToolCall(name="now", arguments={}), parts=parts) == (0.0,)


def text_of(call: ToolCall) -> str:
    return json.dumps({"name": call.name, "arguments": call.arguments})


@pytest.mark.parametrize(
    "text",
    [
        text_of(ToolCall(name="pay", arguments={"amount": 501, "to": "Ann Lee"})),
        text_of(ToolCall(name="pay", arguments={"amount": 500.0, "to": "Ann Lee"})),
        text_of(ToolCall(name="refund", arguments=PAY.arguments)),
        text_of(PAY) + text_of(PAY),
        text_of(PAY)[:-1],
        '{"name": "pay", "name": "pay", "arguments": {"amount": 500, "to": "Ann Lee"}}',
        '{"name": "pay", "arguments": {"amount": 9, "amount": 500, "to": "Ann Lee"}}',
        '{"name": "pay", "arguments": "{\\"amount\\": 500, \\"to\\": \\"Ann Lee\\"} or so"}',
        '{"name": "pay", "arguments": "{\\"amount\\": 500"}',
        '{"name": "pay", "arguments": "[500]"}',
        '{"name": "refund", "arguments": {}} {"amount": 500, "to": "Ann Lee"}',
        'Like this {"amount": 500, "to": "Ann Lee"}',
        "{" * 5000,
        "{{" * 5000,
        '{"a":' * 5000,
        '{{"a":' * 5000,
        '{"a": [' * 5000,
        '{"a": "\\x"}',
        '{"a": "\\ud83d',
    ],
)
def test_what_does_not_spell_exactly_the_plan_has_no_number(text: str) -> None:
    assert counted(PAY, parts=(Token(text=text, logprob=-0.1),)) == "the tokens do not spell the planned calls"


@pytest.mark.parametrize("text", ["", "I pay Ann now.", "[pay(amount=500, to='Ann Lee')]"])
def test_words_and_other_forms_of_calls_are_said_to_be_such(text: str) -> None:
    assert counted(PAY, parts=(Token(text=text, logprob=-0.1),)) == (
        "the tokens do not spell the planned calls: there is no JSON, only words or another form of calls"
    )


def test_one_call_of_two_missing_has_no_number_for_either() -> None:
    two = (PAY, ToolCall(name="log", arguments={}))
    assert counted(*two, parts=FENCED) == "the tokens do not spell the planned calls"


@pytest.mark.parametrize("none", [None, ()])
def test_no_tokens(none: tuple[Token, ...] | None) -> None:
    assert call_logprobs(Sample(calls=(PAY,), tokens=none), 0).missing == "the provider gave no log-probabilities"


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 0.5])
def test_one_odd_log_probability_makes_all_missing(odd: float) -> None:
    parts = (*FENCED, Token(text=" ", logprob=odd))
    assert counted(PAY, parts=parts) == "a token's log-probability is not a log-probability"


@pytest.mark.parametrize("unsaid", [-9999.0, -3.4028234663852886e38])
def test_a_number_that_stands_for_very_unlikely_is_none(unsaid: float) -> None:
    in_value = tuple(Token(text=t.text, logprob=unsaid if t.text == "Ann" else t.logprob) for t in FENCED)
    assert counted(PAY, parts=in_value) == "a token's log-probability is only said to be below -9999"
    around = tuple(Token(text=t.text, logprob=unsaid if t.text == "json" else t.logprob) for t in FENCED)
    assert counted(PAY, parts=around) == (-0.1, -0.2, -0.3, -0.35, -0.4, -0.6)


def test_arguments_nested_for_ever_are_a_reason() -> None:
    deep: list[object] = []
    for _ in range(3000):
        deep = [deep]
    assert (
        counted(ToolCall(name="f", arguments={"a": deep}), parts=FENCED) == "the calls are nested too deeply to compare"
    )
