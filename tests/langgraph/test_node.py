"""The node in a hand-built graph and as post_model_hook: routes, cost, and a verdict that never flips."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.types import Command

from guardrail import open_store
from guardrail.types import ReviewState
from tests.support.agents import (
    BUILDS,
    GO,
    Bank,
    Build,
    approve,
    callback_agent,
    evidence,
    flipping,
    n_asked,
    never_agreeing,
    pending,
    policy,
    reject,
    reply_until_paid,
    resume,
    state_graph,
    thread,
    tool_messages,
)
from tests.support.openai_server import OpenAIServer, agent, call, calls, say


@pytest.fixture
def bank() -> Bank:
    return Bank()


@pytest.mark.parametrize("build", BUILDS)
def test_agreed_call_runs_without_a_human(build: Build, bank: Bank) -> None:
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        result = build(server, bank).invoke(GO)
        assert bank.paid == [10]
        assert result["messages"][-1].content == "done"
        assert n_asked(server) == 8


@pytest.mark.parametrize("build", BUILDS)
def test_doubtful_call_is_planned_again_then_reviewed(build: Build, bank: Bank) -> None:
    with OpenAIServer(never_agreeing) as server:
        store = open_store("memory://")
        result = build(server, bank, saver=MemorySaver(), store=store).invoke(GO, thread())
    assert bank.run == []
    assert evidence(result)[0]["verdict"]["reason"] == "retries_spent"
    first, second = store.records()[::-1]
    assert (first.verdict.route, first.attempt, second.attempt) == ("retry", 0, 1)


@pytest.mark.parametrize("build", BUILDS)
def test_retry_tells_the_agent_where_its_plans_disagreed(build: Build, bank: Bank) -> None:
    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        told = any("Not executed" in str(message.get("content")) for message in body["messages"])
        if told:
            return call("pay", amount=20)
        return call("pay", amount=10 if body.get("temperature") != 1.0 else 20)

    with OpenAIServer(reply_until_paid(reply)) as server:
        result = build(server, bank).invoke(GO)
    assert bank.paid == [20]
    first, second = tool_messages(result)
    assert (first.status, second.status) == ("error", "success")
    assert '"amount":20' in str(first.content)


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("dispatch", [True, False])
@pytest.mark.parametrize("answer", ["approve", "reject"])
@pytest.mark.parametrize("durable", [False, True])
def test_resume_pays_nothing_and_obeys_the_human(
    build: Build, bank: Bank, tmp_path: Any, dispatch: bool, answer: str, durable: bool
) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        url = f"sqlite:///{tmp_path}/g.db"
        if not durable:
            graph = build(server, bank, saver=MemorySaver(), store=open_store(url), dispatch=dispatch)
            result = graph.invoke(GO, thread())
            asked = n_asked(server)
            assert bank.run == []
            final = graph.invoke(resume(result, approve() if answer == "approve" else reject()), thread())
        else:
            with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
                result = build(server, bank, saver=saver, store=open_store(url), dispatch=dispatch).invoke(GO, thread())
            asked = n_asked(server)
            assert bank.run == []
            with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
                graph = build(server, bank, saver=saver, store=open_store(url), dispatch=dispatch)
                final = graph.invoke(resume(result, approve() if answer == "approve" else reject()), thread())
        assert asked == n_asked(server) == 8
        assert bank.run == ([("wipe", {"account": "a1"})] if answer == "approve" else [])
        assert [message.status for message in tool_messages(final)] == ["success" if answer == "approve" else "error"]
        assert final["messages"][-1].content == "done"


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("answer", ["approve", "reject"])
async def test_async_pays_once_and_obeys(build: Build, bank: Bank, tmp_path: Any, answer: str) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        store = open_store(f"sqlite:///{tmp_path}/g.db")
        async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
            result = await build(server, bank, saver=saver, store=store).ainvoke(GO, thread())
        async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
            graph = build(server, bank, saver=saver, store=store)
            await graph.ainvoke(resume(result, approve() if answer == "approve" else reject()), thread())
        assert n_asked(server) == 8
        assert bank.run == ([("wipe", {"account": "a1"})] if answer == "approve" else [])


@pytest.mark.parametrize("build", BUILDS)
def test_samples_that_would_flip_on_a_second_look_never_overrule_a_rejection(build: Build, bank: Bank) -> None:
    with OpenAIServer(agent(flipping)) as server:
        graph = build(server, bank, saver=MemorySaver(), rules=policy(tiers={"high": {"max_retries": 0}}))
        result = graph.invoke(GO, thread())
        asked = n_asked(server)
        graph.invoke(resume(result, reject()), thread())
        assert n_asked(server) == asked
    assert bank.run == []


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("dispatch", [True, False])
def test_a_saved_state_resumed_twice_runs_the_tool_once(build: Build, bank: Bank, dispatch: bool) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = build(server, bank, saver=MemorySaver(), dispatch=dispatch)
        result = graph.invoke(GO, thread())
        saved = graph.get_state(thread()).config
        graph.invoke(resume(result, approve()), saved)
        again = graph.invoke(resume(result, approve()), saved)
    assert len(bank.run) == 1
    assert "Not executed" in str(tool_messages(again)[-1].content)


def test_the_dispatcher_refuses_a_step_replayed_after_its_approval_was_used(bank: Bank) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        graph.invoke(resume(result, approve()), thread())
        sent = next(state for state in graph.get_state_history(thread()) if state.next == ("tools",))
        graph.invoke(None, sent.config)
    assert len(bank.run) == 1


@pytest.mark.parametrize("build", BUILDS)
def test_parallel_calls_ask_one_question_each_and_confident_siblings_wait(build: Build, bank: Bank) -> None:
    plan = calls(("pay", {"amount": 10}), ("wipe", {"account": "a1"}), ("wipe", {"account": "a2"}))
    with OpenAIServer(agent(lambda _b, _i: {**plan})) as server:
        graph = build(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        assert bank.run == []
        assert [one["verdict"]["call"]["arguments"] for one in evidence(result)] == [
            {"account": "a1"},
            {"account": "a2"},
        ]
        half = graph.invoke(Command(resume={pending(result)[1].id: approve()}), thread())
        assert bank.run == []
        assert len(half["__interrupt__"]) == 1
        graph.invoke(resume(half, reject()), thread())
        assert n_asked(server) == 8
    assert sorted(bank.run) == [("pay", {"amount": 10, "to": "bob"}), ("wipe", {"account": "a2"})]


@pytest.mark.parametrize("build", BUILDS)
def test_a_new_message_while_a_review_waits_closes_it_and_keeps_history_valid(build: Build, bank: Bank) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        store = open_store("memory://")
        graph = build(server, bank, saver=MemorySaver(), store=store)
        stale = graph.invoke(GO, thread())
        server.reply = lambda _b, _i: say("fine")
        final = graph.invoke({"messages": [HumanMessage("never mind")]}, thread())
        assert final["messages"][-1].content == "fine"
        assert [review.state for review in store.reviews()] == [ReviewState.SUPERSEDED]
        graph.invoke(resume(stale, approve()), thread())
    assert bank.run == []


def test_a_plan_whose_request_was_not_seen_goes_to_a_human_unsampled(bank: Bank) -> None:
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        from langgraph.graph import START, MessagesState, StateGraph

        from guardrail_langgraph import GuardrailNode
        from tests.support.agents import chat_model

        model = chat_model(server)
        guard = GuardrailNode(model, tools=bank.tools, policy=policy())
        builder = StateGraph(MessagesState)
        builder.add_node("agent", lambda s: {"messages": [model.bind_tools(bank.tools).invoke(s["messages"])]})
        builder.add_node("guard", guard)
        builder.add_node("tools", guard.tool_node())
        builder.add_edge(START, "agent")
        builder.add_edge("agent", "guard")
        builder.add_edge("tools", "agent")
        result = builder.compile(checkpointer=MemorySaver()).invoke(GO, thread())
        assert evidence(result)[0]["verdict"]["reason"] == "request_unknown"
        assert len(server.requests) == 1
    assert bank.run == []


def test_a_review_without_a_checkpointer_is_a_clear_error_and_runs_nothing(bank: Bank) -> None:
    from guardrail.errors import ConfigError

    with OpenAIServer(agent(call("wipe", account="a1"))) as server, pytest.raises(ConfigError, match="checkpointer"):
        state_graph(server, bank).invoke(GO)
    assert bank.run == []


@pytest.mark.parametrize("build", [*BUILDS, callback_agent])
@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_the_resample_is_the_planning_request_but_for_named_settings(build: Build, bank: Bank, how: str) -> None:
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = build(server, bank)
        _ = graph.invoke(GO) if how == "invoke" else await graph.ainvoke(GO)
        planned = server.requests[0]
        assert n_asked(server) == 8
        for body in server.drawn:
            differs = {key for key in planned.keys() | body.keys() if planned.get(key) != body.get(key)}
            assert differs <= {"n", "temperature"}


@pytest.mark.parametrize("build", BUILDS)
def test_resamples_do_not_leak_into_the_message_stream(build: Build, bank: Bank) -> None:
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = build(server, bank)
        parts = list(graph.stream(GO, stream_mode="messages", subgraphs=True))
        assert n_asked(server) == 8
    seen = {chunk.id for _, (chunk, _) in parts if getattr(chunk, "tool_calls", None)}
    assert len(seen) == 1


async def test_many_threads_at_once_keep_their_verdicts_apart(bank: Bank, tmp_path: Any) -> None:
    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        name = body["messages"][0]["content"]
        return say("done") if body["messages"][-1]["role"] == "tool" else call("wipe", account=name)

    with OpenAIServer(reply) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=open_store(f"sqlite:///{tmp_path}/g.db"))

        async def one(i: int) -> None:
            result = await graph.ainvoke({"messages": [HumanMessage(f"a{i}")]}, thread(f"t{i}"))
            assert evidence(result)[0]["verdict"]["call"]["arguments"] == {"account": f"a{i}"}
            await graph.ainvoke(resume(result, approve() if i % 2 else reject()), thread(f"t{i}"))

        await asyncio.gather(*[one(i) for i in range(6)])
    assert sorted(account["account"] for _, account in bank.run) == ["a1", "a3", "a5"]
