"""A tool node that is not the guard's own says nothing when a call has run; the messages do, or a person has to."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langgraph.checkpoint.memory import MemorySaver

from guardrail import Queue, open_store
from guardrail.store import Store
from guardrail.types import Decision, DecisionType, Review, ReviewState
from guardrail_langgraph.finished import NOTE, finish_answered, has_run
from guardrail_langgraph.history import MARK
from guardrail_langgraph.worker import Leases, Registered, take_turn
from guardrail_langgraph.worker_loop import Worker
from tests.support.agents import (
    BUILDS,
    GO,
    Bank,
    Build,
    approve,
    evidence,
    middleware_agent,
    resume,
    state_graph,
    thread,
)
from tests.support.openai_server import OpenAIServer, agent, call
from tests.support.records import review

CALL = {"name": "refund", "args": {"order_id": "A-7", "amount": 100}, "id": "call_1", "type": "tool_call"}
PLAN = AIMessage("", id="step of rec-000001", tool_calls=[CALL])
ANSWER = ToolMessage("done", tool_call_id="call_1", name="refund")


def executing(**more: Any) -> Review:
    decision = Decision(type=DecisionType.APPROVE, by="ada", at="2026-01-02T03:05:00+00:00")
    return replace(review(), **{"state": ReviewState.EXECUTING, "decision": decision, **more})


def test_the_tools_own_answer_behind_its_plan_is_certain() -> None:
    assert has_run(executing(), [HumanMessage("go"), PLAN, ANSWER, AIMessage("done")])
    failed = ANSWER.model_copy(update={"status": "error"})
    assert has_run(executing(), [PLAN, failed]), "it ran, and raised"
    other = ToolMessage("x", tool_call_id="call_2", name="other")
    assert has_run(executing(), [PLAN, other, ANSWER])


MARKED = ANSWER.model_copy(update={"additional_kwargs": {MARK: {"outcome": "refused"}}})
SAME_TWICE = AIMessage("", id=PLAN.id, tool_calls=[CALL, CALL])
OTHER_TOOL = AIMessage("", id=PLAN.id, tool_calls=[{**CALL, "name": "wipe"}])
UNCERTAIN: dict[str, list[BaseMessage]] = {
    "no answer": [PLAN],
    "no messages": [],
    "no plan": [ANSWER],
    "an answer that the guard wrote": [PLAN, MARKED],
    "two answers": [PLAN, ANSWER, ANSWER],
    "an answer before the plan": [ANSWER, PLAN],
    "an answer after the model's next turn": [PLAN, AIMessage("so?"), ANSWER],
    "an answer by another name": [PLAN, ANSWER.model_copy(update={"name": "wipe"})],
    "an answer without a name": [PLAN, ANSWER.model_copy(update={"name": None})],
    "an answer to another call": [PLAN, ANSWER.model_copy(update={"tool_call_id": "call_2"})],
    "a plan of another step": [PLAN.model_copy(update={"id": "another"}), ANSWER],
    "a plan of another tool": [OTHER_TOOL, ANSWER],
    "a plan that has the id twice": [SAME_TWICE, ANSWER],
    "two plans": [PLAN, PLAN, ANSWER],
    "somebody's words": [HumanMessage("call_1 is done", id=PLAN.id), ANSWER],
}


@pytest.mark.parametrize("messages", UNCERTAIN.values(), ids=UNCERTAIN)
def test_anything_else_is_not(messages: list[BaseMessage]) -> None:
    assert not has_run(executing(), messages)


@pytest.mark.parametrize(
    "more",
    [
        {"state": ReviewState.DECIDED},
        {"state": ReviewState.OUTCOME_UNKNOWN},
        {"decision": None},
        {"decision": Decision(type=DecisionType.REJECT, by="ada", at="2026-01-02T03:05:00+00:00")},
        {"step_id": ""},
    ],
)
def test_only_a_call_that_was_started_can_have_run(more: dict[str, Any]) -> None:
    plan = PLAN.model_copy(update={"id": more.get("step_id", PLAN.id)})
    assert not has_run(executing(**more), [plan, ANSWER])


# a middleware always stands where the tool is started, and closes the review itself
@pytest.mark.parametrize("build", [build for build in BUILDS if build is not middleware_agent])
@pytest.mark.parametrize("asynchronous", [False, True])
async def test_the_guard_closes_the_review_when_it_sees_the_answer(build: Build, asynchronous: bool) -> None:
    store, bank = open_store("memory://"), Bank()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = build(server, bank, saver=MemorySaver(), store=store, dispatch=False)
        if asynchronous:
            result = await graph.ainvoke(GO, thread())
            await graph.ainvoke(resume(result, approve()), thread())
        else:
            graph.invoke(resume(graph.invoke(GO, thread()), approve()), thread())
    (kept,) = store.reviews()
    assert (kept.state, kept.history[-1].by, kept.history[-1].note) == (ReviewState.DONE, "guard", NOTE)
    assert len(bank.run) == 1


def test_a_guard_closes_only_what_its_own_graph_planned() -> None:
    store = open_store("memory://")
    store.add_review(review())
    for state in (ReviewState.DECIDED, ReviewState.EXECUTING):
        kept = store.review("rev-000001")
        store.compare_and_set(executing(state=state, revision=kept.revision + 1))
    queue = Queue(store)
    for thread_id, namespace in (("thread-1", "inner:1"), ("thread-2", ""), ("", "")):
        assert finish_answered(queue, [PLAN, ANSWER], thread_id=thread_id, namespace=namespace, by="guard") == []
    assert finish_answered(queue, [PLAN], thread_id="thread-1", namespace="", by="guard") == []
    (closed,) = finish_answered(queue, [PLAN, ANSWER], thread_id="thread-1", namespace="", by="guard")
    assert closed.state is ReviewState.DONE
    store.close()


def broken_after_the_tool(store: Store, server: OpenAIServer, bank: Bank) -> Any:
    """A graph whose agent died after the tool's answer was saved, and before it could go on."""
    graph = state_graph(server, bank, saver=MemorySaver(), store=store, dispatch=False)
    result = graph.invoke(GO, thread())
    plan, server.reply = server.reply, lambda _body, _index: {"not": "a message"}
    with pytest.raises(Exception):
        graph.invoke(resume(result, approve()), thread())
    server.reply = plan
    (kept,) = store.reviews()
    assert kept.state is ReviewState.EXECUTING
    return graph


async def test_a_worker_closes_it_from_the_checkpoint() -> None:
    store, bank, lines = open_store("memory://"), Bank(), list[str]()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = broken_after_the_tool(store, server, bank)
        worker = Worker(
            [Registered(name="graph", graph=graph)],
            Queue(store, tenant=None),
            Leases(store, by="this test"),
            concurrency=1,
            stuck_after=0.0,
            tell=lines.append,
        )
        await worker.once()
    (kept,) = store.reviews()
    assert (kept.state, kept.history[-1].by, kept.history[-1].note) == (ReviewState.DONE, "worker", NOTE)
    assert [one.split()[1] for one in lines] == ["finished"]
    assert not worker.trouble
    assert len(bank.run) == 1


async def test_a_worker_leaves_what_is_not_certain_to_a_person() -> None:
    store, bank, lines = open_store("memory://"), Bank(), list[str]()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = broken_after_the_tool(store, server, bank)
        stranger = state_graph(server, Bank(), saver=MemorySaver(), store=store, dispatch=False)
        (kept,) = store.reviews()
        store.compare_and_set(replace(kept, namespace="inner:1", revision=kept.revision + 1))
        worker = Worker(
            [Registered(name="graph", graph=graph), Registered(name="stranger", graph=stranger)],
            Queue(store, tenant=None),
            Leases(store, by="this test"),
            concurrency=1,
            stuck_after=0.0,
            tell=lines.append,
        )
        await worker.once()
    assert store.reviews()[0].state is ReviewState.EXECUTING
    assert [one.split()[1] for one in lines] == ["STUCK"]
    assert worker.trouble


async def test_a_thread_that_two_graphs_have_is_not_certain() -> None:
    store, bank = open_store("memory://"), Bank()
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = broken_after_the_tool(store, server, bank)
        registered = [Registered(name=name, graph=graph) for name in ("one", "twin")]
        await take_turn(registered, Queue(store, tenant=None), Leases(store, by="this test"), "t1")
        assert store.reviews()[0].state is ReviewState.EXECUTING


async def test_a_run_that_a_worker_began_is_continued_behind_the_answer() -> None:
    store, bank, saver = open_store("memory://"), Bank(), MemorySaver()
    later = datetime.now(UTC)

    def clock() -> datetime:
        return later

    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=saver, store=store, dispatch=False)
        review_id = str(evidence(graph.invoke(GO, thread()))[0]["review_id"])
        Queue(store).approve(review_id, by="ada")
        leases = Leases(store, by="this test", clock=lambda: clock().timestamp())
        registered, queue = [Registered(name="graph", graph=graph)], Queue(store, tenant=None)
        plan, server.reply = server.reply, lambda _body, _index: {"not": "a message"}
        done = await take_turn(registered, queue, leases, "t1", now=clock)
        assert [one.outcome for one in done] == ["failed"]
        server.reply = plan
        later += timedelta(seconds=30)
        done = await take_turn(registered, queue, leases, "t1", now=clock)
        assert [one.outcome for one in done] == ["finished", "continued"]
        assert graph.get_state(thread()).values["messages"][-1].content == "done"
    assert store.review(review_id).state is ReviewState.DONE
    assert len(bank.run) == 1
