"""The last check: a tool node that is handed calls by somebody else than the guard, or changed ones."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.graph import START, MessagesState, StateGraph

from guardrail import open_store
from guardrail.store import Store
from guardrail_langgraph import GuardrailNode
from tests.support.agents import GO, Bank, approve, chat_model, evidence, policy, resume, state_graph, thread
from tests.support.agents import tool_messages as answers
from tests.support.openai_server import OpenAIServer, agent, call


class Door:
    """A graph that ends before its tools, and a tool node of the same guard to hand messages to."""

    def __init__(self, server: OpenAIServer, **options: Any) -> None:
        self.bank, self.store = Bank(), open_store("memory://")
        self.graph = state_graph(server, Bank(), saver=MemorySaver(), store=self.store, **options)
        guard = GuardrailNode(chat_model(server), tools=self.bank.tools, policy=policy(), store=self.store)
        builder = StateGraph(MessagesState)
        builder.add_node("tools", guard.tool_node())
        builder.add_edge(START, "tools")
        self.tools = builder.compile()

    def plan(self, result: dict[str, Any]) -> AIMessage:
        return next(m for m in result["messages"] if isinstance(m, AIMessage) and m.tool_calls)

    def hand(self, plan: AIMessage, name: str = "t1") -> str:
        return str(answers(self.tools.invoke({"messages": [plan]}, thread(name)))[-1].content)


@pytest.fixture
def server() -> Iterator[OpenAIServer]:
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        yield server


def changed(plan: AIMessage, **arguments: Any) -> AIMessage:
    (one,) = plan.tool_calls
    return plan.model_copy(update={"tool_calls": [{**one, "args": {**one["args"], **arguments}}]})


def test_the_call_that_was_assessed_runs(server: OpenAIServer) -> None:
    door = Door(server)
    assert door.hand(door.plan(door.graph.invoke(GO, thread()))) == "paid 10"
    assert door.bank.paid == [10]


def test_a_call_that_the_guard_has_not_seen_does_not(server: OpenAIServer) -> None:
    door = Door(server)
    stranger = AIMessage("", tool_calls=[{"name": "pay", "args": {"amount": 10}, "id": "c1", "type": "tool_call"}])
    assert "has not seen" in door.hand(stranger)
    assert door.bank.run == []


def test_a_call_under_the_record_of_another_does_not(server: OpenAIServer) -> None:
    door = Door(server)
    plan = door.plan(door.graph.invoke(GO, thread()))
    (one,) = plan.tool_calls
    forged = plan.model_copy(update={"tool_calls": [{**one, "id": "c9"}]})
    assert "does not cover" in door.hand(forged)
    assert "does not cover" in door.hand(plan, name="t2")
    assert door.bank.run == []


def test_a_call_changed_after_it_was_assessed_does_not(server: OpenAIServer) -> None:
    door = Door(server)
    plan = door.plan(door.graph.invoke(GO, thread()))
    assert "changed" in door.hand(changed(plan, amount=11))
    assert door.bank.run == []


def test_a_record_that_is_gone_lets_nothing_run(server: OpenAIServer) -> None:
    door = Door(server)
    plan = door.plan(door.graph.invoke(GO, thread()))
    lost = plan.model_copy(update={"additional_kwargs": {"guardrail": {"record_id": "0" * 64}}})
    assert "Not executed" in door.hand(lost)
    assert door.bank.run == []


def test_a_call_of_a_step_that_is_planned_again_does_not() -> None:
    def plan(body: dict[str, Any], index: int) -> dict[str, Any]:
        return call("pay", amount=10 if body.get("temperature") != 1.0 else 20)

    with OpenAIServer(agent(plan)) as server:
        door = Door(server)
        assert "planned again" in door.hand(door.plan(door.graph.invoke(GO, thread())))
    assert door.bank.run == []


@pytest.fixture
def wiped(server: OpenAIServer) -> tuple[Door, AIMessage, Store]:
    """A critical call that waits for a human, and its plan as the guard would release it."""
    server.reply = agent(call("wipe", account="a1"))
    door = Door(server)
    result = door.graph.invoke(GO, thread())
    mark = {"guardrail": {"record_id": evidence(result)[0]["record_id"]}}
    return door, door.plan(result).model_copy(update={"additional_kwargs": mark}), door.store


def test_a_call_that_nobody_has_decided_on_does_not(wiped: tuple[Door, AIMessage, Store]) -> None:
    door, plan, _ = wiped
    assert "Not executed" in door.hand(plan)
    assert door.bank.run == []


def test_an_approval_runs_its_own_call_once(wiped: tuple[Door, AIMessage, Store]) -> None:
    from guardrail import Queue

    door, plan, store = wiped
    (review,) = store.reviews()
    Queue(store).approve(review.id, by="ada")
    assert "not the one that was approved" in door.hand(changed(plan, account="a2"))
    assert door.bank.run == []
    assert door.hand(plan) == "gone"
    assert "Not executed" in door.hand(plan)
    assert door.bank.run == [("wipe", {"account": "a1"})]


def test_a_rejected_call_does_not(wiped: tuple[Door, AIMessage, Store]) -> None:
    from guardrail import Queue

    door, plan, store = wiped
    (review,) = store.reviews()
    Queue(store).reject(review.id, by="ada")
    assert "Not executed" in door.hand(plan)
    assert door.bank.run == []


def test_a_tool_that_raises_is_not_run_again_and_leaves_its_review_to_a_human() -> None:
    from guardrail.types import ReviewState

    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        bank, store = Bank(), open_store("memory://")

        def broken(account: str) -> str:
            raise RuntimeError("the bank is closed")

        bank.tools[2].func = broken  # type: ignore[attr-defined]
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        result = graph.invoke(GO, thread())
        with pytest.raises(RuntimeError, match="closed"):
            graph.invoke(resume(result, approve()), thread())
        (review,) = store.reviews()
        assert review.state is ReviewState.EXECUTING
        graph.invoke(None, thread())
        (review,) = store.reviews()
    assert review.state is ReviewState.EXECUTING
