"""LangChain's own tests of its human in the loop, the second half: edits, and what happens around an answer.

Where the guard does otherwise than ``HumanInTheLoopMiddleware``, on purpose, the test says "theirs".
"""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import ToolRetryMiddleware
from langchain_core.messages import HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import MemorySaver
from langgraph.types import Command

from guardrail_langgraph import GuardrailMiddleware
from guardrail_langgraph.edited import as_edited
from tests.support.agents import (
    GO,
    Bank,
    approve,
    chat_model,
    edit,
    planned_calls,
    resume,
    thread,
    tool_messages,
)
from tests.support.asking import LISTED, PAID, asks, paired
from tests.support.openai_server import OpenAIServer, agent, call, calls, say

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
