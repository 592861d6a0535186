"""One call, two doors: LangGraph's own answer, and the queue."""

from __future__ import annotations

from typing import Any

from langgraph.checkpoint.memory import MemorySaver

from guardrail import Queue, open_store
from guardrail.types import Principal, ReviewState
from guardrail_langgraph.worker import Leases, resume_decided
from tests.support.agents import GO, Bank, approve, evidence, policy, reject, resume, state_graph, thread
from tests.support.openai_server import OpenAIServer, agent, call


def rules(**wipe: Any) -> Any:
    return policy(
        tools=[
            {"match": "wipe", "tier": "critical", **wipe},
            {"match": "pay", "when": {"amount": {"gt": 500}}, "tier": "critical"},
            {"match": "pay", "tier": "high"},
        ]
    )


async def test_four_eyes_decide_in_the_queue_and_not_by_an_answer_without_a_face() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, rules=rules(reviewers={"quorum": 2}))
        result = graph.invoke(GO, thread())
        for name in ("ada", "bob"):
            result = graph.invoke(resume(result, approve()), thread(reviewer=name))
            assert "2 people must decide" in evidence(result)[0]["problem"]
        (review,) = store.reviews()
        assert (review.state, review.votes, bank.run) == (ReviewState.PENDING, (), [])
        queue = Queue(store)
        queue.approve(review.id, by="ada")
        queue.approve(review.id, by="bob")
        assert [one.outcome for one in await resume_decided(graph, queue, Leases(store, by="here"))] == ["resumed"]
    assert bank.run == [("wipe", {"account": "a1"})]


async def test_a_role_is_shown_in_the_queue_only() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, rules=rules(reviewers={"roles": ["ops"]}))
        result = graph.invoke(GO, thread())
        result = graph.invoke(resume(result, reject()), thread(reviewer="eve"))
        assert "the role ops" in evidence(result)[0]["problem"]
        queue = Queue(store)
        queue.reject(evidence(result)[0]["review_id"], by=Principal(name="ada", roles=("ops",)))
        await resume_decided(graph, queue, Leases(store, by="here"))
    assert bank.run == []
    assert store.reviews()[0].state is ReviewState.DONE


def test_one_no_is_enough_for_four_eyes_by_either_door() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, rules=rules(reviewers={"quorum": 2}))
        graph.invoke(resume(graph.invoke(GO, thread()), reject()), thread())
    assert bank.run == []
    assert store.reviews()[0].state is ReviewState.DONE


def test_an_edit_in_the_queue_is_looked_at_again_though_another_answer_resumes_the_thread() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(call("pay", amount=10, to="bob"))) as server:
        server.reply = lambda body, index: call("pay", amount=10 if body.get("temperature") != 1.0 else 20 + index)
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, rules=rules())
        result = graph.invoke(GO, thread())
        Queue(store).edit(evidence(result)[0]["review_id"], by="ada", arguments={"amount": 10_000})
        result = graph.invoke(resume(result, approve()), thread(reviewer="bob"))
        assert evidence(result)[0]["verdict"]["tier"] == "critical"
    assert bank.run == []
