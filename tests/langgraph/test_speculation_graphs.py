"""Samples begun with the planning request, in graphs and with a chat model."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from guardrail import Policy, open_store
from guardrail.errors import ConfigError
from guardrail.types import PlanningStep
from guardrail_langgraph import GuardrailNode
from guardrail_langgraph.sampler import ChatModelSampler
from tests.support.agents import (
    GO,
    Bank,
    approve,
    callback_agent,
    chat_model,
    flipping,
    n_asked,
    react_agent,
    reply_until_paid,
    resume,
    state_graph,
    thread,
)
from tests.support.fake_chat import FakeChat, ai
from tests.support.openai_server import OpenAIServer, call, say


def eventually(fulfilled: Callable[[], object]) -> None:
    for _ in range(500):
        if fulfilled():
            return
        time.sleep(0.01)
    raise AssertionError("it did not come about")


ALL_PAID = Policy.parse({"default": {"tier": "high"}, "tools": [{"match": "pay", "tier": "high"}]})


def test_the_request_and_its_samples_are_under_way_at_the_same_time() -> None:
    """The plan is not given before a sample has been asked for: without speculation this would never end."""
    sampled = threading.Event()

    def script(_messages: Any, index: int, settings: dict[str, Any]) -> AIMessage:
        if settings["temperature"] == 1.0:
            sampled.set()
            return ai(amount=1, id=f"call_{index}")
        assert sampled.wait(20), "no sample was begun"
        return ai(amount=1, id="plan")

    model = FakeChat(script=script)
    bank = Bank()
    guard = GuardrailNode(model, tools=bank.tools[:1], policy=ALL_PAID, speculate=True)
    plan = guard.watch(model).bind_tools(bank.tools[:1]).invoke([HumanMessage("go")])
    verdict = guard._wiring.assess(planned(guard, plan))
    assert [one.agreeing for one in verdict.verdicts] == [8]
    assert len(model.log) == 9


def planned(guard: GuardrailNode, plan: AIMessage) -> PlanningStep:
    from guardrail_langgraph.steps import planning_step

    wiring = guard._wiring
    return planning_step(plan, wiring.capture, wiring.registered, thread_id="t", namespace="", attempt=0)


def test_what_is_not_sent_is_not_sent_any_more() -> None:
    """Two requests at a time of eight: when the plan has no calls, at most the two under way are paid for."""
    under_way, released = threading.Semaphore(0), threading.Event()

    def script(_messages: Any, index: int, settings: dict[str, Any]) -> AIMessage:
        if settings["temperature"] == 1.0:
            under_way.release()
            released.wait(20)
            return ai(amount=1, id=f"call_{index}")
        assert under_way.acquire(timeout=20)
        assert under_way.acquire(timeout=20)
        return AIMessage("hello")

    model, bank, store = FakeChat(script=script), Bank(), open_store("memory://")
    sampler = ChatModelSampler(model, concurrency=2)
    guard = GuardrailNode(model, tools=bank.tools[:1], policy=ALL_PAID, sampler=sampler, store=store, speculate=True)
    guard.watch(model).bind_tools(bank.tools[:1]).invoke([HumanMessage("go")], {"metadata": {"thread_id": "t7"}})
    released.set()
    eventually(lambda: store.spent(thread_id="t7"))
    assert [usage.requests for usage in store.spent(thread_id="t7").values()] == [2]
    assert len(model.log) == 3


def test_a_budget_and_speculation_do_not_go_together() -> None:
    limited = Policy.parse({"default": {"tier": "high"}, "budget": {"step": {"tokens": 1000}}})
    with pytest.raises(ConfigError, match="speculate"):
        GuardrailNode(FakeChat(script=lambda *_: ai()), tools=Bank().tools, policy=limited, speculate=True)


@pytest.fixture
def server() -> Any:
    with OpenAIServer() as running:
        yield running


def only_pay(bank: Bank) -> Bank:
    bank.tools = bank.tools[:1]
    return bank


async def run(app: Any, given: Any, way: str, name: str = "t1") -> Any:
    return app.invoke(given, thread(name)) if way == "sync" else await app.ainvoke(given, thread(name))


@pytest.mark.filterwarnings("ignore:create_react_agent has been moved")
@pytest.mark.parametrize("build", [state_graph, react_agent, callback_agent])
@pytest.mark.parametrize("way", ["sync", "async"])
async def test_a_step_is_sampled_once_in_every_graph(server: OpenAIServer, build: Any, way: str) -> None:
    server.reply = reply_until_paid(lambda _body, _index: call("pay", amount=10))
    bank = only_pay(Bank())
    app = build(server, bank, saver=InMemorySaver(), rules=ALL_PAID, speculate=True)
    result = await run(app, GO, way)
    assert result["messages"][-1].content == "done"
    assert bank.paid == [10]
    # one step with a call, and one in words whose samples may have been given up before they were sent
    assert [body["n"] for body in server.drawn] in ([8], [8, 8])


@pytest.mark.parametrize("way", ["sync", "async"])
async def test_an_interrupt_and_its_resume_draw_nothing_more(server: OpenAIServer, way: str) -> None:
    server.reply = reply_until_paid(flipping)
    bank = only_pay(Bank())
    rules = Policy.parse({"tools": [{"match": "pay", "tier": "high"}], "tiers": {"high": {"max_retries": 0}}})
    app = state_graph(server, bank, saver=InMemorySaver(), rules=rules, speculate=True)
    result = await run(app, GO, way)
    assert n_asked(server) == 8
    result = await run(app, resume(result, approve()), way)
    assert bank.paid == [10]
    # and perhaps those of the turn in words
    assert n_asked(server) in (8, 16)


async def test_a_failed_draw_ahead_is_drawn_again(server: OpenAIServer) -> None:
    server.refuse = lambda body: "no" if body.get("n") == 8 and len(server.drawn) == 1 else None
    server.reply = reply_until_paid(lambda _body, _index: call("pay", amount=10))
    bank = only_pay(Bank())
    app = state_graph(server, bank, saver=InMemorySaver(), rules=ALL_PAID, speculate=True)
    app.invoke(GO, thread())
    assert bank.paid == [10]


def test_the_verdict_has_the_cost_of_what_was_used(server: OpenAIServer) -> None:
    server.reply = reply_until_paid(lambda _body, _index: call("pay", amount=10))
    store, bank = open_store("memory://"), only_pay(Bank())
    app = state_graph(server, bank, saver=InMemorySaver(), store=store, rules=ALL_PAID, speculate=True)
    app.invoke(GO, thread())
    (record,) = store.records()
    assert (record.verdict.drawn, record.verdict.usage.requests, record.verdict.usage.prompt_tokens) == (8, 1, 50)
    assert record.verdict.usage.completion_tokens == 56


def test_a_model_that_is_not_watched_draws_nothing_ahead(server: OpenAIServer) -> None:
    server.reply = lambda _body, _index: say("hello")
    bank = only_pay(Bank())
    GuardrailNode(chat_model(server), tools=bank.tools, policy=ALL_PAID, speculate=True)
    chat_model(server).bind_tools(bank.tools).invoke(GO["messages"])
    time.sleep(0.05)
    assert server.drawn == []


def test_without_the_option_nothing_is_begun(server: OpenAIServer) -> None:
    server.reply = lambda _body, _index: say("hello")
    bank = only_pay(Bank())
    app = state_graph(server, bank, saver=InMemorySaver(), rules=ALL_PAID)
    app.invoke(GO, thread())
    assert server.drawn == []
