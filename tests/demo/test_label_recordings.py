"""What is shipped for ``guardrail demo --label``: a real model's plans for the first requests, none left out."""

from importlib.resources import files

import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_core.utils.function_calling import convert_to_openai_tool

from guardrail_langgraph.demo.agent import SYSTEM
from guardrail_langgraph.demo.labelled.recorded_requests import FILE, head, line, load, pack, unpack
from guardrail_langgraph.demo.labelled.traffic import requests
from guardrail_langgraph.demo.recording import request_digest
from guardrail_langgraph.demo.shop import Shop, shop_tools


@pytest.fixture(scope="module")
def recordings():
    return load()


def test_they_are_the_first_requests_of_the_stream_and_none_is_left_out(recordings):
    """Whoever leaves out what went wrong has no sample any more."""
    assert len(recordings) >= 140
    stream = requests(len(recordings))
    assert list(recordings) == [request.text for request in stream]
    assert [recording.task for recording in recordings.values()] == [request.id for request in stream]


def test_each_plan_was_drawn_eight_times_more_with_log_probabilities(recordings):
    for recording in recordings.values():
        (step,) = recording.steps.values()
        assert step.plan.tokens
        assert all(logprob <= 0 for _, logprob in step.plan.tokens)
        assert len(step.samples) == (8 if step.plan.calls else 0)
        assert all(sample.tokens for sample in step.samples)


def test_the_request_that_was_recorded_is_the_one_that_the_demo_sends(recordings):
    tools = [convert_to_openai_tool(tool) for tool in shop_tools(lambda _: Shop(":memory:"))]
    for text, recording in recordings.items():
        sent = [SystemMessage(SYSTEM), HumanMessage(text)]
        assert recording.steps[""].request == request_digest(sent, tools)


def test_they_say_where_they_come_from_and_are_small(recordings):
    assert len(files("guardrail_langgraph.demo").joinpath("recordings", FILE).read_bytes()) < 700_000
    for recording in recordings.values():
        assert recording.model
        assert recording.server
        assert recording.date
        assert recording.settings["temperature"] == {"plan": 0, "samples": 1}


def test_packing_loses_nothing_but_decimals_and_gives_the_same_bytes_again(recordings):
    lines = [head(next(iter(recordings.values()))), *(line(recording) for recording in recordings.values())]
    assert unpack("\n".join(lines)) == recordings
    assert pack(recordings.values()) == pack(unpack("\n".join(lines)).values())
