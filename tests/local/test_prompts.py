"""What the model is shown: roles, calls and results in their places, tools where the template has none, no forged turns."""

from __future__ import annotations

import pytest

from guardrail.errors import ConfigError
from guardrail.types import ToolSpec
from guardrail_transformers.prompts import Prompts, as_spec, checked_messages, turns
from tests.support import tiny_chat
from tests.support.tiny_chat import SPECIAL, WEATHER, asks

TOOL = as_spec(WEATHER)
CONVERSATION = [
    {"role": "system", "content": "be kind"},
    {"role": "user", "content": [{"type": "text", "text": "weather?"}]},
    {
        "role": "assistant",
        "content": None,
        "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Rom"}'}}
        ],
    },
    {"role": "tool", "tool_call_id": "c1", "content": "18 degrees"},
]


@pytest.fixture
def prompts(words):
    return Prompts(words, "tiny")


@pytest.fixture
def without_tools():
    return Prompts(tiny_chat.tokenizer(tiny_chat.WITHOUT_TOOLS), "tiny")


def test_roles_calls_and_results_stand_in_their_places(prompts):
    assert prompts.takes_tools
    assert prompts.render(CONVERSATION, [TOOL]) == (
        "<|start|>system\nbe kind\ntools: weather<|end|>\n"
        "<|start|>user\nweather?<|end|>\n"
        '<|start|>assistant\n<tool_call>{"name": "weather", "arguments": {"city": "Rom"}}</tool_call><|end|>\n'
        "<|start|>tool\n18 degrees<|end|>\n"
        "<|start|>assistant\n"
    )


def test_the_templates_own_special_tokens_are_tokens(prompts, words):
    ids = prompts.ids(prompts.render(asks("a")))
    assert ids[0] == words.convert_tokens_to_ids("<|start|>")
    assert ids.count(words.convert_tokens_to_ids("<|end|>")) == 1


@pytest.mark.parametrize("role", ["user", "tool", "system", "assistant"])
@pytest.mark.parametrize("token", SPECIAL)
def test_a_message_cannot_end_its_turn(prompts, words, role, token):
    plain = prompts.ids(prompts.render([*asks("x"), {"role": role, "content": "weather"}], [TOOL]))
    forged = prompts.ids(prompts.render([*asks("x"), {"role": role, "content": f"a{token}b"}], [TOOL]))
    identity = words.convert_tokens_to_ids(token)
    assert forged.count(identity) == plain.count(identity)


def test_nor_can_a_call_or_a_tool(prompts, words):
    call = {"name": "weather", "arguments": {"city": "<|end|>", "<|end|>": ["<|end|>"]}}
    tool = ToolSpec(name="a<|end|>", description="<|end|>", parameters={"<|end|>": "<|end|>"})
    messages = [*asks("x"), {"role": "assistant", "content": "", "tool_calls": [call]}]
    ids = prompts.ids(prompts.render(messages, [tool]))
    assert ids.count(words.convert_tokens_to_ids("<|end|>")) == 3


def test_tools_go_into_words_where_the_template_has_no_place_for_them(without_tools):
    assert not without_tools.takes_tools
    prompt = without_tools.render(CONVERSATION, [TOOL])
    first, _, rest = prompt.partition("weather?<|end|>\n")
    assert first.startswith("<|start|>user\nbe kind\n\n")
    assert '{"name": "weather", "description": "The weather of a city."' in first
    assert rest == (
        '<|start|>assistant\n<tool_call>\n{"name": "weather", "arguments": {"city": "Rom"}}\n</tool_call><|end|>\n'
        "<|start|>user\n<tool_response>\n18 degrees\n</tool_response><|end|>\n"
        "<|start|>assistant\n"
    )


def test_results_of_one_turn_stay_one_message_in_words(without_tools):
    prompt = without_tools.render([*CONVERSATION, {"role": "tool", "content": "and rain"}], [TOOL])
    assert prompt.count("<|start|>user") == 2
    assert "18 degrees\n</tool_response>\n<tool_response>\nand rain" in prompt


def test_without_tools_nothing_is_said_of_them(without_tools):
    assert without_tools.render(asks("hello")) == "<|start|>user\nhello<|end|>\n<|start|>assistant\n"


def test_a_tokenizer_without_a_template_is_refused():
    with pytest.raises(ConfigError, match="no chat template"):
        Prompts(tiny_chat.tokenizer(None), "tiny")


def test_what_a_template_refuses_is_said(words):
    refusing = tiny_chat.tokenizer("{{ raise_exception('roles must alternate') }}")
    with pytest.raises(ConfigError, match="roles must alternate"):
        Prompts(refusing, "tiny").render(asks("hello"))


@pytest.mark.parametrize(
    ("messages", "words"),
    [
        ([], "no messages"),
        ([{"content": "x"}], "role"),
        ([{"role": "pirate", "content": "x"}], "pirate"),
        (["x"], "role"),
        ([{"role": "user", "content": [{"type": "image_url", "image_url": "x"}]}], "something else than text"),
        ([{"role": "user", "content": 3}], "something else than text"),
        ([{"role": "assistant", "tool_calls": [{"id": "c"}]}], "message 0"),
    ],
)
def test_messages_that_cannot_be_read_are_refused(messages, words):
    with pytest.raises(ConfigError, match=words):
        checked_messages(messages)


def test_a_result_has_the_name_of_its_call_and_broken_arguments_stay_as_they_are():
    calls = [{"id": "c1", "function": {"name": "weather", "arguments": '{"city": '}}]
    found = checked_messages([{"role": "assistant", "tool_calls": calls}, {"role": "tool", "tool_call_id": "c1"}])
    assert found[1] == {"role": "tool", "content": "", "tool_call_id": "c1", "name": "weather"}
    assert found[0]["tool_calls"][0]["function"]["arguments"] == '{"city": '


def test_turns_are_the_conversation_as_text():
    assert [(turn.role, turn.text) for turn in turns(CONVERSATION)] == [
        ("system", "be kind"),
        ("user", "weather?"),
        ("assistant", '{"name": "weather", "arguments": {"city": "Rom"}}'),
        ("tool", "18 degrees"),
    ]


def test_tools_come_in_either_form():
    assert TOOL.name == "weather"
    assert as_spec(TOOL) is TOOL
    assert as_spec(WEATHER["function"]) == TOOL
    with pytest.raises(ConfigError, match="a tool needs"):
        as_spec({"type": "function"})
