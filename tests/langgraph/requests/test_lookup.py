"""Which message leads back to which request."""

from __future__ import annotations

import uuid
from typing import Any

from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_core.outputs import ChatGeneration, LLMResult

from guardrail_langgraph.requests import PlanCapture, PlanningRequest
from tests.support.capturing import GO
from tests.support.fake_chat import ai


def ended(capture: PlanCapture, message: AIMessage, *, text: str = "go", tags: list[str] | None = None) -> None:
    run_id = uuid.uuid4()
    capture.on_chat_model_start({}, [[HumanMessage(text)]], run_id=run_id, tags=tags, invocation_params={})
    capture.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run_id)


def test_a_message_whose_id_was_changed_is_found_by_its_calls() -> None:
    capture = PlanCapture()
    message = ai(amount=1, id="call_1")
    ended(capture, message)
    assert capture.lookup(message.model_copy(update={"id": "other"})) is not None
    planned = capture.plan_of("call_1")
    assert planned is not None
    assert planned.tool_calls == message.tool_calls


def test_call_ids_that_tell_several_requests_tell_none() -> None:
    capture = PlanCapture()
    ended(capture, ai(amount=1, id="call_0"), text="one")
    assert capture.plan_of("call_0") is not None
    ended(capture, ai(amount=2, id="call_0"), text="two")
    assert capture.plan_of("call_0") is None
    assert capture.lookup(ai(amount=2, id="call_0")) is None


def test_message_ids_that_tell_several_requests_tell_none() -> None:
    capture = PlanCapture()
    message = ai(amount=1, id="call_0").model_copy(update={"id": "m0"})
    for _ in range(2):
        ended(capture, message, text="one")
        assert capture.lookup(message) is not None
    for text in ("two", "three"):
        ended(capture, message, text=text)
        assert capture.lookup(message) is None


def test_messages_without_calls_and_unknown_ones_are_not_found() -> None:
    capture = PlanCapture()
    ended(capture, ai(amount=1))
    assert capture.lookup(AIMessage("hello")) is None
    assert capture.plan_of("other") is None


def test_the_guards_own_requests_are_not_plans() -> None:
    capture = PlanCapture()
    ended(capture, ai(amount=1, id="call_1"), tags=["guardrail:resample"])
    assert capture.plan_of("call_1") is None


def test_failed_requests_are_forgotten() -> None:
    capture = PlanCapture()
    run_id = uuid.uuid4()
    capture.on_chat_model_start({}, [GO], run_id=run_id, invocation_params={})
    capture.on_llm_error(ValueError(), run_id=run_id)
    capture.on_llm_end(LLMResult(generations=[[ChatGeneration(message=ai(amount=1, id="call_1"))]]), run_id=run_id)
    assert capture.plan_of("call_1") is None


def test_the_oldest_are_forgotten_first() -> None:
    capture = PlanCapture(size=2)
    messages = [ai(amount=k, id=f"call_{k}").model_copy(update={"id": f"m{k}"}) for k in range(3)]
    for message in messages[:2]:
        ended(capture, message, text=message.id)
    assert capture.lookup(messages[0]) is not None
    ended(capture, messages[2])
    assert [capture.lookup(message) is not None for message in messages] == [True, False, True]


def test_messages_changed_afterwards_do_not_change_the_request() -> None:
    capture = PlanCapture()
    asked, run_id = HumanMessage("pay 100"), uuid.uuid4()
    message = ai(amount=100, id="call_1")
    capture.on_chat_model_start({}, [[asked]], run_id=run_id, invocation_params={})
    asked.content = "pay 900"
    capture.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run_id)
    plan = capture.lookup(message)
    assert plan is not None
    assert plan.request.messages[0].content == "pay 100"


def test_the_digest_is_of_what_is_sent() -> None:
    def request(**given: Any) -> PlanningRequest:
        return PlanningRequest(**{"messages": (HumanMessage("go"),), "settings": {"tools": [{"name": "pay"}]}, **given})

    same = request().digest
    assert request(messages=(HumanMessage("go", id="other", response_metadata={"a": 1}),)).digest == same
    different = [
        request(messages=(HumanMessage("stop"),)),
        request(messages=(SystemMessage("go"),)),
        request(settings={"tools": []}),
        request(model="m"),
        request(defaults={"top_p": 0.5}),
        request(settings={"tools": [{"name": "pay"}], "x": float("nan"), "y": object(), "z": {1}, "t": PlanCapture}),
    ]
    assert len({same, *[one.digest for one in different]}) == len(different) + 1
