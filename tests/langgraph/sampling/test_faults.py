"""Endpoints that limit, fail, hang or cannot be reached."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest
from langgraph.errors import GraphInterrupt

from guardrail.errors import ConfigError, SamplingError
from guardrail.types import PlanningStep, Sample
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.drawing import Draw, chat, statuses, step_for
from tests.support.fake_chat import FakeChat, ai
from tests.support.openai_server import Fault, OpenAIServer, rate_limited


async def test_rate_limits_are_waited_for(server: OpenAIServer, draw: Draw) -> None:
    server.faults = [rate_limited("0.2")]
    model = chat(server)
    started = time.perf_counter()
    batch = await draw(ChatModelSampler(model), step_for(model), 3)
    assert time.perf_counter() - started >= 0.2
    assert server.statuses == [429, 200]
    assert (len(batch.samples), batch.usage.requests) == (3, 2)


async def test_server_errors_are_tried_again_and_not_more_often_than_said(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server, max_retries=5)
    server.faults = [Fault(status=500), Fault(status=503)]
    assert len((await draw(ChatModelSampler(model), step_for(model), 2)).samples) == 2
    server.clear()
    server.faults = [Fault(status=500)] * 50
    with pytest.raises(SamplingError, match="HTTP 500"):
        await draw(ChatModelSampler(model, retries=1, use_n=False), step_for(model), 2)
    assert len(server.requests) == 4


async def test_a_server_that_hangs_is_given_up(server: OpenAIServer, draw: Draw) -> None:
    server.faults = [Fault(hang=True)]
    model = chat(server)
    started = time.perf_counter()
    with pytest.raises(SamplingError, match="timeout"):
        await draw(ChatModelSampler(model, timeout=0.3), step_for(model), 2)
    assert time.perf_counter() - started < 5
    assert len(server.requests) == 1


async def test_what_came_is_kept_when_the_rest_hangs(server: OpenAIServer, draw: Draw) -> None:
    server.faults = [Fault(hang=True)]
    model = chat(server)
    batch = await draw(ChatModelSampler(model, timeout=0.5, use_n=False), step_for(model), 3)
    assert sorted(statuses(batch)) == ["failed", "ok", "ok"]
    assert "timeout" in batch.samples[-1].detail
    assert batch.usage.requests == 3


async def test_an_unreachable_server_is_named(draw: Draw) -> None:
    with OpenAIServer() as server:
        model = chat(server)
    with pytest.raises(SamplingError, match="cannot be reached"):
        await draw(ChatModelSampler(model, retries=1), step_for(model), 2)


async def test_secrets_do_not_get_into_the_message(server: OpenAIServer, draw: Draw) -> None:
    server.faults = [Fault(status=401, message="Incorrect API key provided: sk-secret")]
    model = chat(server)
    with pytest.raises(SamplingError, match="API key") as error:
        await draw(ChatModelSampler(model), step_for(model), 2)
    assert "secret" not in str(error.value)
    assert "sk-secret" in str(error.value.__cause__)


@pytest.mark.parametrize("body", [b"<html>", b"{}", b'{"choices": []}', b'{"choices": null}', b""])
async def test_answers_that_are_none_are_failures(server: OpenAIServer, draw: Draw, body: bytes) -> None:
    server.faults = [Fault(body=body, headers={"content-type": "application/json"})] * 20
    model = chat(server)
    with pytest.raises(SamplingError):
        await draw(ChatModelSampler(model, retries=0), step_for(model), 2)


async def test_a_step_whose_request_is_unknown_is_not_drawn(server: OpenAIServer, draw: Draw) -> None:
    step = PlanningStep(id="s", planned=Sample(), tools=())
    with pytest.raises(SamplingError, match="not known"):
        await draw(ChatModelSampler(chat(server)), step, 2)
    assert server.requests == []


@pytest.mark.parametrize(
    "given", [{"temperature": 0}, {"temperature": -1.0}, {"concurrency": 0}, {"timeout": 0}, {"retries": -1}], ids=str
)
def test_options_that_cannot_be_are_refused(server: OpenAIServer, given: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        ChatModelSampler(chat(server), **given)


async def test_a_model_that_hangs_is_left(draw: Draw) -> None:
    released = threading.Event()

    def script(_messages: Any, index: int, _settings: Any) -> Any:
        if index == 0:
            released.wait(10)
        return ai(amount=index)

    model = FakeChat(script=script)
    started = time.perf_counter()
    try:
        batch = await draw(ChatModelSampler(model, timeout=0.3), step_for(model), 3)
        assert sorted(statuses(batch)) == ["failed", "ok", "ok"]
        assert time.perf_counter() - started < 5
    finally:
        released.set()


async def test_control_flow_passes_through(draw: Draw) -> None:
    def script(*_: Any) -> Any:
        raise GraphInterrupt

    model = FakeChat(script=script)
    with pytest.raises(GraphInterrupt):
        await draw(ChatModelSampler(model, concurrency=1), step_for(model), 8)
    await asyncio.sleep(0.1)
    # what was already being sent cannot be taken back, the rest is not sent
    assert len(model.log) < 8


def test_a_keyboard_interrupt_passes_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def pressed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("guardrail_langgraph.calls.wait", pressed)
    model = FakeChat(script=lambda *_: ai(amount=1))
    with pytest.raises(KeyboardInterrupt):
        ChatModelSampler(model).sample(step_for(model), 2)


async def test_cancelling_stops_all_requests(server: OpenAIServer) -> None:
    server.delay = 0.2
    model = chat(server)
    task = asyncio.create_task(ChatModelSampler(model, use_n=False, concurrency=2).asample(step_for(model), 6))
    await asyncio.sleep(0.1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.4)
    assert len(server.requests) == 2
