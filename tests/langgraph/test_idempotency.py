"""The key that a tool can pass on, so that a service knows a call again."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.checkpoint.memory import MemorySaver

from guardrail import open_store
from guardrail_langgraph.idempotency import KEY, idempotency_key
from tests.support.agents import GO, approve, resume, state_graph, thread
from tests.support.openai_server import OpenAIServer, agent, call, calls


class Power(BaseException):
    """The process is gone."""


class Till:
    """A till whose power fails after its first payment."""

    def __init__(self, *, fails: bool) -> None:
        self.keys: list[str] = []
        self.fails = fails

        @tool
        def pay(amount: int, config: RunnableConfig) -> str:
            """Pay somebody."""
            return self.note(idempotency_key(config))

        @tool
        async def balance() -> str:
            """Tell the balance."""
            return self.note(idempotency_key())

        @tool
        def wipe(account: str) -> str:
            """Delete an account."""
            return self.note(idempotency_key())

        self.tools = [pay, balance, wipe]

    def note(self, key: str) -> str:
        self.keys.append(key)
        if self.fails and len(self.keys) == 1:
            raise Power
        return "done"


@pytest.mark.parametrize("planned", [("pay", {"amount": 10}), ("balance", {})])
async def test_a_call_that_a_restart_runs_again_has_the_same_key(planned: tuple[str, dict[str, Any]]) -> None:
    store, saver, till = open_store("memory://"), MemorySaver(), Till(fails=True)
    with OpenAIServer(agent(calls(planned))) as server:
        with pytest.raises(Power):
            await state_graph(server, till, saver=saver, store=store).ainvoke(GO, thread())
        await state_graph(server, till, saver=saver, store=store).ainvoke(None, thread())
    first, second = till.keys
    assert first == second
    assert len(first) == 64


def test_the_key_of_a_reviewed_call_is_its_review_and_other_calls_have_others() -> None:
    store, till = open_store("memory://"), Till(fails=False)
    with OpenAIServer(agent(calls(("wipe", {"account": "a"}), ("wipe", {"account": "b"})))) as server:
        graph = state_graph(server, till, saver=MemorySaver(), store=store)
        result = graph.invoke(GO, thread())
        result = graph.invoke(resume(result, approve(), approve()), thread())
    assert sorted(till.keys) == sorted(review.id for review in store.reviews())
    assert len(set(till.keys)) == 2


def test_outside_of_a_guarded_tool_there_is_no_key() -> None:
    assert idempotency_key() == ""
    assert idempotency_key({"metadata": {KEY: "k"}}) == "k"


def test_the_metadata_of_a_run_that_goes_on_do_not_keep_the_key() -> None:
    seen: list[Any] = []
    store, till = open_store("memory://"), Till(fails=False)
    config = {**thread(), "metadata": {"mine": 1}}
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = state_graph(server, till, saver=MemorySaver(), store=store)
        graph.invoke(GO, config)
        seen += [one.metadata for one in graph.get_state_history(thread())]
    assert len(till.keys) == 1
    assert all(KEY not in metadata for metadata in seen)
    assert config["metadata"] == {"mine": 1}
