"""Both doors of the sampler, and the server that it draws from."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from guardrail.types import PlanningStep, SampleBatch
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.drawing import Draw
from tests.support.openai_server import OpenAIServer, call


@pytest.fixture(params=["sync", "async"])
def draw(request: pytest.FixtureRequest) -> Draw:
    """Both doors, so that every test asserts both."""

    async def sync(sampler: ChatModelSampler, step: PlanningStep, n: int) -> SampleBatch:
        return await asyncio.to_thread(sampler.sample, step, n)

    async def asynchronous(sampler: ChatModelSampler, step: PlanningStep, n: int) -> SampleBatch:
        return await sampler.asample(step, n)

    return sync if request.param == "sync" else asynchronous


@pytest.fixture(scope="module")
def running() -> Iterator[OpenAIServer]:
    """One address for all tests: clients are cached by it, and slow to make."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def server(running: OpenAIServer) -> OpenAIServer:
    running.reset(lambda _body, index: call("pay", amount=index))
    return running


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.sampling.drawing.BACKOFF_SECONDS", 0.01)
