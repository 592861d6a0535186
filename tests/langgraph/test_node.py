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
    GO,
    Bank,
    Build,
    approve,
    callback_agent,
    edit,
    evidence,
    pending,
    policy,
    react_agent,
    reject,
    resume,
    state_graph,
    thread,
    tool_messages,
)
from tests.support.openai_server import OpenAIServer, agent, call, calls, say

BUILDS = [state_graph, react_agent]


@pytest.fixture
def bank() -> Bank:
    return Bank()


def flipping(body: dict[str, Any], index: int) -> dict[str, Any]:
    """Plans 10; the first eight samples disagree, every later one is sure."""
    if body.get("temperature") != 1.0:
        return call("pay", amount=10)
    return call("pay", amount=10 if index > 8 else 20 + index)


def never_agreeing(body: dict[str, Any], index: int) -> dict[str, Any]:
    """Every sample plans another amount."""
    return call("pay", amount=10 if body.get("temperature") != 1.0 else 100 + index)


def n_asked(server: OpenAIServer) -> int:
    return sum(body.get("n") or 1 for body in server.drawn)


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


def reply_until_paid(reply: Any) -> Any:
    def answer(body: dict[str, Any], index: int) -> dict[str, Any]:
        last = body["messages"][-1]
        if last["role"] == "tool" and "paid" in str(last["content"]):
            return say("done")
        return reply(body, index)

    return answer


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


def test_the_question_has_the_form_that_agent_uis_know_with_the_evidence_beside(bank: Bank) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        store = open_store("memory://")
        result = state_graph(server, bank, saver=MemorySaver(), store=store).invoke(GO, thread())
    (interrupt,) = result["__interrupt__"]
    (action,) = interrupt.value["action_requests"]
    assert (action["name"], action["args"]) == ("wipe", {"account": "a1"})
    assert interrupt.value["review_configs"] == [
        {"action_name": "wipe", "allowed_decisions": ["approve", "edit", "reject", "respond"]}
    ]
    guard = interrupt.value["guard"]
    (review,) = store.reviews()
    assert guard["review_id"] == review.id
    assert review.state is ReviewState.PENDING
    assert guard["verdict"]["agreeing"] == guard["verdict"]["asked"] == 8


ANSWERS = {
    "HITLResponse": (edit("wipe", account="a9"), [("wipe", {"account": "a9"})]),
    "bare decision": ({"type": "approve"}, [("wipe", {"account": "a1"})]),
    "bare rejection": ({"type": "reject", "message": "no"}, []),
    "inbox accept": (
        [{"type": "accept", "args": {"action": "wipe", "args": {"account": "a1"}}}],
        [("wipe", {"account": "a1"})],
    ),
    "inbox edit": (
        [{"type": "edit", "args": {"action": "wipe", "args": {"account": "a9"}}}],
        [("wipe", {"account": "a9"})],
    ),
    "inbox ignore": ([{"type": "ignore", "args": None}], []),
    "inbox response": ([{"type": "response", "args": "ask first"}], []),
    "respond": ({"decisions": [{"type": "respond", "message": "already done"}]}, []),
}


@pytest.mark.parametrize("answer", list(ANSWERS))
def test_every_known_form_of_answer_is_read(bank: Bank, answer: str) -> None:
    given, ran = ANSWERS[answer]
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        final = graph.invoke(Command(resume={result["__interrupt__"][0].id: given}), thread())
    assert bank.run == ran
    assert "__interrupt__" not in final


UNUSABLE = {
    "nothing": {},
    "yes": "yes",
    "true": True,
    "two decisions": {"decisions": [{"type": "approve"}, {"type": "approve"}]},
    "no decisions": {"decisions": []},
    "unknown": {"decisions": [{"type": "ok"}]},
    "edit to another tool": edit("pay", account="a9"),
    "edit without arguments": {"decisions": [{"type": "edit"}]},
    "edit that does not fit": edit("wipe", account=5),
    "edit with an unknown argument": edit("wipe", account="a1", force=True),
}


@pytest.mark.parametrize("answer", list(UNUSABLE))
def test_an_answer_that_is_no_decision_is_asked_again_and_runs_nothing(bank: Bank, answer: str) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        result = graph.invoke(Command(resume={result["__interrupt__"][0].id: UNUSABLE[answer]}), thread())
        assert bank.run == []
        assert "not used" in evidence(result)[0]["problem"]
        graph.invoke(resume(result, approve()), thread())
    assert bank.run == [("wipe", {"account": "a1"})]


def test_a_decision_that_the_policy_withholds_is_asked_again(bank: Bank) -> None:
    with OpenAIServer(agent(call("pay", amount=900))) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        result = graph.invoke(resume(result, edit("pay", amount=1)), thread())
        assert "not allowed" in evidence(result)[0]["problem"]
    assert bank.run == []


def test_values_that_a_form_turned_into_text_are_read_back(bank: Bank) -> None:
    with OpenAIServer(agent(flipping)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), rules=policy(tiers={"high": {"max_retries": 0}}))
        result = graph.invoke(GO, thread())
        answer = [{"type": "edit", "args": {"action": "pay", "args": {"amount": "7", "to": "12"}}}]
        graph.invoke(Command(resume={result["__interrupt__"][0].id: answer}), thread())
    assert bank.run == [("pay", {"amount": 7, "to": "12"})]


def test_an_edit_that_meets_a_stricter_rule_is_reviewed_again(bank: Bank) -> None:
    with OpenAIServer(agent(flipping)) as server:
        store = open_store("memory://")
        graph = state_graph(
            server, bank, saver=MemorySaver(), store=store, rules=policy(tiers={"high": {"max_retries": 0}})
        )
        result = graph.invoke(GO, thread())
        again = graph.invoke(resume(result, edit("pay", amount=900)), thread())
        assert bank.run == []
        assert evidence(again)[0]["verdict"]["tier"] == "critical"
        assert evidence(again)[0]["review_id"] != evidence(result)[0]["review_id"]
        graph.invoke(resume(again, approve()), thread())
    assert bank.paid == [900]
    assert {review.state for review in store.reviews()} == {ReviewState.SUPERSEDED, ReviewState.DONE}


def test_a_rejected_second_look_at_an_edit_runs_nothing(bank: Bank) -> None:
    with OpenAIServer(agent(flipping)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), rules=policy(tiers={"high": {"max_retries": 0}}))
        result = graph.invoke(GO, thread())
        again = graph.invoke(resume(result, edit("pay", amount=900)), thread())
        graph.invoke(resume(again, reject()), thread())
    assert bank.run == []


def test_a_double_click_cannot_decide_the_next_call(bank: Bank) -> None:
    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        tools = sum(message["role"] == "tool" for message in body["messages"])
        return call("wipe", account=f"a{tools}") if tools < 2 else say("done")

    with OpenAIServer(reply) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        click = resume(result, approve())
        second = graph.invoke(click, thread())
        third = graph.invoke(click, thread())
        assert bank.run == [("wipe", {"account": "a0"})]
        assert evidence(third)[0]["review_id"] == evidence(second)[0]["review_id"]


def test_a_decision_in_the_queue_stands_against_a_later_answer(bank: Bank) -> None:
    from guardrail import Queue

    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        store = open_store("memory://")
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        result = graph.invoke(GO, thread())
        Queue(store).reject(evidence(result)[0]["review_id"], by="ada", message="no")
        graph.invoke(resume(result, approve()), thread())
    assert bank.run == []


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


def test_resamples_do_not_leak_into_the_message_stream(bank: Bank) -> None:
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = state_graph(server, bank)
        seen = [chunk for chunk, _ in graph.stream(GO, stream_mode="messages") if getattr(chunk, "tool_calls", None)]
    assert len({chunk.id for chunk in seen}) == 1


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


UNREADABLE = {
    "no JSON": lambda: calls(("pay", '{"amount": ')),
    "ids used twice": lambda: {
        **calls(("pay", {"amount": 10}), ("pay", {"amount": 900})),
        "tool_calls": [
            {"id": "0", "type": "function", "function": {"name": "pay", "arguments": f'{{"amount": {amount}}}'}}
            for amount in (10, 900)
        ],
    },
}


@pytest.mark.parametrize("build", BUILDS)
@pytest.mark.parametrize("plan", list(UNREADABLE))
def test_a_plan_that_cannot_be_read_is_planned_again(build: Build, bank: Bank, plan: str) -> None:
    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        told = any("Not executed" in str(message.get("content")) for message in body["messages"])
        return call("pay", amount=20) if told else UNREADABLE[plan]()

    with OpenAIServer(reply_until_paid(reply)) as server:
        build(server, bank).invoke(GO)
    assert bank.paid == [20]


@pytest.mark.parametrize("build", BUILDS)
def test_plans_that_never_become_readable_end_in_an_error(build: Build, bank: Bank) -> None:
    from guardrail.errors import CallBlocked

    with OpenAIServer(lambda _b, _i: UNREADABLE["no JSON"]()) as server, pytest.raises(CallBlocked, match="3 times"):
        build(server, bank).invoke(GO)
    assert bank.run == []


def test_a_broken_call_beside_a_good_one_holds_both(bank: Bank) -> None:
    with OpenAIServer(agent(lambda _b, _i: calls(("pay", {"amount": 10}), ("pay", '{"amount": ')))) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        result = graph.invoke(GO, thread())
        assert evidence(result)[0]["verdict"]["reason"] == "unparsable_call"
        assert bank.run == []
        final = graph.invoke(resume(result, approve()), thread())
    assert bank.paid == [10]
    assert final["messages"][-1].content == "done"
