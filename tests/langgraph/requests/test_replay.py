"""The request that planned a step is sent again as it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from pydantic import BaseModel

from guardrail.types import PlanningStep, Sample
from guardrail_langgraph.requests import PlanCapture, request_for, watch
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.capturing import GO, assert_replayed, chat, core, pay, search, step_of
from tests.support.openai_server import OpenAIServer

PLANS: dict[str, Callable[[Any], AIMessage]] = {
    "tools": lambda m: m.bind_tools([pay, search]).invoke(GO),
    "system prompt": lambda m: m.bind_tools([pay]).invoke([SystemMessage("Be brief."), *GO]),
    "tool choice": lambda m: m.bind_tools([pay], tool_choice="pay").invoke(GO),
    "no parallel calls": lambda m: m.bind_tools([pay], parallel_tool_calls=False).invoke(GO),
    "strict": lambda m: m.bind_tools([pay], strict=True).invoke(GO),
    "stop": lambda m: m.bind_tools([pay]).invoke(GO, stop=["END"]),
    "bound stop": lambda m: m.bind_tools([pay]).bind(stop=["END"]).invoke(GO),
    "call settings": lambda m: m.bind_tools([pay]).invoke(GO, max_tokens=50, reasoning_effort="low", top_p=0.9),
    "call temperature": lambda m: m.bind_tools([pay]).invoke(GO, temperature=0.7, seed=9),
    "another model name": lambda m: m.bind_tools([pay]).bind(model="m2").invoke(GO),
    "extra body": lambda m: m.bind_tools([pay]).invoke(GO, extra_body={"chat_template_kwargs": {"thinking": False}}),
    "json": lambda m: m.bind_tools([pay], strict=True).invoke(GO, response_format={"type": "json_object"}),
    "with_config": lambda m: m.bind_tools([pay]).with_config(tags=["x"]).invoke(GO),
    "with_retry": lambda m: m.bind_tools([pay]).with_retry().invoke(GO),
    "history": lambda m: m.bind_tools([pay]).invoke(
        [
            *GO,
            AIMessage("", id="a1", tool_calls=[{"name": "pay", "args": {"amount": 1}, "id": "c1"}]),
            ToolMessage("paid", tool_call_id="c1", name="pay"),
            HumanMessage("again", name="ann"),
        ]
    ),
    "image url": lambda m: m.bind_tools([pay]).invoke(
        [HumanMessage([{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "http://x/y.png"}}])]
    ),
    "image block": lambda m: m.bind_tools([pay]).invoke(
        [HumanMessage([{"type": "image", "base64": "aGk=", "mime_type": "image/png"}])]
    ),
    "old image block": lambda m: m.bind_tools([pay]).invoke(
        [HumanMessage([{"type": "image", "source_type": "base64", "data": "aGk=", "mime_type": "image/png"}])]
    ),
    "file block": lambda m: m.bind_tools([pay]).invoke(
        [HumanMessage([{"type": "file", "base64": "aGk=", "mime_type": "application/pdf", "filename": "a.pdf"}])]
    ),
    "streaming": lambda m: _merged(m.bind_tools([pay]).stream(GO)),
}


def _merged(chunks: Iterator[AIMessageChunk]) -> AIMessage:
    whole = next(chunks)
    for chunk in chunks:
        whole += chunk
    return whole


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_request_is_sent_again_as_it_was(server: OpenAIServer, plan: Callable[[Any], AIMessage]) -> None:
    model = chat(server)
    capture = PlanCapture()
    message = plan(watch(model, capture))
    assert_replayed(server, model, capture, message)


def test_structured_output_is_replayed(server: OpenAIServer) -> None:
    class Answer(BaseModel):
        text: str

    model = chat(server)
    capture = PlanCapture()
    message = watch(model, capture).bind_tools([pay], response_format=Answer, strict=True).invoke(GO)
    assert_replayed(server, model, capture, message)


@pytest.mark.parametrize(
    "given",
    [
        {"max_tokens": 9, "top_p": 0.5, "stop": ["Z"]},
        {"model_kwargs": {"user": "ann"}, "extra_body": {"seed": 3, "temperature": 0, "top_k": 40}},
        {"streaming": True, "stream_usage": True},
        {"disable_streaming": True},
        {"logprobs": True, "top_logprobs": 2},
        {"n": 2},
        {"use_responses_api": False, "model": "gpt-5-mini", "temperature": None},
        {"model": "o3-mini", "temperature": None},
    ],
    ids=str,
)
def test_the_models_own_settings_are_replayed(server: OpenAIServer, given: dict[str, Any]) -> None:
    model = chat(server, **given)
    capture = PlanCapture()
    message = watch(model, capture).bind_tools([pay]).invoke([SystemMessage("S"), *GO])
    planned = server.requests[-1]
    ChatModelSampler(model).sample(step_of(capture, message), 3)
    again = server.requests[-1]
    # the client writes the extra body into the body
    assert core(again) == core(planned)
    assert (again["n"], again["temperature"], again.get("seed")) == (3, 1.0, None)


def test_stop_words_of_the_call_win_over_those_of_the_model(server: OpenAIServer) -> None:
    model = chat(server, stop=["MODEL"])
    capture = PlanCapture()
    message = watch(model, capture).invoke(GO, stop=["CALL"])
    assert server.requests[-1]["stop"] == ["CALL"]
    assert_replayed(server, model, capture, message)


def test_as_a_callback_of_the_run(server: OpenAIServer) -> None:
    model = chat(server)
    capture = PlanCapture(model)
    message = model.bind_tools([pay]).invoke(GO, {"callbacks": [capture]})
    assert_replayed(server, model, capture, message)


def test_without_the_model_the_settings_of_the_call_are_known(server: OpenAIServer) -> None:
    model = chat(server)
    capture = PlanCapture()
    message = model.bind_tools([pay], tool_choice="pay", parallel_tool_calls=False).invoke(
        GO, {"callbacks": [capture]}, stop=["END"]
    )
    assert_replayed(server, model, capture, message)


def test_the_request_of_a_bound_model_can_be_made(server: OpenAIServer) -> None:
    bound = chat(server).bind_tools([pay], tool_choice="pay").bind(stop=["END"])
    bound.invoke(GO)
    planned = server.requests[-1]
    step = PlanningStep(id="s", planned=Sample(), tools=(), request=request_for(bound, GO))
    ChatModelSampler(bound).sample(step, 2)
    assert core(server.requests[-1]) == core(planned)


def test_a_made_request_equals_the_caught_one(server: OpenAIServer) -> None:
    model = chat(server)
    capture = PlanCapture()
    bound = watch(model.bind_tools([pay]), capture)
    plan = capture.lookup(bound.invoke(GO))
    assert plan is not None
    assert plan.request.digest == request_for(bound, GO).digest
