"""The request that planned a step is caught as it was sent, and sent again as it was."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import CallbackManager
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, LLMResult
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, create_react_agent
from pydantic import BaseModel

from guardrail.errors import ConfigError
from guardrail.types import PlanningStep, Sample
from guardrail_langgraph.requests import PlanCapture, PlanningRequest, request_for, watch
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.fake_chat import FakeChat, ai
from tests.support.openai_server import OpenAIServer, agent, call, calls

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


@pytest.fixture(scope="module")
def running() -> Iterator[OpenAIServer]:
    """One address for all tests: clients are cached by it, and slow to make."""
    with OpenAIServer() as server:
        yield server


@pytest.fixture
def server(running: OpenAIServer) -> OpenAIServer:
    running.reset(agent(lambda _body, index: call("pay", amount=100 + index)))
    return running


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


PLANS: dict[str, Callable[[Any], AIMessage]] = {
    "tools": lambda m: m.bind_tools([pay, search]).invoke(GO),
    "system prompt": lambda m: m.bind_tools([pay]).invoke([SystemMessage("Be brief."), *GO]),
    "tool choice": lambda m: m.bind_tools([pay], tool_choice="pay").invoke(GO),
    "no parallel calls": lambda m: m.bind_tools([pay], parallel_tool_calls=False).invoke(GO),
    "strict": lambda m: m.bind_tools([pay], strict=True).invoke(GO),
    "stop": lambda m: m.bind_tools([pay]).invoke(GO, stop=["END"]),
    "bound stop": lambda m: m.bind_tools([pay]).bind(stop=["END"]).invoke(GO),
    "call settings": lambda m: m.bind_tools([pay]).invoke(GO, max_tokens=50, reasoning_effort="low", top_p=0.9),
    "call temperature": lambda m: m.bind_tools([pay]).invoke(GO, temperature=0.7, seed=9),
    "another model name": lambda m: m.bind_tools([pay]).bind(model="m2").invoke(GO),
    "extra body": lambda m: m.bind_tools([pay]).invoke(GO, extra_body={"chat_template_kwargs": {"thinking": False}}),
    "json": lambda m: m.bind_tools([pay], strict=True).invoke(GO, response_format={"type": "json_object"}),
    "with_config": lambda m: m.bind_tools([pay]).with_config(tags=["x"]).invoke(GO),
    "with_retry": lambda m: m.bind_tools([pay]).with_retry().invoke(GO),
    "history": lambda m: m.bind_tools([pay]).invoke(
        [
            *GO,
            AIMessage("", id="a1", tool_calls=[{"name": "pay", "args": {"amount": 1}, "id": "c1"}]),
            ToolMessage("paid", tool_call_id="c1", name="pay"),
            HumanMessage("again", name="ann"),
        ]
    ),
    "image url": lambda m: m.bind_tools([pay]).invoke(
        [HumanMessage([{"type": "text", "text": "?"}, {"type": "image_url", "image_url": {"url": "http://x/y.png"}}])]
    ),
    "image block": lambda m: m.bind_tools([pay]).invoke(
        [HumanMessage([{"type": "image", "base64": "aGk=", "mime_type": "image/png"}])]
    ),
    "old image block": lambda m: m.bind_tools([pay]).invoke(
        [HumanMessage([{"type": "image", "source_type": "base64", "data": "aGk=", "mime_type": "image/png"}])]
    ),
    "file block": lambda m: m.bind_tools([pay]).invoke(
        [HumanMessage([{"type": "file", "base64": "aGk=", "mime_type": "application/pdf", "filename": "a.pdf"}])]
    ),
    "streaming": lambda m: _merged(m.bind_tools([pay]).stream(GO)),
}


def _merged(chunks: Iterator[AIMessageChunk]) -> AIMessage:
    whole = next(chunks)
    for chunk in chunks:
        whole += chunk
    return whole


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
def test_the_request_is_sent_again_as_it_was(server: OpenAIServer, plan: Callable[[Any], AIMessage]) -> None:
    model = chat(server)
    capture = PlanCapture()
    message = plan(watch(model, capture))
    assert_replayed(server, model, capture, message)


def test_structured_output_is_replayed(server: OpenAIServer) -> None:
    class Answer(BaseModel):
        text: str

    model = chat(server)
    capture = PlanCapture()
    message = watch(model, capture).bind_tools([pay], response_format=Answer, strict=True).invoke(GO)
    assert_replayed(server, model, capture, message)


@pytest.mark.parametrize(
    "given",
    [
        {"max_tokens": 9, "top_p": 0.5, "stop": ["Z"]},
        {"model_kwargs": {"user": "ann"}, "extra_body": {"seed": 3, "temperature": 0, "top_k": 40}},
        {"streaming": True, "stream_usage": True},
        {"disable_streaming": True},
        {"logprobs": True, "top_logprobs": 2},
        {"n": 2},
        {"use_responses_api": False, "model": "gpt-5-mini", "temperature": None},
        {"model": "o3-mini", "temperature": None},
    ],
    ids=str,
)
def test_the_models_own_settings_are_replayed(server: OpenAIServer, given: dict[str, Any]) -> None:
    model = chat(server, **given)
    capture = PlanCapture()
    message = watch(model, capture).bind_tools([pay]).invoke([SystemMessage("S"), *GO])
    planned = server.requests[-1]
    ChatModelSampler(model).sample(step_of(capture, message), 3)
    again = server.requests[-1]
    # the client writes the extra body into the body
    assert core(again) == core(planned)
    assert (again["n"], again["temperature"], again.get("seed")) == (3, 1.0, None)


def test_stop_words_of_the_call_win_over_those_of_the_model(server: OpenAIServer) -> None:
    model = chat(server, stop=["MODEL"])
    capture = PlanCapture()
    message = watch(model, capture).invoke(GO, stop=["CALL"])
    assert server.requests[-1]["stop"] == ["CALL"]
    assert_replayed(server, model, capture, message)


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


def test_as_a_callback_of_the_run(server: OpenAIServer) -> None:
    model = chat(server)
    capture = PlanCapture(model)
    message = model.bind_tools([pay]).invoke(GO, {"callbacks": [capture]})
    assert_replayed(server, model, capture, message)


def test_without_the_model_the_settings_of_the_call_are_known(server: OpenAIServer) -> None:
    model = chat(server)
    capture = PlanCapture()
    message = model.bind_tools([pay], tool_choice="pay", parallel_tool_calls=False).invoke(
        GO, {"callbacks": [capture]}, stop=["END"]
    )
    assert_replayed(server, model, capture, message)


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


def ended(capture: PlanCapture, message: AIMessage, *, text: str = "go", tags: list[str] | None = None) -> None:
    run_id = uuid.uuid4()
    capture.on_chat_model_start({}, [[HumanMessage(text)]], run_id=run_id, tags=tags, invocation_params={})
    capture.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run_id)


def test_a_message_whose_id_was_changed_is_found_by_its_calls() -> None:
    capture = PlanCapture()
    message = ai(amount=1, id="call_1")
    ended(capture, message)
    assert capture.lookup(message.model_copy(update={"id": "other"})) is not None
    planned = capture.plan_of("call_1")
    assert planned is not None
    assert planned.tool_calls == message.tool_calls


def test_call_ids_that_tell_several_requests_tell_none() -> None:
    capture = PlanCapture()
    ended(capture, ai(amount=1, id="call_0"), text="one")
    assert capture.plan_of("call_0") is not None
    ended(capture, ai(amount=2, id="call_0"), text="two")
    assert capture.plan_of("call_0") is None
    assert capture.lookup(ai(amount=2, id="call_0")) is None


def test_message_ids_that_tell_several_requests_tell_none() -> None:
    capture = PlanCapture()
    message = ai(amount=1, id="call_0").model_copy(update={"id": "m0"})
    for _ in range(2):
        ended(capture, message, text="one")
        assert capture.lookup(message) is not None
    for text in ("two", "three"):
        ended(capture, message, text=text)
        assert capture.lookup(message) is None


def test_messages_without_calls_and_unknown_ones_are_not_found() -> None:
    capture = PlanCapture()
    ended(capture, ai(amount=1))
    assert capture.lookup(AIMessage("hello")) is None
    assert capture.plan_of("other") is None


def test_the_guards_own_requests_are_not_plans() -> None:
    capture = PlanCapture()
    ended(capture, ai(amount=1, id="call_1"), tags=["guardrail:resample"])
    assert capture.plan_of("call_1") is None


def test_failed_requests_are_forgotten() -> None:
    capture = PlanCapture()
    run_id = uuid.uuid4()
    capture.on_chat_model_start({}, [GO], run_id=run_id, invocation_params={})
    capture.on_llm_error(ValueError(), run_id=run_id)
    capture.on_llm_end(LLMResult(generations=[[ChatGeneration(message=ai(amount=1, id="call_1"))]]), run_id=run_id)
    assert capture.plan_of("call_1") is None


def test_the_oldest_are_forgotten_first() -> None:
    capture = PlanCapture(size=2)
    messages = [ai(amount=k, id=f"call_{k}").model_copy(update={"id": f"m{k}"}) for k in range(3)]
    for message in messages[:2]:
        ended(capture, message, text=message.id)
    assert capture.lookup(messages[0]) is not None
    ended(capture, messages[2])
    assert [capture.lookup(message) is not None for message in messages] == [True, False, True]


def test_messages_changed_afterwards_do_not_change_the_request() -> None:
    capture = PlanCapture()
    asked, run_id = HumanMessage("pay 100"), uuid.uuid4()
    message = ai(amount=100, id="call_1")
    capture.on_chat_model_start({}, [[asked]], run_id=run_id, invocation_params={})
    asked.content = "pay 900"
    capture.on_llm_end(LLMResult(generations=[[ChatGeneration(message=message)]]), run_id=run_id)
    plan = capture.lookup(message)
    assert plan is not None
    assert plan.request.messages[0].content == "pay 100"


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


def test_the_digest_is_of_what_is_sent() -> None:
    def request(**given: Any) -> PlanningRequest:
        return PlanningRequest(**{"messages": (HumanMessage("go"),), "settings": {"tools": [{"name": "pay"}]}, **given})

    same = request().digest
    assert request(messages=(HumanMessage("go", id="other", response_metadata={"a": 1}),)).digest == same
    different = [
        request(messages=(HumanMessage("stop"),)),
        request(messages=(SystemMessage("go"),)),
        request(settings={"tools": []}),
        request(model="m"),
        request(defaults={"top_p": 0.5}),
        request(settings={"tools": [{"name": "pay"}], "x": float("nan"), "y": object(), "z": {1}, "t": PlanCapture}),
    ]
    assert len({same, *[one.digest for one in different]}) == len(different) + 1


def test_the_request_of_a_bound_model_can_be_made(server: OpenAIServer) -> None:
    bound = chat(server).bind_tools([pay], tool_choice="pay").bind(stop=["END"])
    bound.invoke(GO)
    planned = server.requests[-1]
    step = PlanningStep(id="s", planned=Sample(), tools=(), request=request_for(bound, GO))
    ChatModelSampler(bound).sample(step, 2)
    assert core(server.requests[-1]) == core(planned)


def test_a_made_request_equals_the_caught_one(server: OpenAIServer) -> None:
    model = chat(server)
    capture = PlanCapture()
    bound = watch(model.bind_tools([pay]), capture)
    plan = capture.lookup(bound.invoke(GO))
    assert plan is not None
    assert plan.request.digest == request_for(bound, GO).digest


def test_several_calls_of_one_message(server: OpenAIServer) -> None:
    server.reply = lambda _body, _index: calls(("pay", {"amount": 1}), ("search", {"query": "x"}))
    capture = PlanCapture()
    message = watch(chat(server), capture).bind_tools([pay, search]).invoke(GO)
    assert [capture.plan_of(one["id"]).id for one in message.tool_calls] == [message.id] * 2
