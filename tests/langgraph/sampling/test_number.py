"""How many samples come, in how many requests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from guardrail.types import Usage
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.drawing import Draw, amounts, chat, statuses, step_for
from tests.support.fake_chat import FakeChat, ai
from tests.support.openai_server import OpenAIServer, call


async def test_all_samples_in_one_request(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server)
    batch = await draw(ChatModelSampler(model), step_for(model), 5)
    assert [body["n"] for body in server.requests] == [5]
    assert amounts(batch) == [0, 1, 2, 3, 4]
    assert (batch.usage.requests, batch.usage.prompt_tokens, batch.usage.completion_tokens) == (1, 50, 35)
    assert batch.usage.seconds > 0


async def test_an_ignored_n_is_topped_up_at_once_and_remembered(server: OpenAIServer, draw: Draw) -> None:
    server.n = "ignore"
    server.delay = 0.05
    model = chat(server)
    sampler = ChatModelSampler(model)
    batch = await draw(sampler, step_for(model), 6)
    assert sorted(amounts(batch)) == list(range(6))
    assert [body.get("n") for body in server.requests] == [6] + [None] * 5
    assert server.most_at_once > 1
    assert (batch.usage.requests, batch.usage.prompt_tokens, batch.usage.completion_tokens) == (6, 300, 42)
    server.clear()
    await draw(sampler, step_for(model), 3)
    assert [body.get("n") for body in server.requests] == [None] * 3


async def test_a_refused_n_is_split_and_remembered(server: OpenAIServer, draw: Draw) -> None:
    server.n = 2
    model = chat(server)
    sampler = ChatModelSampler(model)
    batch = await draw(sampler, step_for(model), 8)
    assert sorted(amounts(batch)) == list(range(8))
    assert [body["n"] for body in server.requests] == [8, 4, 4, 2, 2, 2, 2]
    assert batch.usage.completion_tokens == 56
    server.clear()
    await draw(sampler, step_for(model), 4)
    assert [body["n"] for body in server.requests] == [2, 2]


async def test_more_choices_than_asked_for(server: OpenAIServer, draw: Draw) -> None:
    server.reply = lambda _body, _index: [call("pay", amount=k) for k in range(7)]
    model = chat(server)
    batch = await draw(ChatModelSampler(model), step_for(model), 3)
    assert amounts(batch) == [0, 1, 2]
    assert batch.usage.completion_tokens == 49


async def test_no_more_requests_at_once_than_allowed(server: OpenAIServer, draw: Draw) -> None:
    server.delay = 0.05
    model = chat(server)
    await draw(ChatModelSampler(model, use_n=False, concurrency=3), step_for(model), 8)
    assert len(server.requests) == 8
    assert server.most_at_once <= 3


@pytest.mark.parametrize("given", [{}, {"use_n": False}], ids=str)
async def test_models_without_n(draw: Draw, given: dict[str, Any]) -> None:
    model = FakeChat(script=lambda _messages, index, _settings: ai(amount=index, id=f"call_{index}"), seed=3)
    batch = await draw(ChatModelSampler(model, **given), step_for(model), 4)
    assert sorted(amounts(batch)) == [0, 1, 2, 3]
    assert [(one["temperature"], one["seed"], one.get("n")) for one in model.log] == [(1.0, None, None)] * 4
    assert batch.usage == Usage(requests=4, seconds=batch.usage.seconds)


async def test_a_model_that_gives_one_message_for_any_n(draw: Draw) -> None:
    model = FakeChat(script=lambda _messages, index, _settings: ai(amount=index))
    sampler = ChatModelSampler(model, use_n=True)
    assert sorted(amounts(await draw(sampler, step_for(model), 3))) == [0, 1, 2]
    assert [one.get("n") for one in model.log] == [3, None, None]


async def test_a_model_that_knows_no_n(draw: Draw) -> None:
    def script(_messages: Any, index: int, settings: dict[str, Any]) -> Any:
        if "n" in settings:
            raise TypeError("unexpected keyword argument 'n'")
        return ai(amount=index)

    model = FakeChat(script=script)
    sampler = ChatModelSampler(model, use_n=True)
    for _ in range(2):
        assert statuses(await draw(sampler, step_for(model), 4)) == ["ok"] * 4
    assert [one.get("n") for one in model.log] == [4] + [None] * 8


async def test_a_number_of_choices_of_the_model_is_not_paid_for(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server, n=2)
    await draw(ChatModelSampler(model, use_n=False), step_for(model), 3)
    assert server.choices == 3


async def test_one_sampler_for_many_at_once(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server)
    sampler = ChatModelSampler(model)
    batches = await asyncio.gather(*[draw(sampler, step_for(model), 3) for _ in range(8)])
    assert sorted(amount for batch in batches for amount in amounts(batch)) == list(range(24))


def test_n_is_at_least_one(server: OpenAIServer) -> None:
    with pytest.raises(ValueError, match="at least one"):
        ChatModelSampler(chat(server)).sample(step_for(chat(server)), 0)
