"""LangSmith: entropy, agreement and verdict on the run of the model that planned the step, by every adapter of ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import langsmith
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers import LangChainTracer
from langgraph.checkpoint.memory import MemorySaver
from openai import OpenAI

from guardrail.telemetry import LangSmithObserver
from guardrail_openai import GuardedClient
from tests.support.agents import (
    GO,
    Bank,
    callback_agent,
    middleware_agent,
    policy,
    react_agent,
    state_graph,
    thread,
)
from tests.support.executors import Legacy, legacy, planned
from tests.support.openai_server import OpenAIServer, agent, call

RULES = policy(tiers={"high": {"signals": ["agreement", "semantic_entropy"]}})
BUILDS: list[Callable[..., Any]] = [state_graph, react_agent, middleware_agent, callback_agent]


class Client:
    def __init__(self) -> None:
        self.feedback: list[dict[str, Any]] = []

    def create_feedback(self, **said: Any) -> None:
        self.feedback.append(said)


class Nowhere(langsmith.Client):
    """Runs go nowhere."""

    def create_run(self, *args: Any, **kwargs: Any) -> None:
        pass

    def update_run(self, *args: Any, **kwargs: Any) -> None:
        pass


class Requests(BaseCallbackHandler):
    """The runs of the agent's own requests, in order."""

    def __init__(self) -> None:
        self.runs: list[UUID] = []

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: UUID, tags: Any = None, **kwargs: Any
    ) -> None:
        if "guardrail:resample" not in (tags or ()):
            self.runs.append(run_id)


@pytest.fixture
def tracer() -> Iterator[Any]:
    """A tracer whose runs go nowhere."""
    nowhere = Nowhere(api_url="http://127.0.0.1:9", api_key="none", auto_batch_tracing=False)
    with langsmith.tracing_context(enabled="local", client=nowhere):
        yield LangChainTracer(client=nowhere)


def said(client: Client) -> dict[str, Any]:
    return {one["key"]: one.get("score", one.get("value")) for one in client.feedback}


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
async def test_feedback_goes_on_the_request_that_planned(build: Callable[..., Any], way: str, tracer: Any) -> None:
    client, requests, bank = Client(), Requests(), Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server, LangSmithObserver(client) as observer:
        graph = build(server, bank, saver=MemorySaver(), rules=RULES, observers=[observer])
        own = (graph.config or {}).get("callbacks") or []
        config = {**thread(), "callbacks": [*own, requests, tracer]}
        graph.invoke(GO, config) if way == "invoke" else await graph.ainvoke(GO, config)
    assert bank.paid == [10]
    assert said(client) == {
        "guardrail.agreement": 1.0,
        "guardrail.semantic_entropy": 0.0,
        "guardrail.verdict": "execute",
    }
    assert {one["run_id"] for one in client.feedback} == {requests.runs[0]}


@pytest.mark.parametrize("kind", ["tools", "text"])
async def test_an_executors_steps_have_feedback_too(kind: str, tracer: Any) -> None:
    client, requests, bank = Client(), Requests(), Bank()
    with OpenAIServer(legacy(kind, planned(kind, "pay", amount=10))) as server, LangSmithObserver(client) as observer:
        old = Legacy(server, bank, kind, policy=RULES, observers=[observer])
        await old.run("invoke", callbacks=[old.handler, requests, tracer])
    assert said(client)["guardrail.verdict"] == "execute"
    assert {one["run_id"] for one in client.feedback} == {requests.runs[0]}


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.__name__)
def test_where_nothing_is_traced_there_is_no_feedback(build: Callable[..., Any]) -> None:
    client, bank = Client(), Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server, LangSmithObserver(client) as observer:
        build(server, bank, rules=RULES, observers=[observer]).invoke(GO)
    assert bank.paid == [10]
    assert client.feedback == []


@pytest.mark.parametrize("where", ["nowhere", "traceable", "named"])
def test_a_guarded_client_has_no_run_of_its_own(where: str, tracer: Any) -> None:
    """Its steps belong to the function that is traced around it, or to the run that ``run_id=`` names."""
    client, named = Client(), uuid4()
    options: dict[str, Any] = {"run_id": lambda _step: named} if where == "named" else {}
    tools: Any = [{"type": "function", "function": {"name": "pay", "parameters": {"type": "object"}}}]
    runs: list[UUID] = []

    with OpenAIServer(call("pay", amount=10)) as server, LangSmithObserver(client, **options) as observer:
        guarded = GuardedClient(
            OpenAI(api_key="x", base_url=server.url),
            policy=policy(tools=[{"match": "pay", "tier": "high"}], tiers={"high": {"signals": ["agreement"]}}),
            observers=[observer],
        )

        def step() -> None:
            run = langsmith.get_current_run_tree()
            runs.extend([] if run is None else [run.id])
            guarded.chat.completions.create(model="m", messages=[{"role": "user", "content": "go"}], tools=tools)

        langsmith.traceable(step)() if where == "traceable" else step()
    wanted = {"nowhere": set(), "traceable": set(runs), "named": {named}}[where]
    assert {one["run_id"] for one in client.feedback} == wanted
    assert bool(client.feedback) is (where != "nowhere")
