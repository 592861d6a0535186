"""Agents within agents, graphs within graphs, and two guards in one graph: each step is its own, is paid once, and runs once."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import MemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from guardrail import Queue, open_store
from guardrail.types import ReviewState
from guardrail_langgraph import GuardrailMiddleware, GuardrailNode
from guardrail_langgraph.worker import Leases, resume_decided
from tests.support.agents import (
    BUILDS,
    GO,
    Bank,
    Build,
    approve,
    chat_model,
    middleware_agent,
    n_asked,
    policy,
    reject,
    state_graph,
    thread,
    tool_messages,
)
from tests.support.openai_server import OpenAIServer, agent, call, calls

ABOVE: dict[str, Any] = {"default": {"tier": "high"}}
WIPED = ("wipe", {"account": "a1"})


def answer(result: dict[str, Any], *answers: dict[str, Any]) -> Command[Any]:
    return Command(resume={one.id: said for one, said in zip(result["__interrupt__"], answers, strict=True)})


def asked(result: dict[str, Any]) -> list[str]:
    return [one.value["action_requests"][0]["name"] for one in result["__interrupt__"]]


class Office:
    """A main agent whose tool is an agent below it; each has a guard, both have one store."""

    def __init__(
        self, above: OpenAIServer, below: OpenAIServer, build: Build, *, clerk: str = "high", **more: Any
    ) -> None:
        self.bank, self.store = Bank(), open_store("memory://")
        sub = build(below, self.bank, store=self.store)
        entered = self.entered = list[str]()

        @tool
        def ask_clerk(task: str) -> str:
            """Hand a task to the clerk."""
            entered.append(task)
            return str(sub.invoke({"messages": [HumanMessage(task)]})["messages"][-1].content)

        rules = policy(tools=[{"match": "ask_clerk", "tier": clerk}, {"match": "pay", "tier": "high"}])
        model, tools = chat_model(above), [ask_clerk, self.bank.tools[0]]
        guard = GuardrailMiddleware(model, tools=tools, policy=rules, store=self.store, **more)
        self.graph = create_agent(model, tools, middleware=[guard], checkpointer=MemorySaver())


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("clerk", ["high", "critical"])
def test_an_agent_in_a_tool_asks_through_it_whether_or_not_the_tool_was_asked_about(build: Build, clerk: str) -> None:
    with (
        OpenAIServer(agent(call("ask_clerk", task="wipe a1"))) as above,
        OpenAIServer(agent(call("wipe", account="a1"))) as below,
    ):
        office = Office(above, below, build, clerk=clerk)
        waiting = office.graph.invoke(GO, thread())
        if clerk == "critical":
            assert (asked(waiting), office.entered) == (["ask_clerk"], [])
            waiting = office.graph.invoke(answer(waiting, approve()), thread())
        assert (asked(waiting), office.bank.run) == (["wipe"], [])
        drawn = n_asked(above), n_asked(below)
        final = office.graph.invoke(answer(waiting, approve()), thread())
        assert (n_asked(above), n_asked(below)) == drawn == (8, 8)
    assert office.bank.run == [WIPED]
    assert [one.status for one in tool_messages(final)] == ["success"]
    assert {one.state for one in office.store.reviews()} == {ReviewState.DONE}
    assert len({one.namespace for one in office.store.records()}) == 2


@pytest.mark.parametrize("clerk", ["high", "critical"])
@pytest.mark.parametrize("releases", [True, False])
def test_one_that_is_resumed_twice_enters_its_tool_no_more(clerk: str, releases: bool) -> None:
    """What a tool left in the middle goes on where its task does; a second resume of the saved state starts nothing."""
    with (
        OpenAIServer(agent(calls(("pay", {"amount": 10}), ("ask_clerk", {"task": "wipe a1"})))) as above,
        OpenAIServer(agent(call("wipe", account="a1"))) as below,
    ):
        office = Office(above, below, middleware_agent, clerk=clerk, release_confident=releases)
        waiting = office.graph.invoke(GO, thread())
        if clerk == "critical":
            waiting = office.graph.invoke(answer(waiting, approve()), thread())
        saved = office.graph.get_state(thread()).config
        entered = len(office.entered)
        for _ in range(2):
            office.graph.invoke(answer(waiting, approve()), saved)
    assert office.bank.run.count(WIPED) == 1
    if clerk == "critical":
        assert len(office.entered) == entered + 1
        assert office.bank.paid == [10]


def test_what_is_sure_runs_once_though_a_tool_beside_it_waits_within(tmp_path: Any) -> None:
    with (
        OpenAIServer(agent(calls(("ask_clerk", {"task": "wipe a1"}), ("pay", {"amount": 10})))) as above,
        OpenAIServer(agent(call("wipe", account="a1"))) as below,
    ):
        office = Office(above, below, middleware_agent, clerk="critical", release_confident=True)
        first = office.graph.invoke(GO, thread())
        assert office.bank.paid == [10]
        second = office.graph.invoke(answer(first, approve()), thread())
        final = office.graph.invoke(answer(second, reject("no")), thread())
    assert office.bank.run == [("pay", {"amount": 10, "to": "bob"})]
    assert [one.name for one in tool_messages(final)].count("pay") == 1


async def test_a_worker_answers_both_levels_one_after_the_other() -> None:
    with (
        OpenAIServer(agent(call("ask_clerk", task="wipe a1"))) as above,
        OpenAIServer(agent(call("wipe", account="a1"))) as below,
    ):
        office = Office(above, below, middleware_agent, clerk="critical")
        office.graph.invoke(GO, thread())
        queue, leases = Queue(office.store), Leases(office.store, by="this test")
        for name in ("ask_clerk", "wipe"):
            (review,) = queue.waiting()
            assert review.call.name == name
            queue.approve(review.id, by="ada")
            done = await resume_decided(office.graph, queue, leases)
            assert [one.outcome for one in done if one.review and one.review.id == review.id] == ["resumed"]
        assert office.graph.get_state(thread()).values["messages"][-1].content == "done"
    assert office.bank.run == [WIPED]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("releases", [True, False])
def test_a_guarded_graph_is_a_node_of_another(build: Build, releases: bool, tmp_path: Any) -> None:
    bank, url = Bank(), f"sqlite:///{tmp_path}/g.db"
    plan = calls(("pay", {"amount": 10}), ("wipe", {"account": "a1"}))

    def outer(server: OpenAIServer, saver: Any) -> Any:
        builder = StateGraph(MessagesState)
        inner = build(server, bank, store=open_store(url), release_confident=releases)
        builder.add_node("clerk", inner)
        builder.add_edge(START, "clerk")
        return builder.compile(checkpointer=saver)

    with OpenAIServer(agent(plan)) as server:
        with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
            waiting = outer(server, saver).invoke(GO, thread())
        assert asked(waiting) == ["wipe"]
        assert bank.paid == ([10] if releases else [])
        with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
            final = outer(server, saver).invoke(answer(waiting, approve()), thread())
        assert n_asked(server) == 8
    assert sorted(bank.run) == [("pay", {"amount": 10, "to": "bob"}), WIPED]
    assert final["messages"][-1].content == "done"
    (record,) = open_store(url).records()
    assert record.namespace.startswith("clerk:")


def test_two_guards_in_one_graph_ask_apart_and_each_pays_for_its_own() -> None:
    """One agent after the other over the same messages, each with its own guard, policy and tools."""
    bank, store = Bank(), open_store("memory://")
    builder = StateGraph(MessagesState)

    def loop(server: OpenAIServer, number: int, tier: str, then: str | None) -> None:
        agent_node, tools_node = f"agent{number}", f"tools{number}"
        model = chat_model(server)
        guard = GuardrailNode(
            model,
            tools=[bank.tools[2]],
            policy=policy(tools=[{"match": "wipe", "tier": tier}]),
            store=store,
            agent_node=agent_node,
            tools_node=tools_node,
        )
        planner = guard.watch(model).bind_tools([bank.tools[2]])
        builder.add_node(agent_node, lambda state: {"messages": [planner.invoke(state["messages"])]})
        builder.add_node(f"guard{number}", guard)
        builder.add_node(tools_node, guard.tool_node())
        builder.add_edge(agent_node, f"guard{number}")
        builder.add_edge(tools_node, then or agent_node)

    with (
        OpenAIServer(call("wipe", account="a1")) as first,
        OpenAIServer(agent(call("wipe", account="a2"))) as second,
    ):
        second.reply = lambda body, _index: (
            call("wipe", account="a2") if len(body["messages"]) < 4 else {"role": "assistant", "content": "done"}
        )
        loop(first, 1, "critical", "agent2")
        loop(second, 2, "critical", None)
        builder.add_edge(START, "agent1")
        graph = builder.compile(checkpointer=MemorySaver())
        one = graph.invoke(GO, thread())
        assert asked(one) == ["wipe"]
        two = graph.invoke(answer(one, approve()), thread())
        assert bank.run == [WIPED]
        assert two["__interrupt__"][0].value["action_requests"][0]["args"] == {"account": "a2"}
        final = graph.invoke(answer(two, approve()), thread())
        assert (n_asked(first), n_asked(second)) == (8, 8)
    assert bank.run == [WIPED, ("wipe", {"account": "a2"})]
    assert final["messages"][-1].content == "done"
    assert len({one.id for one in store.reviews()}) == 2
    assert {one.state for one in store.reviews()} == {ReviewState.DONE}


def test_two_guarded_graphs_side_by_side_that_plan_the_very_same_are_two_steps() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        builder = StateGraph(MessagesState)
        for name in ("left", "right"):
            builder.add_node(name, state_graph(server, bank, store=store))
            builder.add_edge(START, name)
        graph = builder.compile(checkpointer=MemorySaver())
        waiting = graph.invoke(GO, thread())
        assert asked(waiting) == ["wipe", "wipe"]
        first, second = waiting["__interrupt__"]
        half = graph.invoke(Command(resume={first.id: approve()}), thread())
        assert (bank.run, [one.id for one in half["__interrupt__"]]) == ([WIPED], [second.id])
        graph.invoke(Command(resume={second.id: reject()}), thread())
    assert bank.run == [WIPED]
    assert len({one.id for one in store.reviews()}) == 2
