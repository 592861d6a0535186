"""Samples are heard by nobody, and the user's model is left alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler, get_usage_metadata_callback
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph

from guardrail.types import PlanningStep
from guardrail_langgraph.requests import PlanCapture, watch
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.drawing import GO, Draw, chat, pay, step_for
from tests.support.openai_server import OpenAIServer


class Heard(BaseCallbackHandler):
    def __init__(self) -> None:
        self.starts: list[list[str]] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, *, tags: Any = None, **_: Any) -> None:
        self.starts.append(tags or [])


def guarded(model: ChatOpenAI, draw_in_node: Callable[[ChatModelSampler, PlanningStep], Any]) -> Any:
    """A graph that plans with the model and draws the step again in the next node."""
    capture = PlanCapture()
    bound = watch(model, capture).bind_tools([pay])
    sampler = ChatModelSampler(model)

    def step(state: MessagesState) -> PlanningStep:
        plan = capture.lookup(state["messages"][-1])
        assert plan is not None
        return PlanningStep(id="s", planned=plan.planned, tools=(), request=plan.request)

    builder = StateGraph(MessagesState)
    if asyncio.iscoroutinefunction(draw_in_node):

        async def plan_async(state: MessagesState) -> Any:
            return {"messages": [await bound.ainvoke(state["messages"])]}

        async def guard_async(state: MessagesState) -> Any:
            await draw_in_node(sampler, step(state))
            return {}

        builder.add_node("agent", plan_async)
        builder.add_node("guard", guard_async)
    else:
        builder.add_node("agent", lambda state: {"messages": [bound.invoke(state["messages"])]})
        builder.add_node("guard", lambda state: draw_in_node(sampler, step(state)) and {})
    builder.add_edge(START, "agent")
    builder.add_edge("agent", "guard")
    builder.add_edge("guard", END)
    return builder.compile()


@pytest.mark.parametrize("n", ["honour", "ignore"])
def test_samples_are_not_heard_in_a_graph(server: OpenAIServer, n: Any) -> None:
    server.n = n
    heard, usage = Heard(), UsageMetadataCallbackHandler()
    app = guarded(chat(server), lambda sampler, step: sampler.sample(step, 4))
    chunks = list(app.stream({"messages": GO}, {"callbacks": [heard, usage]}, stream_mode="messages"))
    nodes = {metadata["langgraph_node"] for _, metadata in chunks}
    assert nodes == {"agent"}
    assert server.choices == 5
    assert len(heard.starts) == 1
    assert len(usage.usage_metadata) <= 1


async def test_samples_are_not_heard_in_an_asynchronous_graph(server: OpenAIServer) -> None:
    heard = Heard()

    async def drawing(sampler: ChatModelSampler, step: PlanningStep) -> None:
        await sampler.asample(step, 4)

    app = guarded(chat(server), drawing)
    nodes = set()
    async for _, metadata in app.astream({"messages": GO}, {"callbacks": [heard]}, stream_mode="messages"):
        nodes.add(metadata["langgraph_node"])
    assert nodes == {"agent"}
    assert server.choices == 5
    assert len(heard.starts) == 1


async def test_samples_are_not_events(server: OpenAIServer) -> None:
    async def drawing(sampler: ChatModelSampler, step: PlanningStep) -> None:
        await sampler.asample(step, 4)

    events = [event async for event in guarded(chat(server), drawing).astream_events({"messages": GO}, version="v2")]
    assert sum(event["event"] == "on_chat_model_start" for event in events) == 1


async def test_callbacks_of_the_model_hear_each_request_once_with_a_tag(server: OpenAIServer, draw: Draw) -> None:
    heard = Heard()
    model = chat(server, callbacks=[heard])
    await draw(ChatModelSampler(model), step_for(model), 4)
    assert len(heard.starts) == 1
    assert "guardrail:resample" in heard.starts[0]


async def test_usage_of_the_surrounding_code_is_not_counted_n_times(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server)
    with get_usage_metadata_callback() as counted:
        await draw(ChatModelSampler(model), step_for(model), 4)
    assert sum(one["output_tokens"] for one in counted.usage_metadata.values()) <= 28
