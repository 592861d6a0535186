"""From a request and a response to a planning step."""

from __future__ import annotations

import json
from typing import Any

import pytest
from openai import OpenAI

from guardrail.errors import ConfigError
from guardrail.types import PlanningStep, Sample, SampleStatus, ToolCall, Turn
from guardrail_openai import planning_step, tool_specs
from tests.openai.conftest import CHAT, PAY, RESPONSES
from tests.support.openai_server import OpenAIServer, call, calls, cut, say


def completion(message: dict[str, Any], **choice: Any) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message, **choice}],
    }


def response(*output: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "resp_1", "model": "m", "status": "completed", "output": list(output), **more}


def chat_step(message: dict[str, Any], **choice: Any) -> PlanningStep:
    return planning_step(CHAT, completion(message, **choice), thread_id="t")


def response_step(*output: dict[str, Any], **more: Any) -> PlanningStep:
    return planning_step(RESPONSES, response(*output, **more), thread_id="t")


def function(name: str, arguments: Any, call_id: str = "c1") -> dict[str, Any]:
    return {"type": "function_call", "id": "fc_1", "call_id": call_id, "name": name, "arguments": arguments}


def test_objects_of_the_sdk_and_raw_json_give_the_same_step(server: OpenAIServer, client: OpenAI) -> None:
    server.reply = lambda *_: calls(("pay", {"amount": 1}), ("pay", {"amount": 2}), content="paying")
    typed = client.chat.completions.create(**CHAT, logprobs=True, top_logprobs=1)
    step = planning_step(CHAT, typed, thread_id="t", attempt=1, namespace="n")
    assert step == planning_step(CHAT, typed.to_dict(), thread_id="t", attempt=1, namespace="n")
    assert step == planning_step(CHAT, json.loads(typed.to_json()), thread_id="t", attempt=1, namespace="n")
    assert [one.arguments for one in step.planned.calls] == [{"amount": 1}, {"amount": 2}]
    assert (step.id, step.model, step.thread_id, step.attempt, step.namespace) == (typed.id, "m", "t", 1, "n")
    assert step.planned.status is SampleStatus.OK
    assert step.planned.tokens
    assert step.planned.tokens[0].top
    assert (step.planned.response_id, step.planned.choice) == (typed.id, 0)

    raw = client.responses.create(**RESPONSES)
    step = planning_step(RESPONSES, raw, thread_id="t")
    assert step == planning_step(RESPONSES, raw.to_dict(), thread_id="t")
    assert [one.arguments for one in step.planned.calls] == [{"amount": 1}, {"amount": 2}]
    assert (step.planned.text, step.planned.response_id) == ("paying", raw.id)
    assert [tool.name for tool in step.tools] == ["pay"]


def test_another_choice_may_be_the_plan(server: OpenAIServer, client: OpenAI) -> None:
    made = client.chat.completions.create(**CHAT, n=3)
    step = planning_step(CHAT, made, thread_id="t", choice=2)
    assert (step.planned.calls[0].arguments, step.planned.choice) == ({"amount": 2}, 2)
    assert step.id != planning_step(CHAT, made, thread_id="t").id
    with pytest.raises(ConfigError, match="no choice 3"):
        planning_step(CHAT, made, thread_id="t", choice=3)


@pytest.mark.parametrize(
    "step",
    [
        chat_step(calls(("pay", '{"amount": '))),
        chat_step(calls(("pay", '{"amount": Infinity}'))),
        chat_step(calls(("pay", '"text"'))),
        chat_step(calls(("pay", {"amount": 1}), ("pay", "{"))),
        chat_step({"content": None, "function_call": {"name": "pay", "arguments": "{"}}),
        response_step(function("pay", "{")),
        response_step(function("pay", "[" * 100_000)),
        response_step({"type": "function_call", "call_id": "c", "arguments": "{}"}),
    ],
    ids=range(8),
)
def test_a_call_that_cannot_be_read_is_there_to_be_judged(step: PlanningStep) -> None:
    assert step.planned.status is SampleStatus.UNPARSABLE
    assert "unreadable arguments" in step.planned.calls[-1].arguments
    assert step.planned.detail


def test_no_arguments_and_arguments_as_an_object() -> None:
    for given in ("", None, {}):
        assert response_step(function("list", given)).planned.calls == (ToolCall(name="list", arguments={}, id="c1"),)
    assert response_step(function("pay", {"amount": 1})).planned.calls[0].arguments == {"amount": 1}


@pytest.mark.parametrize("shared", ["", "c"])
def test_calls_that_share_an_id_cannot_be_told_apart(shared: str) -> None:
    step = response_step(function("pay", "{}", shared), function("pay", '{"amount": 2}', shared))
    assert step.planned.status is SampleStatus.UNPARSABLE
    assert len({one.id for one in step.planned.calls}) == 2


@pytest.mark.parametrize(
    ("step", "status"),
    [
        (chat_step(cut("pay", '{"amount": 1}'), finish_reason="length"), SampleStatus.TRUNCATED),
        (chat_step(call("pay", amount=1), finish_reason="content_filter"), SampleStatus.TRUNCATED),
        (
            response_step(
                function("pay", "{}"), status="incomplete", incomplete_details={"reason": "max_output_tokens"}
            ),
            SampleStatus.TRUNCATED,
        ),
        (
            response_step(function("pay", "{}"), status="incomplete", incomplete_details={"reason": "content_filter"}),
            SampleStatus.TRUNCATED,
        ),
        (response_step(function("pay", "{}"), status="incomplete"), SampleStatus.TRUNCATED),
        (
            response_step(function("pay", "{}"), status="failed", error={"code": "server_error"}),
            SampleStatus.FAILED,
        ),
        (response_step(function("pay", "{}"), status="in_progress"), SampleStatus.FAILED),
        (response_step(function("pay", "{}"), status="cancelled"), SampleStatus.FAILED),
        (response_step(), SampleStatus.EMPTY),
        (chat_step(say("")), SampleStatus.EMPTY),
    ],
    ids=range(10),
)
def test_a_plan_that_is_not_whole_is_not_valid(step: PlanningStep, status: SampleStatus) -> None:
    assert step.planned.status is status


def test_an_incomplete_response_says_why() -> None:
    cut_off = response_step(function("pay", "{}"), status="incomplete", incomplete_details={"reason": "content_filter"})
    assert cut_off.planned.finish_reason == "content_filter"
    assert response_step(function("pay", "{}"), status="incomplete").planned.finish_reason == "incomplete"
    assert response_step(function("pay", "{}")).planned.finish_reason == "completed"


def test_refusals_are_words() -> None:
    assert chat_step({"content": None, "refusal": "I can't."}).planned.text == "I can't."
    part = {"type": "refusal", "refusal": "I can't."}
    assert response_step({"type": "message", "role": "assistant", "content": [part]}).planned.text == "I can't."


def test_custom_and_older_calls_and_those_of_openais_own_tools() -> None:
    custom = {"id": "c", "type": "custom", "custom": {"name": "sql", "input": "select 1"}}
    assert chat_step({"tool_calls": [custom]}).planned.calls == (
        ToolCall(name="sql", arguments={"input": "select 1"}, id="c"),
    )
    older = {"function_call": {"name": "pay", "arguments": '{"amount": 1}'}}
    assert chat_step(older).planned.calls == (ToolCall(name="pay", arguments={"amount": 1}),)
    step = response_step(
        {"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "select 1"},
        {"type": "shell_call", "id": "i", "call_id": "c2", "status": "completed", "action": {"commands": ["ls"]}},
        {"type": "mcp_approval_request", "id": "c3", "name": "pay", "arguments": '{"amount": 1}', "server_label": "b"},
        {"type": "web_search_call", "id": "c4", "status": "completed"},
        {"type": "reasoning", "id": "c5", "summary": []},
    )
    assert step.planned.calls == (
        ToolCall(name="sql", arguments={"input": "select 1"}, id="c1"),
        ToolCall(name="shell", arguments={"action": {"commands": ["ls"]}}, id="c2"),
        ToolCall(name="pay", arguments={"amount": 1}, id="c3"),
    )


def test_tools_of_every_form() -> None:
    custom = {"name": "sql", "description": "SQL."}
    chat_tools = {
        "messages": [],
        "tools": [PAY, {"type": "custom", "custom": custom}, "x", {"type": "function"}],
        "functions": [{"name": "old", "parameters": {"type": "object"}}],
    }
    assert [tool.name for tool in tool_specs(chat_tools)] == ["pay", "sql", "old"]
    assert tool_specs(chat_tools)[0].parameters["required"] == ["amount"]
    assert tool_specs(chat_tools)[1].parameters["required"] == ["input"]
    flat = {
        "input": "x",
        "tools": [
            {"type": "function", "name": "pay", "parameters": {"type": "object"}},
            {"type": "custom", **custom},
            {"type": "shell"},
            {"type": "computer_use_preview"},
            {"type": "web_search"},
        ],
    }
    assert [tool.name for tool in tool_specs(flat)] == ["pay", "sql", "shell", "computer"]
    assert tool_specs({}) == ()


def test_annotations_are_added_by_name() -> None:
    hints = {"pay": {"destructiveHint": True}, "other": {"readOnlyHint": True}}
    step = planning_step(CHAT, completion(call("pay", amount=1)), thread_id="t", annotations=hints)
    assert step.tools[0].annotations == {"destructiveHint": True}
    stored = {"model": "m", "prompt": {"id": "pmpt_1"}}
    step = planning_step(stored, response(function("pay", "{}")), thread_id="t", tools=tool_specs(CHAT))
    assert [tool.name for tool in step.tools] == ["pay"]


def test_the_conversation_is_text() -> None:
    messages = [
        {"role": "system", "content": "help"},
        {"role": "user", "content": [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {}}]},
        {**calls(("find", {"b": 1, "a": 2})), "content": "looking"},
        {"role": "tool", "tool_call_id": "x", "content": "found"},
    ]
    step = planning_step({"messages": messages}, completion(call("pay", amount=1)), thread_id="t")
    wanted = (
        Turn(role="system", text="help"),
        Turn(role="user", text="look\n[image_url]"),
        Turn(role="assistant", text='looking\n{"arguments":{"a":2,"b":1},"tool":"find"}'),
        Turn(role="tool", text="found"),
    )
    assert step.conversation == wanted
    items = [
        {"role": "user", "content": [{"type": "input_text", "text": "look"}, {"type": "input_image"}]},
        {"type": "reasoning", "summary": []},
        function("find", '{"b": 1, "a": 2}'),
        {"type": "function_call_output", "call_id": "c1", "output": "found"},
    ]
    step = planning_step(
        {"input": items, "instructions": "help", "previous_response_id": "r"}, response(), thread_id="t"
    )
    assert step.conversation == (
        Turn(role="system", text="help"),
        Turn(role="system", text="[earlier turns are kept by the provider]"),
        Turn(role="user", text="look\n[input_image]"),
        Turn(role="assistant", text='{"arguments":{"a":2,"b":1},"tool":"find"}'),
        Turn(role="tool", text="found"),
    )


def test_an_unknown_request_is_said_to_be_unknown() -> None:
    step = planning_step(None, completion(call("pay", amount=1)), thread_id="t", tools=tool_specs(CHAT))
    assert (step.request, step.request_digest, step.model, step.conversation) == (None, "", "m", ())
    assert [tool.name for tool in step.tools] == ["pay"]


@pytest.mark.parametrize(
    ("request_", "answer"),
    [(CHAT, {}), (CHAT, {"output": "x"}), (CHAT, response()), (RESPONSES, completion({})), (CHAT, {"choices": []})],
    ids=range(5),
)
def test_a_response_of_another_kind_is_refused(request_: Any, answer: Any) -> None:
    with pytest.raises(ConfigError):
        planning_step(request_, answer, thread_id="t")


def test_a_response_without_id_is_known_by_its_calls() -> None:
    def step(amount: int) -> PlanningStep:
        return planning_step(CHAT, {**completion(call("pay", amount=amount)), "id": ""}, thread_id="t")

    assert step(1).id != step(2).id
    assert step(1).planned.response_id is None
    assert isinstance(step(1).planned, Sample)
