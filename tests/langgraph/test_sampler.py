"""Samples from a chat model, against a server that counts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from functools import cached_property
from typing import Any

import httpx
import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler, get_usage_metadata_callback
from langchain_core.globals import set_llm_cache
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langchain_core.tracers._streaming import _StreamingCallbackHandler
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from langgraph.errors import GraphInterrupt
from langgraph.graph import END, START, MessagesState, StateGraph

from guardrail.errors import ConfigError, SamplingError
from guardrail.sampling import inspect, provenance
from guardrail.types import PlanningStep, Sample, SampleBatch, Usage
from guardrail_langgraph.models import own_copy
from guardrail_langgraph.requests import PlanCapture, PlanningRequest, request_for, watch
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.fake_chat import FakeChat, ai
from tests.support.openai_server import Fault, OpenAIServer, call, calls, cut, in_turn, rate_limited, say

GO = [HumanMessage("pay 100")]


@tool
def pay(amount: int) -> str:
    """Pay."""
    return f"paid {amount}"


Draw = Callable[[ChatModelSampler, PlanningStep, int], Awaitable[SampleBatch]]


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


def chat(server: OpenAIServer, **given: Any) -> ChatOpenAI:
    return ChatOpenAI(**{"model": "m", "api_key": "x", "base_url": server.url, "temperature": 0.2, **given})


def step_for(model: Any) -> PlanningStep:
    return PlanningStep(id="s", planned=Sample(), tools=(), request=request_for(model.bind_tools([pay]), GO))


def amounts(batch: SampleBatch) -> list[int]:
    return [one.arguments["amount"] for sample in batch.samples for one in sample.calls]


def statuses(batch: SampleBatch) -> list[str]:
    return [sample.status.value for sample in batch.samples]


async def test_all_samples_in_one_request(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server)
    batch = await draw(ChatModelSampler(model), step_for(model), 5)
    assert [body["n"] for body in server.requests] == [5]
    assert amounts(batch) == [0, 1, 2, 3, 4]
    assert (batch.usage.requests, batch.usage.prompt_tokens, batch.usage.completion_tokens) == (1, 50, 35)
    assert batch.usage.seconds > 0


async def test_provenance_is_kept(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server)
    batch = await draw(ChatModelSampler(model), step_for(model), 3)
    assert len({sample.response_id for sample in batch.samples}) == 1
    assert [sample.choice for sample in batch.samples] == [0, 1, 2]
    alone = await draw(ChatModelSampler(model, use_n=False), step_for(model), 3)
    assert len({provenance(sample) for sample in (*batch.samples, *alone.samples)}) == 6


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


@pytest.mark.parametrize(
    ("reply", "status"),
    [
        (cut("pay", '{"amount": 1'), "truncated"),
        (call("pay", amount=1) | {"finish_reason": "content_filter"}, "truncated"),
        (say(""), "empty"),
        (say("  "), "empty"),
        (calls(("pay", '{"amount": oops}')), "unparsable"),
        (calls(("pay", '{"amount": NaN}')), "unparsable"),
        (calls(("pay", {"amount": 1}), content=""), "ok"),
        (say("which account?"), "ok"),
    ],
)
async def test_what_is_no_evidence_has_its_name(server: OpenAIServer, draw: Draw, reply: Any, status: str) -> None:
    server.reply = in_turn(call("pay", amount=1), reply)
    model = chat(server)
    batch = await draw(ChatModelSampler(model), step_for(model), 2)
    assert statuses(batch) == ["ok", status]


async def test_a_choice_over_which_the_client_breaks_does_not_spoil_the_others(
    server: OpenAIServer, draw: Draw
) -> None:
    server.reply = lambda _body, index: call("pay", amount=1) if index % 2 else calls(("pay", "[1, 2]"))
    model = chat(server)
    sampler = ChatModelSampler(model)
    batch = await draw(sampler, step_for(model), 4)
    assert sorted(statuses(batch)) == ["ok", "ok", "unparsable", "unparsable"]
    # nor is it held against n
    server.clear()
    server.reply = lambda _body, _index: call("pay", amount=1)
    await draw(sampler, step_for(model), 2)
    assert [body["n"] for body in server.requests] == [2]


async def test_cut_structured_output_is_truncated(server: OpenAIServer, draw: Draw) -> None:
    server.reply = lambda _body, index: (
        say('{"text": "x', finish_reason="length") if index % 2 else say('{"text": "x"}')
    )
    model = chat(server)
    settings = {"response_format": {"type": "json_object"}}
    step = PlanningStep(
        id="s", planned=Sample(), tools=(), request=PlanningRequest(messages=tuple(GO), settings=settings)
    )
    batch = await draw(ChatModelSampler(model, use_n=False), step, 4)
    assert sorted(statuses(batch)) == ["ok", "ok", "truncated", "truncated"]


async def test_log_probabilities_are_kept_where_given(server: OpenAIServer, draw: Draw) -> None:
    server.usage = "one"
    model = chat(server, logprobs=True)
    batch = await draw(ChatModelSampler(model), step_for(model), 3)
    assert all(
        sample.tokens and "".join(t.text for t in sample.tokens).count("amount") == 1 for sample in batch.samples
    )
    # the server bills one choice: what was generated is counted
    assert batch.usage.completion_tokens == sum(len(sample.tokens or ()) for sample in batch.samples) > 7
    server.logprobs = "text"
    batch = await draw(ChatModelSampler(model), step_for(model), 3)
    assert [sample.tokens for sample in batch.samples] == [None] * 3
    server.usage = "none"
    assert (await draw(ChatModelSampler(model), step_for(model), 3)).usage.completion_tokens is None


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


async def test_a_temperature_of_none_is_the_planning_requests(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server, temperature=0.4)
    await draw(ChatModelSampler(model, temperature=None), step_for(model), 2)
    assert [body["temperature"] for body in server.requests] == [0.4]
    with pytest.raises(SamplingError, match="temperature=0"):
        await draw(
            ChatModelSampler(chat(server, temperature=0), temperature=None), step_for(chat(server, temperature=0)), 2
        )


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


def test_the_copy_keeps_azure_and_custom_clients() -> None:
    seen: list[httpx.Request] = []

    def respond(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        choice = {"index": 0, "message": say("hi"), "finish_reason": "stop"}
        return httpx.Response(200, json={"id": "r", "object": "chat.completion", "created": 1, "choices": [choice] * 2})

    with httpx.Client(transport=httpx.MockTransport(respond)) as client:
        model = AzureChatOpenAI(
            azure_deployment="dep",
            azure_endpoint="https://example.invalid",
            api_version="2024-06-01",
            api_key="x",
            http_client=client,
        )
        assert len(ChatModelSampler(model).sample(step_for(model), 2).samples) == 2
    assert seen[0].url.path == "/openai/deployments/dep/chat/completions"
    assert seen[0].headers["api-key"] == "x"


def test_the_copy_is_made_once_and_leaves_the_users_alone(server: OpenAIServer) -> None:
    model = chat(server, cache=True, tags=["mine"], max_retries=4, timeout=9)
    own = own_copy(model, temperature=1.0, timeout=3)
    assert (model.cache, model.tags, model.temperature, model.root_client.max_retries) == (True, ["mine"], 0.2, 4)
    assert (model.root_client.timeout, model.root_async_client.max_retries) == (9, 4)
    assert own.max_retries == 0
    assert own.tags == ["mine", "nostream", "guardrail:resample"]
    assert (own.root_client.max_retries, own.root_async_client.timeout) == (0, 3)


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


class Streams(BaseCallbackHandler, _StreamingCallbackHandler):
    """Makes LangChain stream whatever this handler is told of."""

    def tap_output_aiter(self, run_id: Any, output: Any) -> Any:
        return output

    def tap_output_iter(self, run_id: Any, output: Any) -> Any:
        return output


@pytest.mark.parametrize("given", [{"streaming": True}, {"callbacks": [Streams()]}], ids=["setting", "handler"])
async def test_n_choices_are_never_merged_into_one_message(
    server: OpenAIServer, draw: Draw, given: dict[str, Any]
) -> None:
    model = chat(server, **given)
    batch = await draw(ChatModelSampler(model), step_for(model), 5)
    assert [len(sample.calls) for sample in batch.samples] == [1] * 5
    assert len(server.requests) == 1


class Derived(FakeChat):
    """Streams, and makes something of its settings once, as other providers' models do with their clients."""

    max_retries: int = 6

    @cached_property
    def client(self) -> dict[str, Any]:
        return {"retries": self.max_retries}

    def _stream(self, *_: Any, **__: Any) -> Any:
        raise AssertionError("samples are not streamed")


async def test_models_of_other_providers_do_not_stream_either(draw: Draw) -> None:
    model = Derived(script=lambda _messages, index, _settings: ai(amount=index), callbacks=[Streams()])
    assert sorted(amounts(await draw(ChatModelSampler(model), step_for(model), 2))) == [0, 1]


def test_what_a_model_made_of_its_settings_is_made_again() -> None:
    model = Derived(script=lambda *_: ai(amount=1))
    assert model.client == {"retries": 6}
    assert own_copy(model, temperature=1.0, timeout=3).client == {"retries": 0}
    assert model.client == {"retries": 6}


async def test_a_number_of_choices_of_the_model_is_not_paid_for(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server, n=2)
    await draw(ChatModelSampler(model, use_n=False), step_for(model), 3)
    assert server.choices == 3


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


async def test_one_sampler_for_many_at_once(server: OpenAIServer, draw: Draw) -> None:
    model = chat(server)
    sampler = ChatModelSampler(model)
    batches = await asyncio.gather(*[draw(sampler, step_for(model), 3) for _ in range(8)])
    assert sorted(amount for batch in batches for amount in amounts(batch)) == list(range(24))


def test_n_is_at_least_one(server: OpenAIServer) -> None:
    with pytest.raises(ValueError, match="at least one"):
        ChatModelSampler(chat(server)).sample(step_for(chat(server)), 0)
