"""Which models and requests are watched, and the user's objects are left alone."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManager
from langchain_core.messages import AIMessage, HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, create_react_agent

from guardrail.errors import ConfigError
from guardrail_langgraph.requests import PlanCapture, watch
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.capturing import GO, chat, core, pay, search, step_of
from tests.support.fake_chat import FakeChat, ai
from tests.support.openai_server import OpenAIServer, calls


def test_the_users_model_is_not_touched(server: OpenAIServer) -> None:
    model = chat(server, callbacks=[], tags=["mine"])
    before = dict(model.__dict__)
    capture = PlanCapture()
    watched = watch(model.bind_tools([pay]), capture)
    ChatModelSampler(watched)
    assert {k: v for k, v in model.__dict__.items() if k in before} == before
    assert model.callbacks == []
    assert capture.lookup(model.bind_tools([pay]).invoke(GO)) is None
    assert capture.lookup(watched.invoke(GO)) is not None


def test_callback_managers_are_kept(server: OpenAIServer) -> None:
    manager = CallbackManager(handlers=[])
    model = chat(server, callbacks=manager)
    capture = PlanCapture()
    assert capture.lookup(watch(model, capture).invoke(GO)) is not None
    assert manager.handlers == []


def test_only_chat_models_are_watched(server: OpenAIServer) -> None:
    model = chat(server)
    for other in (model | (lambda message: message), model.with_fallbacks([model])):
        with pytest.raises(ConfigError, match="not a chat model"):
            watch(other, PlanCapture())


def test_requests_that_the_model_could_not_send_are_not_kept(server: OpenAIServer) -> None:
    capture = PlanCapture(chat(server, top_p=0.5))
    assert capture.lookup(chat(server).invoke(GO, {"callbacks": [capture]})) is None
    other = PlanCapture(ChatOpenAI(model="m", api_key="x", base_url="http://localhost:1/v1", temperature=0.2, seed=3))
    assert other.lookup(chat(server).invoke(GO, {"callbacks": [other]})) is None
    fake = FakeChat(script=lambda *_: ai(amount=1))
    assert capture.lookup(fake.invoke(GO, {"callbacks": [capture]})) is None


def test_requests_with_redacted_credentials_are_not_kept(server: OpenAIServer) -> None:
    model = chat(server, use_responses_api=False)
    capture = PlanCapture()
    remote = {"type": "mcp", "server_label": "x", "server_url": "http://x", "headers": {"Authorization": "secret"}}
    assert capture.lookup(watch(model, capture).bind(tools=[remote]).invoke(GO)) is None


def react(model: Any) -> Any:
    return create_react_agent(model, [pay], prompt="SYS")


def langchain_agent(model: Any) -> Any:
    return create_agent(model, [pay], system_prompt="SYS")


def graph(model: Any) -> Any:
    bound = model.bind_tools([pay])
    builder = StateGraph(MessagesState)
    builder.add_node("agent", lambda state: {"messages": [bound.invoke([SystemMessage("SYS"), *state["messages"]])]})
    builder.add_node("tools", ToolNode([pay]))
    builder.add_edge(START, "agent")
    builder.add_conditional_edges("agent", lambda s: "tools" if s["messages"][-1].tool_calls else END, ["tools", END])
    builder.add_edge("tools", "agent")
    return builder.compile()


@pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
@pytest.mark.parametrize("build", [react, langchain_agent, graph])
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_messages_in_an_agents_state_are_found(server: OpenAIServer, build: Any, way: str) -> None:
    model = chat(server)
    capture = PlanCapture()
    app = build(watch(model, capture))
    state: dict[str, Any] = {}
    if way == "invoke":
        state = app.invoke({"messages": GO})
    elif way == "ainvoke":
        state = await app.ainvoke({"messages": GO})
    elif way == "stream":
        for mode, value in app.stream({"messages": GO}, stream_mode=["messages", "values"]):
            state = value if mode == "values" else state
    else:
        async for mode, value in app.astream({"messages": GO}, stream_mode=["messages", "values"]):
            state = value if mode == "values" else state
    planned = server.requests[0]
    assert planned["messages"][0] == {"role": "system", "content": "SYS"}
    message = next(m for m in state["messages"] if isinstance(m, AIMessage) and m.tool_calls)
    ChatModelSampler(model).sample(step_of(capture, message), 2)
    assert core(server.requests[-1]) == core(planned)
    plan = capture.lookup(message)
    assert plan is not None
    assert [one.name for one in plan.planned.calls] == ["pay"]
    assert plan.planned.calls[0].arguments == message.tool_calls[0]["args"]


def test_several_calls_of_one_message(server: OpenAIServer) -> None:
    server.reply = lambda _body, _index: calls(("pay", {"amount": 1}), ("search", {"query": "x"}))
    capture = PlanCapture()
    message = watch(chat(server), capture).bind_tools([pay, search]).invoke(GO)
    assert [capture.plan_of(one["id"]).id for one in message.tool_calls] == [message.id] * 2


def test_many_threads_and_tasks(server: OpenAIServer) -> None:
    model = chat(server)
    capture = PlanCapture()
    watched = watch(model, capture).bind_tools([pay])

    def plan(k: int) -> bool:
        found = capture.lookup(watched.invoke([HumanMessage(f"pay {k}")]))
        return found is not None and found.request.messages[0].content == f"pay {k}"

    async def aplan(k: int) -> bool:
        found = capture.lookup(await watched.ainvoke([HumanMessage(f"pay {k}")]))
        return found is not None and found.request.messages[0].content == f"pay {k}"

    async def together() -> list[bool]:
        return await asyncio.gather(*[aplan(k) for k in range(10)])

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(plan, range(20)))
    assert all(asyncio.run(together()))
