"""Calls in the text of local models: every known form is read, and nothing that looks like one is taken for words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guardrail.types import ToolCall
from guardrail_transformers.written_calls import written_calls

PAY = ToolCall(name="pay", arguments={"to": "Ann", "amount": 5})
MAIL = ToolCall(name="mail.send", arguments={"text": 'a "}" b'})
PAY_JSON = '{"name": "pay", "arguments": {"to": "Ann", "amount": 5}}'
MAIL_JSON = '{"name": "mail.send", "parameters": {"text": "a \\"}\\" b"}}'

FORMS = {
    "hermes": (f"<tool_call>\n{PAY_JSON}\n</tool_call>", [PAY], ""),
    "hermes, two": (f"<tool_call>{PAY_JSON}</tool_call>\n<tool_call>{MAIL_JSON}</tool_call>", [PAY, MAIL], ""),
    "hermes, two in one tag": (f"<tool_call>{PAY_JSON}\n{MAIL_JSON}</tool_call>", [PAY, MAIL], ""),
    "hermes after words": (f"I will pay.\n<tool_call>{PAY_JSON}</tool_call>", [PAY], "I will pay."),
    "hermes, not closed": (f"<tool_call>{PAY_JSON}", [PAY], ""),
    "llama": ('{"name": "pay", "parameters": {"to": "Ann", "amount": 5}}', [PAY], ""),
    "llama, typed": ('{"type": "function", "name": "pay", "parameters": {"to": "Ann", "amount": 5}}', [PAY], ""),
    "llama, several": (f"<|python_tag|>{PAY_JSON}; {MAIL_JSON}", [PAY, MAIL], ""),
    "mistral": (f"[TOOL_CALLS] [{PAY_JSON}, {MAIL_JSON}]", [PAY, MAIL], ""),
    "mistral, by name": ('[TOOL_CALLS]pay{"to": "Ann", "amount": 5}', [PAY], ""),
    "mistral, by name with ids": (
        '[TOOL_CALLS]pay[CALL_ID]x1[ARGS]{"to": "Ann", "amount": 5}[TOOL_CALLS]mail.send[ARGS]{"text": "a \\"}\\" b"}',
        [PAY, MAIL],
        "",
    ),
    "fenced": (f"```json\n{PAY_JSON}\n```", [PAY], ""),
    "fenced, two fences": (f"```json\n{PAY_JSON}\n```\nand\n```\n{MAIL_JSON}\n```", [PAY, MAIL], "and"),
    "fence that does not close": (f"```json\n{PAY_JSON}", [PAY], ""),
    "bare": (PAY_JSON, [PAY], ""),
    "bare, one after the other": (f"{PAY_JSON}\n{MAIL_JSON}", [PAY, MAIL], ""),
    "bare list": (f"[{PAY_JSON}, {MAIL_JSON}]", [PAY, MAIL], ""),
    "doubled outside": ("{" + PAY_JSON + "}", [PAY], ""),
    "doubled everywhere": (PAY_JSON.replace("{", "{{").replace("}", "}}"), [PAY], ""),
    "doubled, in a tag": (f"<tool_call>{{{PAY_JSON}}}</tool_call>", [PAY], ""),
    "arguments as text": ('{"name": "pay", "arguments": "{\\"to\\": \\"Ann\\", \\"amount\\": 5}"}', [PAY], ""),
    "no arguments": ('{"name": "now", "arguments": {}}', [ToolCall(name="now", arguments={})], ""),
    "a thought before": (f"<think>maybe {MAIL_JSON}?</think>\n<tool_call>{PAY_JSON}</tool_call>", [PAY], ""),
    "the end of a tag in an argument": (
        '<tool_call>{"name": "mail.send", "arguments": {"text": "</tool_call> {\\"name\\": 1}"}}</tool_call>',
        [ToolCall(name="mail.send", arguments={"text": '</tool_call> {"name": 1}'})],
        "",
    ),
    "words": ("Which account do you mean?", [], "Which account do you mean?"),
    "words with braces": ("Use {curly} and [{x}] here: {1, 2}.", [], "Use {curly} and [{x}] here: {1, 2}."),
    "an object that is no call": ('It is {"city": "Rom", "name": "x"}.', [], 'It is {"city": "Rom", "name": "x"}.'),
    "code": ("```python\nprint({'a': 1})\n```", [], "```python\nprint({'a': 1})\n```"),
    "nothing": ("", [], ""),
}

BROKEN = {
    "cut": PAY_JSON[:-9],
    "cut in a tag": f"<tool_call>{PAY_JSON[:-9]}",
    "tag with words": "<tool_call>pay Ann 5</tool_call>",
    "tag with more": f"<tool_call>{PAY_JSON} and so on</tool_call>",
    "empty tag": "<tool_call></tool_call>",
    "half a tag": f"{PAY_JSON}</tool_call>",
    "mistral without a list": "[TOOL_CALLS] pay Ann",
    "mistral, cut": '[TOOL_CALLS]pay[ARGS]{"to": ',
    "python": '<|python_tag|>brave_search.call(query="x")',
    "single quotes": "{'name': 'pay', 'arguments': {'to': 'Ann'}}",
    "no object of arguments": '{"name": "pay", "arguments": [1]}',
    "text of no object": '{"name": "pay", "arguments": "Ann, 5"}',
    "text with more": '{"name": "pay", "arguments": "{} {}"}',
    "both": '{"name": "pay", "arguments": {}, "parameters": {}}',
    "no name": '{"name": "", "arguments": {}}',
    "name of no text": '{"name": 1, "arguments": {}}',
    "a tool described": '{"name": "pay", "description": "Pays.", "parameters": {"type": "object"}}',
    "a call inside": f'{{"tool_calls": [{PAY_JSON}]}}',
    "a list of mixed things": f'[{PAY_JSON}, {{"a": 1}}]',
    "a key twice": '{"name": "pay", "arguments": {"amount": 5, "amount": 500}}',
    "NaN": '{"name": "pay", "arguments": {"amount": NaN}}',
    "too large": '{"name": "pay", "arguments": {"amount": 1e999}}',
    "half a character": '{"name": "pay", "arguments": {"to": "\\ud800"}}',
    "XML": "<function=pay><parameter=to>Ann</parameter></function>",
    "another form": "<|tool▁calls▁begin|>pay",
    "a thought without end": f"<think>maybe {PAY_JSON}",
    "deep": '{"name": "pay", "arguments": ' + '{"a":' * 100_000,
    "one good, one not": f"<tool_call>{PAY_JSON}</tool_call><tool_call>{PAY_JSON[:-5]}</tool_call>",
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_known_form_is_read(form):
    text, calls, words = FORMS[form]
    found = written_calls(text)
    assert (list(found.calls), found.text, found.problem) == (calls, words, "")


@pytest.mark.parametrize("form", BROKEN)
def test_what_looks_like_a_call_and_is_none_is_a_problem(form):
    found = written_calls(BROKEN[form])
    assert found.problem
    assert len(found.calls) == (form == "one good, one not") + (form == "half a tag")


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(st.text(), values, max_size=3)


@given(
    st.sampled_from(["{}", "<tool_call>{}</tool_call>", "```json\n{}\n```", "[TOOL_CALLS][{}]", "<|python_tag|>{}"]),
    arguments,
    st.booleans(),
)
def test_whatever_stands_in_the_arguments_is_data(form, given_arguments, ascii_only):
    call = json.dumps({"name": "pay", "arguments": given_arguments}, ensure_ascii=ascii_only)
    found = written_calls(form.replace("{}", call))
    assert found.problem == ""
    assert found.calls == (ToolCall(name="pay", arguments=given_arguments),)
    assert found.text == ""


@given(arguments)
def test_doubled_braces_are_read_too(given_arguments):
    def doubled(value):
        if isinstance(value, dict):
            return "{{" + ", ".join(f"{json.dumps(key)}: {doubled(item)}" for key, item in value.items()) + "}}"
        if isinstance(value, list):
            return "[" + ", ".join(map(doubled, value)) + "]"
        return json.dumps(value)

    found = written_calls(doubled({"name": "pay", "arguments": given_arguments}))
    assert found.calls == (ToolCall(name="pay", arguments=given_arguments),)


@given(st.text() | st.lists(st.sampled_from(["{", "}", '"name":', '"arguments":', "<tool_call>", "</tool_call>", "[", "[TOOL_CALLS]", '"x"', " "])).map("".join))  # fmt: skip
def test_any_text_is_read_without_an_error(text):
    found = written_calls(text)
    assert found.problem or found.calls or found.text == text.strip()
