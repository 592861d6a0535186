"""One counting server and two clients for all tests, and both doors of the sampler."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from openai import AsyncOpenAI, OpenAI

from guardrail.types import PlanningStep, Question, ReplyBatch, Sample, SampleBatch
from guardrail_openai import OpenAIRequest, OpenAISampler, tool_specs
from tests.support.openai_server import OpenAIServer, call

PAY = {
    "type": "function",
    "function": {
        "name": "pay",
        "description": "Pay somebody.",
        "parameters": {
            "type": "object",
            "properties": {"amount": {"type": "integer"}, "to": {"type": "string"}},
            "required": ["amount"],
        },
    },
}
PAY_FLAT = {"type": "function", **PAY["function"]}
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "pay 100"}], "tools": [PAY]}
RESPONSES: dict[str, Any] = {"model": "m", "input": "pay 100", "tools": [PAY_FLAT]}

Draw = Callable[[OpenAISampler, PlanningStep, int], Awaitable[SampleBatch]]
AskAll = Callable[[OpenAISampler, PlanningStep, list[Question]], Awaitable[ReplyBatch]]


@pytest.fixture(scope="session")
def running() -> Iterator[OpenAIServer]:
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def server(running: OpenAIServer) -> OpenAIServer:
    running.reset(lambda _body, index: call("pay", amount=index))
    return running


@pytest.fixture
def client(server: OpenAIServer) -> Iterator[OpenAI]:
    with OpenAI(api_key="sk-test", base_url=server.url) as client:
        yield client


@pytest.fixture
async def async_client(server: OpenAIServer) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(api_key="sk-test", base_url=server.url) as client:
        yield client


@pytest.fixture
def clients(client: OpenAI, async_client: AsyncOpenAI) -> tuple[OpenAI, AsyncOpenAI]:
    return client, async_client


@pytest.fixture(params=["sync", "async"])
def draw(request: pytest.FixtureRequest) -> Draw:
    """Both doors, so that every test asserts both."""

    async def sync(sampler: OpenAISampler, step: PlanningStep, n: int) -> SampleBatch:
        return await asyncio.to_thread(sampler.sample, step, n)

    async def asynchronous(sampler: OpenAISampler, step: PlanningStep, n: int) -> SampleBatch:
        return await sampler.asample(step, n)

    return sync if request.param == "sync" else asynchronous


@pytest.fixture(params=["sync", "async"])
def ask(request: pytest.FixtureRequest) -> AskAll:
    async def sync(sampler: OpenAISampler, step: PlanningStep, questions: list[Question]) -> ReplyBatch:
        return await asyncio.to_thread(sampler.ask, step, questions)

    async def asynchronous(sampler: OpenAISampler, step: PlanningStep, questions: list[Question]) -> ReplyBatch:
        return await sampler.aask(step, questions)

    return sync if request.param == "sync" else asynchronous


@pytest.fixture(autouse=True)
def quick_backoff(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.sampling.drawing.BACKOFF_SECONDS", 0.01)


def step_for(arguments: dict[str, Any] = CHAT, **more: Any) -> PlanningStep:
    request = OpenAIRequest.of({**arguments, **more})
    return PlanningStep(id="s", planned=Sample(), tools=tool_specs(request.arguments), request=request)


def amounts(batch: SampleBatch) -> list[int]:
    return [one.arguments["amount"] for sample in batch.samples for one in sample.calls]


def statuses(batch: SampleBatch) -> list[str]:
    return [sample.status.value for sample in batch.samples]
