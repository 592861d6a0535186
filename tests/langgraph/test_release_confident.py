"""A turn of which one call waits for people and the others do not: what is sure runs at once, and once."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command

from guardrail import Queue, open_store
from guardrail.errors import ConfigError
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
    edit,
    evidence,
    n_asked,
    pending,
    policy,
    reject,
    resume,
    state_graph,
    thread,
    tool_messages,
)
from tests.support.openai_server import OpenAIServer, agent, call, calls, say

PAID = ("pay", {"amount": 10, "to": "bob"})
WIPED = ("wipe", {"account": "a1"})


def mixed(*more: tuple[str, dict[str, Any]]) -> Any:
    """A payment that the model is sure of, beside a call that people decide on."""
    return agent(calls(("pay", {"amount": 10}), ("wipe", {"account": "a1"}), *more))


def built(build: Build, server: OpenAIServer, bank: Bank, **options: Any) -> Any:
    return build(server, bank, **{"saver": MemorySaver(), "release_confident": True, **options})


def turns(server: OpenAIServer) -> int:
    """How often the model was asked to plan."""
    return len(server.requests) - len(server.drawn)


def answers(result: dict[str, Any]) -> dict[str, str]:
    """What the tools answered, by name; each call has one answer."""
    messages = tool_messages(result)
    assert len({one.tool_call_id for one in messages}) == len(messages)
    return {str(one.name): str(one.content) for one in messages}


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("answer", ["approve", "reject"])
def test_what_is_sure_runs_while_the_rest_waits(build: Build, answer: str) -> None:
    bank = Bank()
    with OpenAIServer(mixed()) as server:
        graph = built(build, server, bank)
        asked = graph.invoke(GO, thread())
        assert bank.run == [PAID]
        assert [one["verdict"]["call"]["name"] for one in evidence(asked)] == ["wipe"]
        assert turns(server) == 1
        drawn = n_asked(server)
        final = graph.invoke(resume(asked, approve() if answer == "approve" else reject("not now")), thread())
        assert (n_asked(server), turns(server)) == (drawn, 2)
    assert bank.run == ([PAID, WIPED] if answer == "approve" else [PAID])
    told = answers(final)
    assert told["pay"] == "paid 10"
    assert told["wipe"] == "gone" if answer == "approve" else "not now" in told["wipe"]
    assert final["messages"][-1].content == "done"


@pytest.mark.parametrize("build", BUILDS)
async def test_so_it_does_asynchronously_and_after_a_restart(build: Build, tmp_path: Any) -> None:
    bank, url = Bank(), f"sqlite:///{tmp_path}/g.db"
    with OpenAIServer(mixed()) as server:
        async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
            asked = await built(build, server, bank, saver=saver, store=open_store(url)).ainvoke(GO, thread())
        assert bank.run == [PAID]
        drawn = n_asked(server)
        async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
            graph = built(build, server, bank, saver=saver, store=open_store(url))
            final = await graph.ainvoke(resume(asked, approve()), thread())
        assert n_asked(server) == drawn
    assert bank.run == [PAID, WIPED]
    assert answers(final) == {"pay": "paid 10", "wipe": "gone"}
    (kept,) = open_store(url).reviews()
    assert kept.state is ReviewState.DONE


@pytest.mark.parametrize("build", BUILDS)
def test_several_that_wait_are_answered_one_by_one_and_the_model_waits_for_all(build: Build, tmp_path: Any) -> None:
    bank = Bank()
    with OpenAIServer(mixed(("wipe", {"account": "a2"}))) as server:
        with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
            store = open_store(f"sqlite:///{tmp_path}/g.db")
            asked = built(build, server, bank, saver=saver, store=store).invoke(GO, thread())
        first, second = pending(asked)
        with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
            graph = built(build, server, bank, saver=saver, store=open_store(f"sqlite:///{tmp_path}/g.db"))
            half = graph.invoke(Command(resume={second.id: approve()}), thread())
            assert bank.run == [PAID, ("wipe", {"account": "a2"})]
            assert [one.id for one in half["__interrupt__"]] == [first.id]
            assert turns(server) == 1
            final = graph.invoke(Command(resume={first.id: reject()}), thread())
    assert bank.run == [PAID, ("wipe", {"account": "a2"})]
    assert [one.status for one in tool_messages(final)].count("error") == 1
    assert len(tool_messages(final)) == 3


@pytest.mark.parametrize("build", BUILDS)
def test_an_edit_runs_and_the_agent_is_told_that_it_did(build: Build) -> None:
    bank = Bank()
    with OpenAIServer(mixed()) as server:
        graph = built(build, server, bank)
        final = graph.invoke(resume(graph.invoke(GO, thread()), edit("wipe", account="a9")), thread())
    assert bank.run == [PAID, ("wipe", {"account": "a9"})]
    told = answers(final)["wipe"]
    assert "A person changed this call" in told
    assert '"account":"a9"' in told
    assert told.endswith("gone")


@pytest.mark.parametrize("build", BUILDS)
def test_an_edit_under_a_stricter_rule_is_asked_about_again(build: Build) -> None:
    def plan(body: dict[str, Any], index: int) -> dict[str, Any]:
        doubtful = 20 if body.get("temperature") != 1.0 else 100 + index
        return calls(("balance", {}), ("pay", {"amount": doubtful}))

    bank, rules = Bank(), policy(tiers={"high": {"max_retries": 0}})
    with OpenAIServer(agent(plan)) as server:
        graph = built(build, server, bank, rules=rules)
        again = graph.invoke(resume(graph.invoke(GO, thread()), edit("pay", amount=900)), thread())
        assert evidence(again)[0]["verdict"]["tier"] == "critical"
        assert bank.run == [("balance", {})]
        graph.invoke(resume(again, approve()), thread())
    assert bank.run == [("balance", {}), ("pay", {"amount": 900, "to": "bob"})]


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("releases", [True, False])
def test_a_saved_state_that_is_resumed_twice_runs_every_call_once(build: Build, releases: bool) -> None:
    bank = Bank()
    with OpenAIServer(mixed()) as server:
        graph = built(build, server, bank, release_confident=releases)
        asked = graph.invoke(GO, thread())
        saved = graph.get_state(thread()).config
        graph.invoke(resume(asked, approve()), saved)
        again = graph.invoke(resume(asked, approve()), saved)
    assert sorted(bank.run) == [PAID, WIPED]
    told = answers(again)
    assert "this call has run, once" in told["pay"]
    assert "Not executed" in told["wipe"]


@pytest.mark.parametrize("build", BUILDS)
def test_nor_does_a_replay_from_before_its_tools_run_anything_again(build: Build) -> None:
    bank = Bank()
    with OpenAIServer(mixed()) as server:
        graph = built(build, server, bank)
        graph.invoke(resume(graph.invoke(GO, thread()), approve()), thread())
        before = next(one for one in graph.get_state_history(thread()) if "tools" in one.next)
        final = graph.invoke(None, before.config)
    assert bank.run == [PAID, WIPED]
    assert all("this call has run, once" in told for told in answers(final).values())


@pytest.mark.parametrize("build", BUILDS)
def test_a_new_message_calls_off_what_waits_and_does_not_hide_what_has_run(build: Build) -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(mixed()) as server:
        graph = built(build, server, bank, store=store)
        stale = graph.invoke(GO, thread())
        server.reply = lambda _body, _index: say("fine")
        final = graph.invoke({"messages": [HumanMessage("never mind")]}, thread())
        assert final["messages"][-1].content == "fine"
        told = answers(final)
        assert "this call has run, once" in told["pay"]
        assert "a new message came" in told["wipe"]
        graph.invoke(resume(stale, approve()), thread())
    assert bank.run == [PAID]
    assert [one.state for one in store.reviews()] == [ReviewState.SUPERSEDED]


@pytest.mark.parametrize("build", BUILDS)
def test_a_step_that_is_planned_again_runs_nothing(build: Build) -> None:
    def plan(body: dict[str, Any], index: int) -> dict[str, Any]:
        amount = 10 if body.get("temperature") != 1.0 else 100 + index
        return calls(("balance", {}), ("pay", {"amount": amount}), ("wipe", {"account": "a1"}))

    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(plan)) as server:
        built(build, server, bank, store=store).invoke(GO, thread())
    (record,) = store.records()
    assert record.verdict.route == "retry"
    assert bank.run == []


def test_what_ran_is_streamed_beside_the_question_and_no_sample_is() -> None:
    bank = Bank()
    with OpenAIServer(mixed()) as server:
        graph = built(state_graph, server, bank)
        seen = [*graph.stream(GO, thread(), stream_mode=["updates", "messages"])]
    updates = [chunk for mode, chunk in seen if mode == "updates"]
    assert {name for chunk in updates for name in chunk} == {"heal", "agent", "guard", "tools", "__interrupt__"}
    streamed = [chunk for mode, (chunk, *_) in seen if mode == "messages"]
    assert {str(one.content) for one in streamed if one.type == "tool"} == {"paid 10"}
    assert len({one.id for one in streamed if one.type != "tool"}) == 1


@pytest.mark.parametrize("build", BUILDS)
async def test_a_worker_resumes_the_one_that_is_decided(build: Build) -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(mixed(("wipe", {"account": "a2"}))) as server:
        graph = built(build, server, bank, store=store)
        asked = await graph.ainvoke(GO, thread())
        first, second = [one["review_id"] for one in evidence(asked)]
        queue, leases = Queue(store), Leases(store, by="this test")
        queue.approve(second, by="ada")
        assert [one.outcome for one in await resume_decided(graph, queue, leases)] == ["resumed"]
        assert bank.run == [PAID, ("wipe", {"account": "a2"})]
        assert turns(server) == 1
        assert await resume_decided(graph, queue, leases) == []
        queue.reject(first, by="bob")
        assert [one.outcome for one in await resume_decided(graph, queue, leases)] == ["resumed"]
        assert turns(server) == 2
    assert bank.run == [PAID, ("wipe", {"account": "a2"})]
    assert {store.review(one).state for one in (first, second)} == {ReviewState.DONE}


class Killed(BaseException):
    """The end of a process, as far as a test can have it."""


@pytest.mark.parametrize("build", BUILDS)
def test_what_was_started_when_its_process_died_is_not_run_again(build: Build) -> None:
    bank = Bank()
    pay: Any = bank.tools[0]
    works = pay.func

    def dying(amount: int, to: str = "bob") -> str:
        works(amount, to)
        raise Killed

    with OpenAIServer(mixed()) as server:
        graph = built(build, server, bank)
        pay.func = dying
        with pytest.raises(Killed):
            graph.invoke(GO, thread())
        pay.func = works
        asked = graph.invoke(None, thread())
        final = graph.invoke(resume(asked, approve()), thread())
    assert bank.run == [PAID, WIPED]
    assert "it is not known whether it took effect" in answers(final)["pay"]


def test_what_only_reads_may_run_again() -> None:
    bank = Bank()
    bank.tools[1].metadata = {"readOnlyHint": True}
    with OpenAIServer(agent(calls(("balance", {}), ("wipe", {"account": "a1"})))) as server:
        graph = built(state_graph, server, bank)
        asked = graph.invoke(GO, thread())
        saved = graph.get_state(thread()).config
        graph.invoke(resume(asked, approve()), saved)
        again = graph.invoke(resume(asked, approve()), saved)
    assert bank.run.count(WIPED) == 1
    assert answers(again)["balance"] == "100"


def test_where_tools_are_not_dispatched_by_the_guard_it_is_refused() -> None:
    bank = Bank()
    with OpenAIServer(mixed()) as server, pytest.raises(ConfigError, match=r"put guard.tool_node\(\) in the graph"):
        built(state_graph, server, bank, dispatch=False).invoke(GO, thread())
    assert bank.run == []


def test_asking_in_turn_and_releasing_exclude_each_other() -> None:
    bank = Bank()
    with OpenAIServer(mixed()) as server, pytest.raises(ConfigError, match="not both"):
        GuardrailMiddleware(chat_model(server), tools=bank.tools, ask_in_turn=True, release_confident=True)


def test_calls_that_share_a_task_are_not_asked_about_in_it() -> None:
    """Their interrupts could not be told apart: an answer to one might reach the other."""
    bank = Bank()
    with OpenAIServer(mixed(("wipe", {"account": "a2"}))) as server:
        model = chat_model(server)
        guard = GuardrailNode(model, tools=bank.tools, policy=policy(), release_confident=True)
        planner = guard.watch(model).bind_tools(bank.tools)
        builder = StateGraph(MessagesState)
        builder.add_node("agent", lambda state: {"messages": [planner.invoke(state["messages"])]})
        builder.add_node("guard", lambda state, config: {"messages": [guard.released(state, config).plan]})
        builder.add_node("tools", guard.tool_node())
        for edge in ((START, "agent"), ("agent", "guard"), ("guard", "tools")):
            builder.add_edge(*edge)
        graph = builder.compile(checkpointer=MemorySaver())
        with pytest.raises(ConfigError, match="needs one task a call"):
            graph.invoke(GO, thread())
    assert [name for name, _ in bank.run if name == "wipe"] == []


def test_a_call_that_changed_on_its_way_is_not_asked_about() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(mixed()) as server:
        graph = built(state_graph, server, bank, store=store)
        graph.invoke(GO, thread())
        (plan,) = [one for one in graph.get_state(thread()).values["messages"] if isinstance(one, AIMessage)]
        changed = [{**one, "args": {"account": "a2"}} for one in plan.tool_calls if one["name"] == "wipe"]
        tools = StateGraph(MessagesState)
        guard = GuardrailNode(
            chat_model(server), tools=bank.tools, policy=policy(), store=store, release_confident=True
        )
        tools.add_node("tools", guard.tool_node())
        tools.add_edge(START, "tools")
        result = tools.compile(checkpointer=MemorySaver()).invoke(
            {"messages": [plan.model_copy(update={"tool_calls": changed})]}, thread()
        )
    assert "the call changed after it was assessed" in answers(result)["wipe"]
    assert bank.run == [PAID]
    assert [one.state for one in store.reviews()] == [ReviewState.SUPERSEDED]


def test_one_that_is_not_under_review_is_not_held_up_by_what_was_asked_before() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        final = built(state_graph, server, bank).invoke(GO, thread())
    assert bank.run == [PAID]
    assert answers(final) == {"pay": "paid 10"}
