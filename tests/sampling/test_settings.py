"""What shapes a drawing, as the fingerprint has it: by the helper, and by every sampler that says it."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from openai import OpenAI
from pydantic import SecretStr

from guardrail.sampling import Shaped, shaping
from guardrail.types import PlanningStep, Sample
from guardrail_langgraph import ChatModelSampler
from guardrail_langgraph.requests import request_for
from guardrail_openai import OpenAISampler
from guardrail_openai.requests import OpenAIRequest


def step(request: Any = None) -> PlanningStep:
    return PlanningStep(id="m1", planned=Sample(), tools=(), request=request)


@pytest.mark.parametrize(
    ("settings", "temperature", "expected"),
    [
        ({}, None, {}),
        ({"temperature": 0.2}, 1.0, {"temperature": "1"}),
        ({"temperature": 0.2}, None, {"temperature": "0.2"}),
        ({"top_p": 0.95, "messages": [], "user": "x", "seed": 3}, 1.0, {"temperature": "1", "top_p": "0.95"}),
        ({"extra_body": {"min_p": 0.1, "top_k": 40}, "top_k": 20}, None, {"min_p": "0.1", "top_k": "20"}),
        ({"reasoning": {"effort": "low"}, "top_p": None}, None, {"reasoning": '{"effort":"low"}'}),
        ({"thinking": object(), "verbosity": "low"}, None, {"thinking": "object", "verbosity": "low"}),
        ({"reasoning": True}, None, {"reasoning": "true"}),
    ],
)
def test_what_shapes_a_drawing(settings: dict[str, Any], temperature: float | None, expected: dict[str, str]) -> None:
    assert shaping(settings, temperature) == expected


def openai_sampler(**options: Any) -> OpenAISampler:
    return OpenAISampler(OpenAI(api_key="none", base_url="http://localhost:1"), **options)


def test_openais_sampler_says_what_its_requests_say() -> None:
    request = OpenAIRequest.of({"model": "m", "messages": [], "top_p": 0.9, "temperature": 0.1, "max_tokens": 5})
    assert openai_sampler().settings(step(request)) == {"temperature": "1", "top_p": "0.9"}
    assert openai_sampler(temperature=None).settings(step(request)) == {"temperature": "0.1", "top_p": "0.9"}
    assert openai_sampler(temperature=0.7).settings(step()) == {"temperature": "0.7"}


def test_a_chat_models_sampler_knows_the_models_own_settings_too() -> None:
    model = ChatOpenAI(model="m", api_key=SecretStr("none"), top_p=0.8, temperature=0.0)
    sampler = ChatModelSampler(model)
    request = request_for(model.bind(frequency_penalty=0.5), [])
    assert sampler.settings(step(request)) == {"frequency_penalty": "0.5", "temperature": "1", "top_p": "0.8"}
    assert sampler.settings(step()) == {"temperature": "1"}


def test_samplers_that_say_it_are_told_from_those_that_do_not() -> None:
    class Silent:
        name = "silent"

    assert isinstance(openai_sampler(), Shaped)
    assert not isinstance(Silent(), Shaped)
