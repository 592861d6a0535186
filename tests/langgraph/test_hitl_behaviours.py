"""LangChain's own tests of its human in the loop, by behaviour, against the guard with the same ``interrupt_on``.

Where it does otherwise than ``HumanInTheLoopMiddleware`` of langchain 1.5, on purpose, the test says "theirs".
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.prebuilt.tool_node import ToolRuntime
from langgraph.runtime import Runtime

from guardrail.errors import PolicyError
from guardrail_langgraph import GuardrailMiddleware
from tests.support.agents import (
    GO,
    Bank,
    approve,
    chat_model,
    edit,
    evidence,
    pending,
    planned_calls,
    reject,
    resume,
    thread,
    tool_messages,
)
from tests.support.asking import LISTED, PAID, asks, paired, respond
from tests.support.openai_server import OpenAIServer, agent, call, calls, say

ALL = {"approve", "edit", "reject", "respond"}


# The setting


@pytest.mark.parametrize(
    "entry",
    [{"allowed_decisions": []}, {"when": lambda _: True}, {"alowed_decisions": ["approve"]}, "yes", None],
    ids=["empty", "missing", "misspelt", "text", "none"],
)
def test_a_setting_that_would_gate_nothing_is_refused(entry: Any) -> None:
    with OpenAIServer() as server, pytest.raises(PolicyError, match="pay"):
        GuardrailMiddleware(chat_model(server), tools=Bank().tools, interrupt_on={"pay": entry})


@pytest.mark.parametrize("name", ["pay_*", "re:^pay$", "pya"])
def test_theirs_lets_a_name_that_no_tool_has_run_ungated_and_ours_refuses_it(name: str) -> None:
    with OpenAIServer() as server, pytest.raises(PolicyError):
        GuardrailMiddleware(chat_model(server), tools=Bank().tools, interrupt_on={name: True})


def test_true_allows_every_decision_and_false_asks_nobody() -> None:
    bank = Bank()
    with OpenAIServer(agent(calls(("pay", {"amount": 10}), ("balance", {})))) as server:
        (interrupt,) = asks(server, bank).invoke(GO, thread())["__interrupt__"]
    assert [one["name"] for one in interrupt.value["action_requests"]] == ["pay"]
    assert set(interrupt.value["review_configs"][0]["allowed_decisions"]) == ALL


def test_theirs_runs_a_tool_that_is_not_listed_and_ours_only_if_the_model_is_sure_of_it() -> None:
    for wavers in (False, True):
        bank = Bank()

        def plan(body: Any, index: int, wavers: bool = wavers) -> Any:
            return call("wipe", account=f"a{index}" if wavers else "a1")

        with OpenAIServer(agent(plan)) as server:
            asks(server, bank, {"pay": True}).invoke(GO, thread())
        assert bank.run == ([] if wavers else [("wipe", {"account": "a1"})])


def test_without_a_call_nothing_is_asked() -> None:
    with OpenAIServer(say("hello")) as server:
        assert "__interrupt__" not in asks(server, Bank()).invoke(GO, thread())


def test_what_was_answered_is_not_asked_about_again_in_the_next_turn() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = asks(server, bank)
        graph.invoke(resume(graph.invoke(GO, thread()), approve()), thread())
        server.reply = lambda _body, _index: say("you are welcome")
        assert "__interrupt__" not in graph.invoke({"messages": [HumanMessage("thanks")]}, thread())
    assert bank.run == [PAID]


# The question


def test_the_question_has_their_form() -> None:
    setting = {**LISTED, "pay": {"allowed_decisions": ["approve", "edit", "reject"]}}
    with OpenAIServer(agent(call("pay", amount=10, to="ann"))) as server:
        (interrupt,) = asks(server, Bank(), setting).invoke(GO, thread())["__interrupt__"]
    (action,), (config,) = interrupt.value["action_requests"], interrupt.value["review_configs"]
    assert (action["name"], action["args"]) == ("pay", {"amount": 10, "to": "ann"})
    assert (config["action_name"], config["allowed_decisions"]) == ("pay", ["approve", "edit", "reject"])
    assert "critical stakes" in action["description"]


def test_a_description_is_shown_before_the_evidence_be_it_a_text_or_a_function() -> None:
    seen: list[Any] = []

    def describe(tool_call: dict[str, Any], state: Any, runtime: Any) -> str:
        seen.append(runtime)
        return f"Pay {tool_call['args']['amount']}? ({len(state['messages'])} messages)"

    setting = {
        **LISTED,
        "pay": {"allowed_decisions": ["approve"], "description": describe},
        "wipe": {"allowed_decisions": ["approve"], "description": "Look twice."},
    }
    for releases in (False, True):
        seen.clear()
        with OpenAIServer(agent(calls(("pay", {"amount": 10}), ("wipe", {"account": "a1"})))) as server:
            asked = asks(server, Bank(), setting, release_confident=releases).invoke(GO, thread())
        told = [one.value["action_requests"][0]["description"] for one in pending(asked)]
        assert told[0].startswith("Pay 10? (2 messages) critical stakes.")
        assert told[1].startswith("Look twice. critical stakes.")
        assert seen
        assert all(isinstance(one, Runtime) for one in seen)


def test_a_description_that_fails_says_so_and_the_call_is_asked_about() -> None:
    setting = {**LISTED, "pay": {"allowed_decisions": ["approve"], "description": lambda call: call["nothing"]}}
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        (interrupt,) = asks(server, Bank(), setting).invoke(GO, thread())["__interrupt__"]
    assert "(The description of this call failed: TypeError.)" in interrupt.value["action_requests"][0]["description"]


# When


def test_when_says_yes_and_a_human_decides() -> None:
    bank, setting = Bank(), {**LISTED, "pay": {"allowed_decisions": ["approve"], "when": lambda _: True}}
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        assert "__interrupt__" in asks(server, bank, setting).invoke(GO, thread())
    assert bank.run == []


def test_when_says_no_and_theirs_runs_it_while_ours_wants_the_model_to_be_sure() -> None:
    setting = {**LISTED, "pay": {"allowed_decisions": ["approve"], "when": lambda _: False}}
    for wavers in (False, True):
        bank = Bank()

        def plan(body: Any, index: int, wavers: bool = wavers) -> Any:
            return call("pay", amount=10 + index if wavers else 10)

        with OpenAIServer(agent(plan)) as server:
            asks(server, bank, setting).invoke(GO, thread())
        assert bank.run == ([] if wavers else [PAID])


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_when_is_shown_what_theirs_shows_it_and_is_asked_once(asynchronous: bool) -> None:
    seen: list[Any] = []

    def when(request: Any) -> bool:
        seen.append(request)
        return len(request.state["messages"]) > 1 and request.tool_call["args"]["amount"] > 5

    bank, setting = Bank(), {**LISTED, "pay": {"allowed_decisions": ["approve"], "when": when}}
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = asks(server, bank, setting)
        asked = await graph.ainvoke(GO, thread()) if asynchronous else graph.invoke(GO, thread())
        times = len(seen)
        # theirs asks it again here; were it to say no now, a rejected call would run
        answer = resume(asked, reject())
        _ = await graph.ainvoke(answer, thread()) if asynchronous else graph.invoke(answer, thread())
    assert (bank.run, len(seen)) == ([], times)
    request = seen[0]
    assert (request.tool_call["name"], request.tool_call["args"], request.tool) == ("pay", {"amount": 10}, None)
    assert isinstance(request.runtime, ToolRuntime)
    assert request.runtime.tool_call_id == request.tool_call["id"]
    assert request.runtime.state is request.state
    assert request.runtime.config["configurable"]["thread_id"] == "t1"


def test_when_fails_and_a_human_decides() -> None:
    setting = {**LISTED, "pay": {"allowed_decisions": ["approve"], "when": lambda request: request.state["nothing"]}}
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        assert "__interrupt__" in asks(server, bank, setting).invoke(GO, thread())
    assert bank.run == []


# The answer


@pytest.mark.parametrize("releases", [False, True])
@pytest.mark.parametrize(
    ("answer", "ran", "status", "told"),
    [
        (approve(), [PAID], "success", "paid 10"),
        (edit("pay", amount=7), [("pay", {"amount": 7, "to": "bob"})], "success", "paid 7"),
        (reject("too much"), [], "error", "too much"),
        ({"decisions": [{"type": "reject"}]}, [], "error", "Not executed"),
        (respond("it is paid"), [], "success", "it is paid"),
        ({"type": "approve"}, [PAID], "success", "paid 10"),
    ],
    ids=["approve", "edit", "reject", "reject without a word", "respond", "bare"],
)
async def test_each_decision_does_what_it_says(
    answer: Any, ran: list[Any], status: str, told: str, releases: bool
) -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = asks(server, bank, release_confident=releases)
        final = await graph.ainvoke(resume(await graph.ainvoke(GO, thread()), answer), thread())
    (message,) = tool_messages(final)
    assert (bank.run, message.status, message.name) == (ran, status, "pay")
    assert str(message.content).endswith(told) or told in str(message.content)
    assert final["messages"][-1].content == "done"
    paired(final["messages"])


def test_what_a_person_answers_in_the_tools_place_stands_beside_what_ran() -> None:
    setting = {**LISTED, "wipe": {"allowed_decisions": ["respond"]}}
    bank = Bank()
    with OpenAIServer(agent(calls(("pay", {"amount": 10}), ("wipe", {"account": "a1"})))) as server:
        graph = asks(server, bank, setting)
        final = graph.invoke(resume(graph.invoke(GO, thread()), approve(), respond("it is empty")), thread())
    assert bank.run == [PAID]
    assert {str(one.name): str(one.content) for one in tool_messages(final)} == {
        "pay": "paid 10",
        "wipe": "it is empty",
    }
    paired(final["messages"])


@pytest.mark.parametrize("releases", [False, True])
@pytest.mark.parametrize(
    "answer",
    [
        {"decisions": []},
        {"decisions": [{"type": "approve"}, {"type": "approve"}]},
        {"decisions": [{"type": "unknown"}]},
        respond("not allowed"),
        edit("wipe", account="a1"),
        edit("no_such_tool", amount=1),
        edit("pay", amount="a lot"),
        {"decisions": [{"type": "edit"}]},
        "yes",
    ],
    ids=["none", "two", "unknown", "disallowed", "another tool", "no tool", "wrong type", "no edit", "words"],
)
def test_theirs_raises_over_an_answer_that_cannot_be_used_and_ours_asks_again(answer: Any, releases: bool) -> None:
    bank, setting = Bank(), {**LISTED, "pay": {"allowed_decisions": ["approve", "edit", "reject"]}}
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = asks(server, bank, setting, release_confident=releases)
        again = graph.invoke(resume(graph.invoke(GO, thread()), answer), thread())
        assert evidence(again)[0]["problem"].startswith("The last answer was not used")
        assert bank.run == []
        graph.invoke(resume(again, approve()), thread())
    assert bank.run == [PAID]


@pytest.mark.parametrize("releases", [False, True])
def test_each_answer_reaches_its_own_call_though_they_are_alike(releases: bool) -> None:
    bank = Bank()
    with OpenAIServer(agent(calls(("pay", {"amount": 1}), ("pay", {"amount": 2}), ("pay", {"amount": 3})))) as server:
        graph = asks(server, bank, release_confident=releases)
        asked = graph.invoke(GO, thread())
        assert len(asked["__interrupt__"]) == 3
        final = graph.invoke(resume(asked, reject("no"), edit("pay", amount=20), approve()), thread())
    assert sorted(bank.paid) == [3, 20]
    paired(final["messages"])
    assert len(tool_messages(final)) == 3


def test_the_order_of_the_calls_stays_whatever_is_decided() -> None:
    planned = [("balance", {}), ("pay", {"amount": 1}), ("balance", {}), ("pay", {"amount": 2}), ("balance", {})]
    bank = Bank()
    with OpenAIServer(agent(calls(*planned))) as server:
        graph = asks(server, bank)
        asked = graph.invoke(GO, thread())
        before = planned_calls(asked)
        final = graph.invoke(resume(asked, edit("pay", amount=100), reject("no")), thread())
    after = planned_calls(final)
    assert [(one["id"], one["name"]) for one in after] == [(one["id"], one["name"]) for one in before]
    assert [one["args"] for one in after if one["name"] == "pay"] == [{"amount": 100}, {"amount": 2}]
