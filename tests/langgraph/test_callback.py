"""The callback handler in front of tools of an agent that is not changed."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.callbacks import AsyncCallbackHandler
from langgraph.checkpoint.memory import MemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from guardrail import open_store
from guardrail_langgraph import GuardrailCallbackHandler
from tests.support.agents import (
    GO,
    Bank,
    approve,
    callback_agent,
    edit,
    evidence,
    flipping,
    n_asked,
    never_agreeing,
    policy,
    reject,
    reply_until_paid,
    resume,
    thread,
    tool_messages,
)
from tests.support.openai_server import OpenAIServer, agent, call, calls


@pytest.fixture
def bank() -> Bank:
    return Bank()


def test_agreed_call_runs(bank: Bank) -> None:
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        callback_agent(server, bank).invoke(GO)
        assert n_asked(server) == 8
    assert bank.paid == [10]


def test_doubtful_call_is_blocked_and_planned_again(bank: Bank) -> None:
    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        told = any("Not executed" in str(message.get("content")) for message in body["messages"])
        return call("pay", amount=20 if told or body.get("temperature") == 1.0 else 10)

    with OpenAIServer(reply_until_paid(reply)) as server:
        result = callback_agent(server, bank).invoke(GO)
    assert bank.paid == [20]
    assert [message.status for message in tool_messages(result)] == ["error", "success"]


def test_the_retry_budget_ends_in_a_review(bank: Bank) -> None:
    with OpenAIServer(never_agreeing) as server:
        store = open_store("memory://")
        result = callback_agent(server, bank, saver=MemorySaver(), store=store).invoke(GO, thread())
    assert [record.attempt for record in store.records()] == [1, 0]
    assert evidence(result)[0]["verdict"]["reason"] == "retries_spent"
    assert bank.run == []


@pytest.mark.parametrize("answer", ["approve", "reject"])
@pytest.mark.parametrize("durable", [False, True])
def test_pays_once_and_obeys_over_interrupt_and_restart(bank: Bank, tmp_path: Any, answer: str, durable: bool) -> None:
    reply = approve() if answer == "approve" else reject()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        store = open_store(f"sqlite:///{tmp_path}/g.db")
        if durable:
            with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
                result = callback_agent(server, bank, saver=saver, store=store).invoke(GO, thread())
            with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
                final = callback_agent(server, bank, saver=saver, store=store).invoke(resume(result, reply), thread())
        else:
            graph = callback_agent(server, bank, saver=MemorySaver(), store=store)
            result = graph.invoke(GO, thread())
            assert bank.run == []
            final = graph.invoke(resume(result, reply), thread())
        assert n_asked(server) == 8
    assert bank.run == ([("wipe", {"account": "a1"})] if answer == "approve" else [])
    assert tool_messages(final)[-1].status == ("success" if answer == "approve" else "error")


@pytest.mark.parametrize("answer", ["approve", "reject"])
@pytest.mark.parametrize("durable", [False, True])
async def test_async_pays_once_and_obeys(bank: Bank, tmp_path: Any, answer: str, durable: bool) -> None:
    reply = approve() if answer == "approve" else reject()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        store = open_store(f"sqlite:///{tmp_path}/g.db")
        if durable:
            async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
                result = await callback_agent(server, bank, saver=saver, store=store).ainvoke(GO, thread())
            async with AsyncSqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
                graph = callback_agent(server, bank, saver=saver, store=store)
                await graph.ainvoke(resume(result, reply), thread())
        else:
            graph = callback_agent(server, bank, saver=MemorySaver(), store=store)
            result = await graph.ainvoke(GO, thread())
            await graph.ainvoke(resume(result, reply), thread())
        assert n_asked(server) == 8
    assert bank.run == ([("wipe", {"account": "a1"})] if answer == "approve" else [])


async def test_an_async_tool_is_blocked_too(bank: Bank) -> None:
    with OpenAIServer(agent(call("transfer", amount=5))) as server:
        rules = policy(tools=[{"match": "transfer", "tier": "critical"}])
        graph = callback_agent(server, bank, rules=rules, tools=bank.async_tools, saver=MemorySaver())
        result = await graph.ainvoke(GO, thread())
        await graph.ainvoke(resume(result, reject()), thread())
    assert bank.run == []


@pytest.mark.parametrize("how", ["invoke", "ainvoke"])
async def test_without_a_checkpointer_a_reviewed_call_is_blocked(bank: Bank, how: str) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = callback_agent(server, bank)
        result = graph.invoke(GO) if how == "invoke" else await graph.ainvoke(GO)
    assert bank.run == []
    assert "checkpointer" in str(tool_messages(result)[-1].content)


def test_flipping_samples_never_overrule_a_rejection(bank: Bank) -> None:
    with OpenAIServer(agent(flipping)) as server:
        rules = policy(tiers={"high": {"max_retries": 0}})
        graph = callback_agent(server, bank, saver=MemorySaver(), rules=rules)
        result = graph.invoke(GO, thread())
        asked = n_asked(server)
        graph.invoke(resume(result, reject()), thread())
        assert n_asked(server) == asked
    assert bank.run == []


def test_a_saved_state_resumed_twice_runs_once(bank: Bank) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = callback_agent(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        saved = graph.get_state(thread()).config
        graph.invoke(resume(result, approve()), saved)
        graph.invoke(resume(result, approve()), saved)
    assert len(bank.run) == 1


def test_parallel_calls_are_paid_once(bank: Bank) -> None:
    plan = calls(("pay", {"amount": 10}), ("balance", {}), ("wipe", {"account": "a1"}))
    with OpenAIServer(agent(lambda _b, _i: {**plan})) as server:
        graph = callback_agent(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        graph.invoke(resume(result, reject()), thread())
        assert n_asked(server) == 8
    assert sorted(name for name, _ in bank.run) == ["balance", "pay"]


def test_an_edit_is_not_offered_and_not_taken(bank: Bank) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = callback_agent(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        assert "edit" not in result["__interrupt__"][0].value["review_configs"][0]["allowed_decisions"]
        result = graph.invoke(resume(result, edit("wipe", account="a2")), thread())
        assert "not allowed" in evidence(result)[0]["problem"]
    assert bank.run == []


def test_a_tool_started_by_code_without_a_plan_is_blocked(bank: Bank) -> None:
    from guardrail.errors import CallBlocked

    with OpenAIServer(agent(call("pay", amount=10))) as server:
        from tests.support.agents import chat_model

        handler = GuardrailCallbackHandler(chat_model(server), tools=bank.tools, policy=policy())
        with pytest.raises(CallBlocked, match="without a planned call"):
            bank.tools[0].invoke({"amount": 5}, {"callbacks": [handler]})
    assert bank.run == []


def test_an_asynchronous_subclass_is_refused() -> None:
    with pytest.raises(TypeError, match="AsyncCallbackHandler"):

        class Async(GuardrailCallbackHandler, AsyncCallbackHandler):
            pass
