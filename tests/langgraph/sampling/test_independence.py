"""Samples are drawn independently: no cache, no seed, no greedy decoding."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.globals import set_llm_cache

from guardrail.errors import SamplingError
from guardrail.sampling import inspect, provenance
from guardrail.types import PlanningStep, Sample
from guardrail_langgraph.requests import PlanningRequest
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.drawing import GO, Draw, amounts, chat, statuses, step_for
from tests.support.openai_server import OpenAIServer


@pytest.mark.parametrize("use_n", [None, False])
async def test_a_cache_does_not_make_samples_equal(server: OpenAIServer, draw: Draw, use_n: bool | None) -> None:
    set_llm_cache(InMemoryCache())
    try:
        for own in (None, True, InMemoryCache()):
            model = chat(server, cache=own)
            sampler = ChatModelSampler(model, use_n=use_n)
            server.clear()
            batches = [await draw(sampler, step_for(model), 3) for _ in range(2)]
            assert len({amount for batch in batches for amount in amounts(batch)}) == 6
            assert statuses(batches[0]) + statuses(batches[1]) == ["ok"] * 6
    finally:
        set_llm_cache(None)


async def test_a_cache_in_front_of_the_model_is_recognised(server: OpenAIServer, draw: Draw) -> None:
    server.n = "ignore"
    server.echo = True
    model = chat(server)
    sampler = ChatModelSampler(model)
    batch = await draw(sampler, step_for(model), 3)
    # the request with n and those without are different to the cache
    assert sorted(statuses(batch)) == ["not_independent", "ok", "ok"]
    again = await draw(sampler, step_for(model), 2)
    seen = {provenance(sample) for sample in batch.samples}
    assert [one.status.value for one in inspect(again.samples, seen)] == ["not_independent"] * 2


@pytest.mark.parametrize(
    "given",
    [
        {"seed": 3},
        {"temperature": 0.0},
        {"streaming": True},
        {"model_kwargs": {"user": "ann"}, "extra_body": {"seed": 3, "temperature": 0}},
    ],
    ids=str,
)
async def test_seed_temperature_and_streaming_are_the_samplers(
    server: OpenAIServer, draw: Draw, given: dict[str, Any]
) -> None:
    model = chat(server, **given)
    await draw(ChatModelSampler(model), step_for(model), 2)
    (body,) = server.requests
    assert (body["temperature"], "seed" in body, body.get("stream", False), body["n"]) == (1.0, False, False, 2)


@pytest.mark.parametrize("name", ["gpt-5-chat-latest", "gpt-5-mini", "o3-mini", "gpt-4o", "local"])
async def test_the_temperature_reaches_the_request(server: OpenAIServer, draw: Draw, name: str) -> None:
    model = chat(server, model=name, temperature=None, use_responses_api=False)
    await draw(ChatModelSampler(model, temperature=0.8), step_for(model), 2)
    assert [body["temperature"] for body in server.requests] == [0.8]


async def test_settings_of_the_call_do_not_bring_seed_or_temperature_back(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server)
    settings = {
        "seed": 5,
        "temperature": 0,
        "n": 9,
        "stream": False,
        "extra_body": {"seed": 1, "temperature": 0, "top_k": 4},
    }
    step = PlanningStep(
        id="s", planned=Sample(), tools=(), request=PlanningRequest(messages=tuple(GO), settings=settings)
    )
    await draw(ChatModelSampler(model), step, 2)
    (body,) = server.requests
    assert (body["temperature"], body.get("seed"), body["n"], body["top_k"]) == (1.0, None, 2, 4)


@pytest.mark.parametrize("given", [{"top_p": 0}, {"extra_body": {"top_k": 1}}, {"model_kwargs": {"top_k": 1}}], ids=str)
async def test_greedy_decoding_is_no_evidence(server: OpenAIServer, draw: Draw, given: dict[str, Any]) -> None:
    model = chat(server, **given)
    with pytest.raises(SamplingError, match="makes all samples the same"):
        await draw(ChatModelSampler(model), step_for(model), 2)
    assert server.requests == []


async def test_a_temperature_of_none_is_the_planning_requests(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server, temperature=0.4)
    await draw(ChatModelSampler(model, temperature=None), step_for(model), 2)
    assert [body["temperature"] for body in server.requests] == [0.4]
    with pytest.raises(SamplingError, match="temperature=0"):
        await draw(
            ChatModelSampler(chat(server, temperature=0), temperature=None), step_for(chat(server, temperature=0)), 2
        )
