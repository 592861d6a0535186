"""LangChain's own tests of its human in the loop, by behaviour, against the guard with the same ``interrupt_on``.

Where it does otherwise than ``HumanInTheLoopMiddleware`` of langchain 1.5, on purpose, the test says "theirs".
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import MemorySaver
from langgraph.prebuilt.tool_node import ToolRuntime
from langgraph.runtime import Runtime
from langgraph.types import Command

from guardrail.errors import PolicyError
from guardrail_langgraph import GuardrailMiddleware
from guardrail_langgraph.edited import as_edited
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
from tests.support.openai_server import OpenAIServer, agent, call, calls, say

LISTED: dict[str, Any] = {"pay": True, "balance": False, "wipe": False}
PAID = ("pay", {"amount": 10, "to": "bob"})
ALL = {"approve", "edit", "reject", "respond"}


def respond(message: str) -> dict[str, Any]:
    return {"decisions": [{"type": "respond", "message": message}]}


def asks(server: OpenAIServer, bank: Bank, interrupt_on: Any = None, *, before: Any = (), **more: Any) -> Any:
    model, saver = chat_model(server), more.pop("saver", None) or MemorySaver()
    guard = GuardrailMiddleware(model, tools=bank.tools, interrupt_on=interrupt_on or LISTED, **more)
    return create_agent(model, bank.tools, middleware=[*before, guard], checkpointer=saver)


def paired(messages: list[Any]) -> None:
    """Every tool message answers a call of the turn before it, and every call is answered."""
    left: set[str] = set()
    for message in messages:
        if isinstance(message, ToolMessage):
            left.remove(message.tool_call_id)
        else:
            assert not left
            left = {one["id"] for one in message.tool_calls} if isinstance(message, AIMessage) else set()
    assert not left


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


# An edit


def test_theirs_keeps_the_planned_call_and_ours_shows_the_agent_the_one_that_ran() -> None:
    """What an agent reads as its own call is what has run; nothing of the first one is left to plan again."""
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = asks(server, bank)
        final = graph.invoke(resume(graph.invoke(GO, thread()), edit("pay", amount=7)), thread())
        sent = [one for one in server.requests[-1]["messages"] if one.get("tool_calls")]
    assert [one["args"] for one in planned_calls(final)] == [{"amount": 7}]
    assert tool_messages(final)[0].content == "paid 7"
    assert [one["tool_calls"][0]["function"]["arguments"] for one in sent] == ['{"amount": 7}']


def test_where_calls_are_released_the_plan_stays_and_the_result_says_what_ran_like_theirs() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = asks(server, bank, release_confident=True)
        final = graph.invoke(resume(graph.invoke(GO, thread()), edit("pay", amount=7)), thread())
    told = str(tool_messages(final)[0].content)
    assert [one["args"] for one in planned_calls(final)] == [{"amount": 10}]
    assert told.startswith("A person changed this call before it ran.")
    assert '{"arguments":{"amount":7},"name":"pay"}' in told
    assert told.endswith("\npaid 7")


def test_an_approved_call_was_the_agents_own_and_its_result_is_left_alone() -> None:
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = asks(server, Bank(), release_confident=True)
        final = graph.invoke(resume(graph.invoke(GO, thread()), approve()), thread())
    assert tool_messages(final)[0].content == "paid 10"


@pytest.mark.parametrize(
    "content", ["wrote it", [{"type": "text", "text": "wrote it"}], []], ids=["text", "blocks", "[]"]
)
def test_a_result_of_any_form_says_it(content: Any) -> None:
    planned: Any = {"name": "pay", "args": {"amount": 10}, "id": "1", "type": "tool_call"}
    own, other = ToolMessage(content, tool_call_id="1", name="pay"), ToolMessage("other", tool_call_id="2")
    alone: Any = as_edited(own, planned, {"amount": 7}, "messages")
    inside: Any = as_edited(Command(update={"messages": [own, other], "kept": 1}), planned, {"amount": 7}, "messages")
    first = alone.content if isinstance(content, str) else alone.content[0]["text"]
    assert first.startswith("A person changed this call")
    assert inside.update["messages"] == [alone, other]
    assert inside.update["kept"] == 1
    assert as_edited(Command(goto="on"), planned, {}, "messages") == Command(goto="on")


def test_an_edit_replaces_all_arguments() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10, to="ann"))) as server:
        graph = asks(server, bank)
        graph.invoke(resume(graph.invoke(GO, thread()), edit("pay", amount=10)), thread())
    assert bank.run == [PAID]


def test_a_call_id_that_comes_again_gets_nothing_of_an_earlier_edit() -> None:
    """Providers need not keep ids apart over turns."""

    def numbered(name: str, arguments: str) -> Any:
        return calls((name, arguments)) | {
            "tool_calls": [{"id": "same", "type": "function", "function": {"name": name, "arguments": arguments}}]
        }

    def plan(body: Any, index: int) -> Any:
        turn = sum(message["role"] == "tool" for message in body["messages"])
        return [numbered("pay", '{"amount": 10}'), numbered("balance", "{}"), say("done")][turn]

    bank = Bank()
    with OpenAIServer(plan) as server:
        graph = asks(server, bank)
        final = graph.invoke(resume(graph.invoke(GO, thread()), edit("pay", amount=7)), thread())
    assert bank.run == [("pay", {"amount": 7, "to": "bob"}), ("balance", {})]
    assert [one.content for one in tool_messages(final)] == ["paid 7", "100"]


def test_what_was_asked_under_one_setting_is_answered_under_it_though_the_next_process_has_another() -> None:
    bank, saver = Bank(), MemorySaver()
    from guardrail import open_store

    store = open_store("memory://")
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        asked = asks(server, bank, saver=saver, store=store).invoke(GO, thread())
        tightened = {**LISTED, "pay": {"allowed_decisions": ["approve", "reject"]}}
        graph = asks(server, bank, tightened, saver=saver, store=store)
        graph.invoke(resume(asked, edit("pay", amount=7)), thread())
    assert bank.paid == [7]


# Around it


def test_a_tool_that_returns_directly_ends_the_run_also_when_it_was_approved() -> None:
    ran: list[int] = []

    @tool(return_direct=True)
    def pay(amount: int) -> str:
        """Pay somebody."""
        ran.append(amount)
        return f"paid {amount}"

    with OpenAIServer(agent(call("pay", amount=10))) as server:
        model = chat_model(server)
        guard = GuardrailMiddleware(model, tools=[pay], interrupt_on={"pay": True})
        graph = create_agent(model, [pay], middleware=[guard], checkpointer=MemorySaver())
        final = graph.invoke(resume(graph.invoke(GO, thread()), approve()), thread())
    assert ran == [10]
    assert final["messages"][-1].content == "paid 10"


@pytest.mark.parametrize("releases", [False, True])
def test_theirs_runs_an_approved_call_again_when_it_fails_and_ours_leaves_that_to_a_person(releases: bool) -> None:
    """Nobody knows what a tool that raised has done: a retry would be a second run of one approval."""
    bank = Bank()
    pay: Any = bank.tools[0]
    works = pay.func

    def failing(amount: int, to: str = "bob") -> str:
        works(amount, to)
        raise RuntimeError("the line broke")

    pay.func = failing
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        retry = ToolRetryMiddleware(max_retries=2, initial_delay=0, jitter=False)
        graph = asks(server, bank, before=[retry], release_confident=releases)
        final = graph.invoke(resume(graph.invoke(GO, thread()), approve()), thread())
    assert bank.run == [PAID]
    assert "it is not known whether it took effect" in str(tool_messages(final)[0].content)


def test_a_new_message_instead_of_an_answer_leaves_a_history_that_providers_take() -> None:
    bank = Bank()
    with OpenAIServer(agent(call("pay", amount=10))) as server:
        graph = asks(server, bank)
        graph.invoke(GO, thread())
        server.reply = lambda _body, _index: say("fine")
        final = graph.invoke({"messages": [HumanMessage("never mind")]}, thread())
    assert final["messages"][-1].content == "fine"
    assert bank.run == []
    paired(final["messages"])


def test_a_call_without_an_id_of_its_own_is_planned_again() -> None:
    """Its answer could not be told from another's. Theirs raises."""

    def plan(body: Any, index: int) -> Any:
        if any(message["role"] == "tool" for message in body["messages"]):
            return say("done")
        same = {"id": "same", "type": "function", "function": {"name": "pay", "arguments": '{"amount": 10}'}}
        return calls() | {"tool_calls": [same, same]}

    bank = Bank()
    with OpenAIServer(plan) as server:
        final = asks(server, bank).invoke(GO, thread())
    assert bank.run == []
    assert all("Plan the step again" in str(one.content) for one in tool_messages(final))
