"""A request caught and sent again, for tests of the capture."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI

from guardrail.types import PlanningStep
from guardrail_langgraph.requests import PlanCapture
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.openai_server import OpenAIServer

VARIED = ("n", "temperature", "seed", "stream", "stream_options")


GO = [HumanMessage("pay 100")]


@tool
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


@tool
def search(query: str) -> str:
    """Search."""
    return query


def chat(server: OpenAIServer, **given: Any) -> ChatOpenAI:
    return ChatOpenAI(**{"model": "m", "api_key": "x", "base_url": server.url, "temperature": 0.2, "seed": 3, **given})


def core(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key not in VARIED}


def step_of(capture: PlanCapture, message: AIMessage) -> PlanningStep:
    plan = capture.lookup(message)
    assert plan is not None
    return PlanningStep(id="s", planned=plan.planned, tools=(), request=plan.request)


def assert_replayed(server: OpenAIServer, model: ChatOpenAI, capture: PlanCapture, message: AIMessage) -> None:
    """The last request planned ``message``; drawn again, it differs in the named settings only."""
    planned = server.requests[-1]
    batch = ChatModelSampler(model).sample(step_of(capture, message), 3)
    again = server.requests[-1]
    assert len(batch.samples) == 3
    assert core(again) == core(planned)
    assert (again["n"], again["temperature"], again.get("seed"), again.get("stream", False)) == (3, 1.0, None, False)
    assert "stream_options" not in again
