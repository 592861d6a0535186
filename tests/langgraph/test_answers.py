"""What reviewers may answer, and what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import MemorySaver
from langgraph.types import Command

from guardrail import open_store
from guardrail.types import ReviewState
from tests.support.agents import (
    GO,
    Bank,
    approve,
    edit,
    evidence,
    flipping,
    policy,
    reject,
    resume,
    state_graph,
    thread,
)
from tests.support.openai_server import OpenAIServer, agent, call, say


@pytest.fixture
def bank() -> Bank:
    return Bank()


def test_the_question_has_the_form_that_agent_uis_know_with_the_evidence_beside(bank: Bank) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        store = open_store("memory://")
        result = state_graph(server, bank, saver=MemorySaver(), store=store).invoke(GO, thread())
    (interrupt,) = result["__interrupt__"]
    (action,) = interrupt.value["action_requests"]
    assert (action["name"], action["args"]) == ("wipe", {"account": "a1"})
    (config,) = interrupt.value["review_configs"]
    assert (config["action_name"], config["allowed_decisions"]) == ("wipe", ["approve", "edit", "reject", "respond"])
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
    "response without words": [{"type": "response", "args": " "}],
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
