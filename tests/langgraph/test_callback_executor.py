"""The callback handler under ``AgentExecutor``, whose tools start without the ids of their calls."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.tools import tool

from guardrail import Decision, DecisionType, open_store
from guardrail.types import ReviewState, Route
from guardrail_langgraph.blocked import ToolCallBlocked
from tests.support.agents import Bank, chat_model, n_asked, policy
from tests.support.executors import QUESTION, WAYS, Legacy, legacy, observations, planned
from tests.support.openai_server import OpenAIServer, call, calls, say

KINDS = ("tools", "text")


def amounts(bank: Bank) -> list[int]:
    return [int(amount) for amount in bank.paid]


@pytest.mark.parametrize("n", ["honour", "ignore"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
async def test_agreed_call_runs_once_and_is_paid_for_exactly(kind: str, way: str, n: Any) -> None:
    bank = Bank()
    with OpenAIServer(legacy(kind, planned(kind, "pay", amount=10)), n=n) as server:
        agent = Legacy(server, bank, kind)
        result = await agent.run(way)
        assert server.choices == 8 + 2
        plans = [body for body in server.requests if body.get("temperature") != 1.0]
    assert amounts(bank) == [10]
    assert result["output"] == "done"
    assert len(plans) == 2
    (record,) = agent.handler.store.records()
    assert record.verdict.route is Route.EXECUTE
    assert [one.call.name for one in record.verdict.verdicts] == ["pay"]
    if kind == "tools":  # of words, the server gives log-probabilities, which tell more tokens than it says
        assert record.verdict.usage.completion_tokens == 8 * OpenAIServer.completion_tokens


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
async def test_doubtful_call_is_told_to_the_agent_which_plans_again(kind: str, way: str) -> None:
    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        told = "Not executed" in str(body["messages"])
        if "paid" in str(body["messages"]):
            return say("done") if kind == "tools" else say("Final Answer: done")
        return planned(kind, "pay", amount=20 if told or body.get("temperature") == 1.0 else 10)

    bank = Bank()
    with OpenAIServer(reply) as server:
        agent = Legacy(server, bank, kind)
        result = await agent.run(way)
    assert amounts(bank) == [20]
    assert [text.startswith("Not executed") for text in observations(result)] == [True, False]
    assert [record.attempt for record in agent.handler.store.records()] == [1, 0]


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "astream"])
@pytest.mark.parametrize("kind", KINDS)
async def test_the_retry_budget_ends_in_one_review(kind: str, way: str) -> None:
    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        return planned(kind, "pay", amount=10 if body.get("temperature") != 1.0 else 100 + index)

    bank = Bank()
    with OpenAIServer(reply) as server:
        agent = Legacy(server, bank, kind)
        await agent.run(way)
    assert bank.run == []
    assert [record.attempt for record in agent.handler.store.records()] == [1, 0]
    assert len(agent.handler.store.reviews()) == 1


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_call_under_review_is_blocked_and_its_review_named(kind: str, way: str) -> None:
    bank = Bank()
    with OpenAIServer(legacy(kind, planned(kind, "wipe", account="a1"))) as server:
        agent = Legacy(server, bank, kind)
        result = await agent.run(way)
    assert bank.run == []
    (review,) = agent.handler.store.reviews()
    assert review.id[:12] in observations(result)[0]
    assert review.state is ReviewState.PENDING


@pytest.mark.parametrize("way", ["invoke", "ainvoke"])
@pytest.mark.parametrize("kind", ["approve", "reject"])
async def test_a_tool_can_wait_for_the_decision(way: str, kind: str) -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(legacy("tools", call("wipe", account="a1"))) as server:
        agent = Legacy(server, bank, store=store, wait=60)
        queue = agent.handler._wiring.queue

        def decide() -> None:
            mark = store.change_mark()
            while not store.reviews():
                store.wait_for_change(30, since=mark)
            (review,) = store.reviews()
            at = datetime.now(UTC).isoformat()
            queue.decide(review.id, Decision(type=DecisionType(kind), by="ann", at=at, message="no"))

        person = threading.Thread(target=decide)
        person.start()
        result = await agent.run(way)
        person.join()
        assert n_asked(server) == 8
    assert bank.run == ([("wipe", {"account": "a1"})] if kind == "approve" else [])
    assert observations(result)[0].startswith("gone" if kind == "approve" else "Not executed: rejected by a human")
    assert store.reviews()[0].state is ReviewState.DONE


@pytest.mark.parametrize("kind", KINDS)
async def test_an_approval_is_not_lost_and_used_once_by_the_same_call_of_the_thread(kind: str) -> None:
    bank, store = Bank(), open_store("memory://")
    thread = {"metadata": {"thread_id": "t1"}}
    with OpenAIServer(legacy(kind, planned(kind, "wipe", account="a1"))) as server:
        agent = Legacy(server, bank, kind, store=store)
        await agent.run("invoke", **thread)
        (review,) = store.reviews()
        agent.handler._wiring.queue.approve(review.id, by="ann")
        await agent.run("invoke", metadata={"thread_id": "t2"})
        assert bank.run == []
        for _ in range(2):
            await agent.run("invoke", **thread)
        assert n_asked(server) == 24  # nothing was drawn again for the approved one
    assert bank.run == [("wipe", {"account": "a1"})]


async def test_flipping_samples_never_overrule_a_rejection() -> None:
    def flips(body: dict[str, Any], index: int) -> dict[str, Any]:
        return call("pay", amount=10 if body.get("temperature") != 1.0 or index > 10 else 20 + index)

    bank = Bank()
    rules = policy(tiers={"high": {"max_retries": 0}})
    thread = {"metadata": {"thread_id": "t1"}}
    with OpenAIServer(legacy("tools", flips)) as server:
        agent = Legacy(server, bank, policy=rules)
        await agent.run("invoke", **thread)
        (review,) = agent.handler.store.reviews()
        agent.handler._wiring.queue.reject(review.id, by="ann", message="never")
        asked = n_asked(server)
        result = await agent.run("invoke", **thread)
        assert n_asked(server) == asked
    assert bank.run == []
    assert "rejected by a human" in observations(result)[0]


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
async def test_parallel_calls_are_decided_each_and_paid_for_together(way: str) -> None:
    plan = calls(("pay", {"amount": 10}), ("balance", {}), ("pay", {"amount": 10}), ("wipe", {"account": "a1"}))
    bank = Bank()
    with OpenAIServer(legacy("tools", plan)) as server:
        agent = Legacy(server, bank)
        result = await agent.run(way)
        assert n_asked(server) == 8
    assert sorted(name for name, _ in bank.run) == ["balance", "pay", "pay"]
    assert sum("must wait" in text for text in observations(result)) == 1


def test_without_tools_of_the_guard_a_blocked_call_ends_the_run() -> None:
    from langchain_classic.agents import AgentExecutor

    bank = Bank()
    with OpenAIServer(legacy("tools", call("wipe", account="a1"))) as server:
        agent = Legacy(server, bank)
        plain = AgentExecutor(agent=agent.executor.agent, tools=bank.tools)
        with pytest.raises(ToolCallBlocked) as blocked:
            plain.invoke(QUESTION, {"callbacks": [agent.handler]})
        (review,) = agent.handler.store.reviews()
        assert blocked.value.review_id == review.id
    assert bank.run == []


async def test_a_text_that_cannot_be_read_is_told_to_the_agent_and_no_call_is_guarded() -> None:
    replies = [say("I am not sure."), say("Final Answer: done")]
    with OpenAIServer(lambda _body, index: replies[min(index, 1)]) as server:
        agent = Legacy(server, Bank(), "text")
        result = await agent.run("invoke")
        assert n_asked(server) == 0
    assert result["output"] == "done"


async def test_a_tool_that_does_not_exist_is_told_to_the_agent() -> None:
    with OpenAIServer(legacy("tools", call("fly", high=1))) as server:
        result = await Legacy(server, Bank()).run("invoke")
    assert "fly is not a valid tool" in observations(result)[0]


async def test_an_agent_of_text_without_a_reader_is_blocked_and_told_what_is_missing() -> None:
    bank = Bank()
    with OpenAIServer(legacy("text", planned("text", "pay", amount=10))) as server:
        agent = Legacy(server, bank, "text", reads=None)
        result = await agent.run("invoke")
    assert bank.run == []
    assert "reads=" in observations(result)[0]


async def test_samples_that_cannot_be_read_are_no_evidence() -> None:
    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        return say("hm") if body.get("temperature") == 1.0 else planned("text", "pay", amount=10)

    bank = Bank()
    with OpenAIServer(reply) as server:
        agent = Legacy(server, bank, "text")
        await agent.run("invoke")
    assert bank.run == []
    assert agent.handler.store.records()[-1].verdict.invalid > 0


async def test_an_asynchronous_tool_alone_is_held_too() -> None:
    ran: list[int] = []

    @tool
    async def transfer(amount: int) -> str:
        """Transfer."""
        ran.append(amount)
        return "done"

    bank = Bank()
    bank.tools = [transfer]
    rules = policy(tools=[{"match": "transfer", "when": {"amount": {"gt": 5}}, "tier": "critical"}])
    with OpenAIServer(legacy("tools", call("transfer", amount=7))) as server:
        assert "must wait" in observations(await Legacy(server, bank, policy=rules).run("ainvoke"))[0]
        assert ran == []
        server.reply = legacy("tools", call("transfer", amount=3))
        await Legacy(server, bank, policy=rules).run("astream")
    assert ran == [3]


def test_threads_that_share_a_handler_keep_their_calls_apart() -> None:
    """Every conversation plans the same call; one is told to wait, and may not use what another was let."""
    bank = Bank()
    rules = policy(tools=[{"match": "pay", "tier": "high"}], tiers={"high": {"max_retries": 0}})

    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        doubtful = "doubt" in str(body["messages"][0]["content"])
        return call("pay", amount=index if doubtful and body.get("temperature") == 1.0 else 10)

    with OpenAIServer(legacy("tools", reply)) as server:
        agent = Legacy(server, bank, policy=rules)
        questions = [{"input": "doubt" if number % 2 else "sure"} for number in range(8)]
        config: Any = {"callbacks": [agent.handler], "max_concurrency": 8}
        results = agent.executor.batch(questions, config)
    blocked = ["must wait" in observations(result)[0] for result in results]
    assert blocked == [bool(number % 2) for number in range(8)]
    assert amounts(bank) == [10] * 4


async def test_nothing_of_the_samples_reaches_other_handlers_or_their_counts() -> None:
    """What streams and counts tokens beside the guard sees the agent's own requests; the samples' are in the record."""
    usage = UsageMetadataCallbackHandler()
    with OpenAIServer(legacy("tools", call("pay", amount=10))) as server:
        agent = Legacy(server, Bank())
        model = chat_model(server, stream_usage=True)
        assert model is not None
        texts: list[str] = []
        config: Any = {"callbacks": [agent.handler, usage]}
        async for event in agent.executor.astream_events(QUESTION, config, version="v2"):
            if event["event"] == "on_chat_model_stream":
                texts.append(event["run_id"])
        plans = [body for body in server.requests if body.get("temperature") != 1.0]
    assert len(set(texts)) == len(plans) == 2
