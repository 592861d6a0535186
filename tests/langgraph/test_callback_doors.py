"""The callback handler as observer, on tools alone, and in set-ups in which it would let blocked calls run."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import MemorySaver
from langgraph.errors import GraphRecursionError

from guardrail import open_store
from guardrail.errors import ConfigError
from guardrail.types import Route
from guardrail_langgraph import GuardrailCallbackHandler, guard_tools
from tests.support.agents import (
    GO,
    Bank,
    callback_agent,
    chat_model,
    n_asked,
    never_agreeing,
    policy,
    thread,
    tool_messages,
)
from tests.support.openai_server import OpenAIServer, agent, call


@pytest.fixture(autouse=True)
def _approvals_hold() -> None:
    """Not here: an observer lets run what nobody approved."""


def test_an_observer_blocks_nothing_asks_nobody_and_keeps_every_step() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = callback_agent(server, bank, saver=MemorySaver(), store=store, observe_only=True)
        result = graph.invoke(GO, thread())
        assert n_asked(server) == 8
    assert bank.run == [("wipe", {"account": "a1"})]
    assert "__interrupt__" not in result
    assert store.reviews() == []
    (record,) = store.records()
    assert record.verdict.route is Route.REVIEW


def test_an_observer_is_not_noticed_when_it_fails(caplog: pytest.LogCaptureFixture) -> None:
    class Broken:
        url = "memory://"

        def __getattr__(self, name: str) -> Any:
            raise RuntimeError("hunter2")

    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server, caplog.at_level(logging.WARNING):
        graph = callback_agent(server, bank, saver=MemorySaver(), store=Broken(), observe_only=True)
        graph.invoke(GO, thread())
    assert bank.paid == [10]
    assert "could not be observed: RuntimeError" in caplog.text
    assert "hunter2" not in caplog.text


@pytest.mark.parametrize("setting", [{"raise_error": False}, {"raise_error": False, "run_inline": True}])
def test_a_handler_whose_exceptions_are_swallowed_is_refused(setting: dict[str, bool]) -> None:
    quiet = type("Quiet", (GuardrailCallbackHandler,), setting)
    with (
        OpenAIServer() as server,
        pytest.raises(ConfigError, match="a tool ran although its callback handler had not let it"),
    ):
        quiet(chat_model(server), tools=Bank().tools, policy=policy())


async def test_the_handler_tests_itself_within_an_event_loop_too() -> None:
    with OpenAIServer() as server:
        assert isinstance(
            GuardrailCallbackHandler(chat_model(server), tools=Bank().tools, policy=policy()), BaseCallbackHandler
        )


def test_a_handler_that_sees_the_model_and_not_the_tools_ends_the_run() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = GuardrailCallbackHandler(chat_model(server), tools=bank.tools, policy=policy())
        model = chat_model(server, callbacks=[handler])
        with pytest.raises(ConfigError, match="would not hear the tools"):
            create_agent(model, bank.tools).invoke(GO)
    assert bank.run == []


def test_tools_alone_ask_before_they_run() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        model = chat_model(server)
        handler = GuardrailCallbackHandler(model, tools=bank.tools, policy=policy(), store=store)
        tools = guard_tools(bank.tools, handler)
        create_agent(handler.watch(model), tools).invoke(GO)
        assert bank.paid == [10]
        assert n_asked(server) == 8
        server.reply = never_agreeing
        with pytest.raises(GraphRecursionError):  # it plans again and again, and is told each time
            create_agent(handler.watch(model), tools).invoke(GO, {"recursion_limit": 8})
    assert bank.paid == [10]


def test_tools_alone_are_blocked_where_nobody_saw_the_plan() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        handler = GuardrailCallbackHandler(chat_model(server), tools=bank.tools, policy=policy())
        result = create_agent(chat_model(server), guard_tools(bank.tools, handler)).invoke(GO)
    assert bank.run == []
    assert "was not seen" in tool_messages(result)[0].content


def test_tools_that_any_runnable_starts_ask_too() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        model = chat_model(server)
        handler = GuardrailCallbackHandler(model, tools=bank.tools, policy=policy())
        by_name = {one.name: one for one in bank.tools}

        def step(question: str) -> list[Any]:
            plan: AIMessage = model.bind_tools(bank.tools).invoke(question)
            return [by_name[one["name"]].invoke({**one, "type": "tool_call"}) for one in plan.tool_calls]

        chain = RunnableLambda(step)
        (done,) = chain.invoke("go", {"callbacks": [handler]})
        assert done.content == "paid 10"
        server.reply = agent(call("wipe", account="a1"))
        with pytest.raises(Exception, match="must wait for a human"):
            chain.invoke("go", {"callbacks": [handler]})
    assert [name for name, _ in bank.run] == ["pay"]
