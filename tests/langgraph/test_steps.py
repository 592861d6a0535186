"""A model turn becomes a planning step, with the conversation that led to it as text."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from guardrail.types import PlanningStep, ToolSpec, Turn
from guardrail_langgraph.messages import sample_from_message
from guardrail_langgraph.requests import PlanCapture
from guardrail_langgraph.steps import planning_step, turns
from tests.support.fake_chat import ai

REGISTERED = {"pay": ToolSpec(name="pay", annotations={"readOnlyHint": False})}


def step_after(*messages: BaseMessage) -> PlanningStep:
    capture, plan, run_id = PlanCapture(), ai(amount=1, id="c9").model_copy(update={"id": "m1"}), uuid.uuid4()
    tools = [{"type": "function", "function": {"name": "pay", "parameters": {}}}]
    capture.on_chat_model_start({}, [list(messages)], run_id=run_id, invocation_params={"tools": tools})
    capture.on_llm_end(LLMResult(generations=[[ChatGeneration(message=plan)]]), run_id=run_id)
    return planning_step(plan, capture, REGISTERED, thread_id="t", namespace="n", attempt=2)


def test_every_role_is_in_the_conversation() -> None:
    step = step_after(
        SystemMessage("Be careful."),
        HumanMessage("What is my balance?"),
        ai("balance", of="é", id="c1"),
        ToolMessage("100", tool_call_id="c1"),
        AIMessage("It is 100."),
        HumanMessage("Pay 1."),
    )
    assert step.conversation == (
        Turn(role="system", text="Be careful."),
        Turn(role="user", text="What is my balance?"),
        Turn(role="assistant", text='{"call": "balance", "arguments": {"of": "é"}}'),
        Turn(role="tool", text="100"),
        Turn(role="assistant", text="It is 100."),
        Turn(role="user", text="Pay 1."),
    )
    assert (step.id, step.thread_id, step.namespace, step.attempt) == ("m1", "t", "n", 2)
    assert step.tools == (ToolSpec(name="pay", annotations={"readOnlyHint": False}),)


PARTS: list[tuple[Any, str]] = [
    ({"type": "text", "text": "look"}, "look"),
    ({"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}, "[image_url]"),
    ({"type": "image", "base64": "AAAA", "mime_type": "image/png"}, "[image]"),
    ({"type": "file", "base64": "AAAA", "mime_type": "application/pdf"}, "[file]"),
    ({"type": "thinking", "thinking": "hm"}, ""),
    ({"type": "tool_use", "id": "c1", "name": "pay", "input": {}}, ""),
    ({"oddity": 1}, "[part]"),
    ("plain", "plain"),
]


@pytest.mark.parametrize(("part", "text"), PARTS, ids=str)
def test_parts_that_are_no_text_are_named(part: Any, text: str) -> None:
    assert turns([HumanMessage([part, {"type": "text", "text": "end"}])])[0].text == f"{text}\nend".strip()


def test_a_call_with_words_shows_both() -> None:
    (turn,) = turns([AIMessage("I pay.", tool_calls=[{"name": "pay", "args": {"amount": 1}, "id": "c"}])])
    assert turn.text == 'I pay.\n{"call": "pay", "arguments": {"amount": 1}}'


def test_an_unknown_request_has_no_conversation() -> None:
    step = planning_step(ai(amount=1), PlanCapture(), REGISTERED, thread_id="", namespace="", attempt=0)
    assert step.conversation == ()
    assert step.request is None


def token(**given: Any) -> dict[str, Any]:
    return {"token": "A", "logprob": -0.1, **given}


def top_of(*tops: Any) -> list[Any]:
    content = [token(top_logprobs=top) for top in tops]
    sample = sample_from_message(AIMessage("A", response_metadata={"logprobs": {"content": content}}))
    assert sample.tokens is not None
    return [one.top for one in sample.tokens]


def test_alternatives_are_kept() -> None:
    assert top_of([token(), {"token": " B", "logprob": -3}], []) == [(("A", -0.1), (" B", -3.0)), ()]


@pytest.mark.parametrize(
    "wrong",
    [None, "x", [None], [{"token": "A"}], [token(), {"token": 1, "logprob": -1.0}], [token(logprob=json.loads("NaN"))]],
)
def test_of_a_malformed_list_nothing_is_taken(wrong: Any) -> None:
    assert top_of(wrong) == [()]


def test_what_is_impossible_is_no_alternative() -> None:
    assert top_of([token(), token(logprob=-float("inf"))]) == [(("A", -0.1),)]


def test_a_plain_list_of_tokens_is_read_too() -> None:
    sample = sample_from_message(AIMessage("A", response_metadata={"logprobs": [token(top_logprobs=[token()])]}))
    assert sample.tokens is not None
    assert [(one.text, one.top) for one in sample.tokens] == [("A", (("A", -0.1),))]
