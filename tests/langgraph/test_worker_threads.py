"""Whose thread it is, and what becomes of its reviews."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langgraph.checkpoint.memory import MemorySaver

from guardrail import Policy, Queue, open_store
from guardrail.store import Store
from guardrail.types import ReviewState
from guardrail_langgraph.worker import Leases, Registered, Resumed, take_turn
from tests.support.agents import GO, Bank, evidence, policy, react_agent, state_graph, thread, tool_messages
from tests.support.openai_server import OpenAIServer, agent, call


class Clock:
    """The time, which only this test moves."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def go(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def turn(store: Store, clock: Clock, thread_id: str = "t1", **graphs: Any) -> list[Resumed]:
    registered = [Registered(name=name, graph=graph) for name, graph in graphs.items()]
    leases = Leases(store, by="this test", clock=clock.seconds)
    return await take_turn(registered, Queue(store, tenant=None), leases, thread_id, now=clock)


def asked(graph: Any, name: str = "t1") -> str:
    """Run a thread up to its question, and return the review."""
    return str(evidence(graph.invoke(GO, thread(name)))[0]["review_id"])


async def test_each_thread_goes_to_the_graph_that_asked(clock: Clock) -> None:
    store, banks = open_store("memory://"), (Bank(), Bank())
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        one = state_graph(server, banks[0], saver=MemorySaver(), store=store)
        other = react_agent(server, banks[1], saver=MemorySaver(), store=store)
        asked(one, "t1")
        Queue(store).approve(asked(other, "t2"), by="ada")
        done = await turn(store, clock, "t2", one=one, other=other)
    assert [(each.outcome, each.graph) for each in done] == [("resumed", "other")]
    assert (banks[0].run, banks[1].run) == ([], [("wipe", {"account": "a1"})])


async def test_a_thread_that_no_graph_has_is_left_alone(clock: Clock) -> None:
    store, bank = open_store("memory://"), Bank()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        stranger = state_graph(server, bank, saver=MemorySaver(), store=store)
        namesake = state_graph(server, bank, saver=MemorySaver(), store=open_store("memory://"))
        asked(namesake)
        review_id = asked(graph)
        Queue(store).approve(review_id, by="ada")
        clock.go(3600)
        assert [one.outcome for one in await turn(store, clock, stranger=stranger)] == ["unknown"]
        assert [one.outcome for one in await turn(store, clock, namesake=namesake)] == ["unknown"]
        assert store.review(review_id).state is ReviewState.DECIDED
        assert [one.outcome for one in await turn(store, clock, namesake=namesake, graph=graph)] == ["resumed"]
    assert bank.run == [("wipe", {"account": "a1"})]


async def test_a_thread_that_two_graphs_have_is_left_alone(clock: Clock) -> None:
    store, bank, saver = open_store("memory://"), Bank(), MemorySaver()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        one = state_graph(server, bank, saver=saver, store=store)
        twin = state_graph(server, bank, saver=saver, store=store)
        Queue(store).approve(asked(one), by="ada")
        assert [each.outcome for each in await turn(store, clock, one=one, twin=twin)] == ["ambiguous"]
        assert bank.run == []
        assert [each.outcome for each in await turn(store, clock, one=one)] == ["resumed"]


async def test_a_review_that_nobody_decided_in_time_is_answered_with_a_reject(clock: Clock) -> None:
    store, bank = open_store("memory://"), Bank()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, rules=expiring())
        review_id = asked(graph)
        clock.go(3600)
        Queue(store, tenant=None).sweep(clock.at)
        assert store.review(review_id).state is ReviewState.EXPIRED
        assert [one.outcome for one in await turn(store, clock, graph=graph)] == ["resumed"]
        (answer,) = tool_messages(graph.get_state(thread()).values)
    assert "Nobody decided" in str(answer.content)
    assert store.review(review_id).state is ReviewState.DONE
    assert bank.run == []


def expiring() -> Policy:
    return policy(tools=[{"match": "wipe", "tier": "critical", "timeout": {"after": "60s"}}])


class Breaking:
    """A graph whose next runs fail before they begin."""

    def __init__(self, graph: Any, times: int) -> None:
        self._graph, self.times = graph, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._graph, name)

    def invoke(self, *given: Any, **options: Any) -> Any:
        if self.times:
            self.times -= 1
            raise ConnectionError("account a1 is not reachable")
        return self._graph.invoke(*given, **options)


async def test_a_resume_that_did_not_start_leaves_the_decision_usable_and_is_tried_less_and_less_often(
    clock: Clock,
) -> None:
    store, bank = open_store("memory://"), Bank()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = Breaking(state_graph(server, bank, saver=MemorySaver(), store=store), 3)
        review_id = asked(graph._graph)
        Queue(store).approve(review_id, by="ada")
        for wait in (5, 10, 20):
            assert [one.outcome for one in await turn(store, clock, graph=graph)] == ["failed"]
            assert store.review(review_id).state is ReviewState.DECIDED
            clock.go(wait - 1)
            assert await turn(store, clock, graph=graph) == []
            clock.go(1)
        assert [one.outcome for one in await turn(store, clock, graph=graph)] == ["resumed"]
    assert bank.run == [("wipe", {"account": "a1"})]


async def test_a_run_that_failed_after_its_tool_ran_goes_on_where_it_broke_off(clock: Clock) -> None:
    store, bank = open_store("memory://"), Bank()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        Queue(store).approve(asked(graph), by="ada")
        plan, server.reply = server.reply, lambda _body, _index: {"not": "a message"}
        assert [one.outcome for one in await turn(store, clock, graph=graph)] == ["failed"]
        server.reply = plan
        clock.go(5)
        assert [one.outcome for one in await turn(store, clock, graph=graph)] == ["continued"]
        assert graph.get_state(thread()).values["messages"][-1].content == "done"
        assert await turn(store, clock, graph=graph) == []
    assert bank.run == [("wipe", {"account": "a1"})]
