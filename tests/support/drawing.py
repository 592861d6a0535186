"""A payment agent's model drawn again, for tests of the sampler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from guardrail.types import PlanningStep, Sample, SampleBatch
from guardrail_langgraph.requests import request_for
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.openai_server import OpenAIServer

GO = [HumanMessage("pay 100")]


@tool
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


Draw = Callable[[ChatModelSampler, PlanningStep, int], Awaitable[SampleBatch]]


def chat(server: OpenAIServer, **given: Any) -> ChatOpenAI:
    return ChatOpenAI(**{"model": "m", "api_key": "x", "base_url": server.url, "temperature": 0.2, **given})


def step_for(model: Any) -> PlanningStep:
    return PlanningStep(id="s", planned=Sample(), tools=(), request=request_for(model.bind_tools([pay]), GO))


def amounts(batch: SampleBatch) -> list[int]:
    return [one.arguments["amount"] for sample in batch.samples for one in sample.calls]


def statuses(batch: SampleBatch) -> list[str]:
    return [sample.status.value for sample in batch.samples]
