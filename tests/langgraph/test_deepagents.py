"""The guard in deepagents: on the main agent, on its sub-agents, and on the tools that deepagents brings itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.types import Command

from guardrail import Policy, Queue, open_store
from guardrail.errors import ConfigError, PolicyError
from guardrail.store import Store
from guardrail.types import ReviewState
from guardrail_langgraph import GuardrailMiddleware
from guardrail_langgraph.worker import Leases, resume_decided
from tests.support.agents import GO, Bank, approve, chat_model, edit, n_asked, reject, thread, tool_messages
from tests.support.openai_server import OpenAIServer, agent, call, calls, say

deepagents = pytest.importorskip("deepagents")

RULES: dict[str, Any] = {
    "default": {"tier": "high"},
    "tools": [
        {"match": "write_file", "tier": "critical", "decisions": ["approve", "edit", "reject"]},
        {"match": ["read_file", "ls", "glob", "grep"], "tier": "low"},
        {"match": "task", "tier": "high"},
        {"match": "wipe", "tier": "critical"},
        {"match": "pay", "tier": "high"},
    ],
}
NOTE = {"file_path": "/note.txt", "content": "hello"}


@dataclass
class House:
    """A main agent and a clerk below it, each with a model server of its own and a guard on one store."""

    above: OpenAIServer
    below: OpenAIServer
    bank: Bank = field(default_factory=Bank)
    store: Store = field(default_factory=lambda: open_store("memory://"))

    def guard(self, server: OpenAIServer, **options: Any) -> GuardrailMiddleware:
        given = {"policy": Policy.parse(RULES), "store": self.store, **options}
        if "interrupt_on" in given:
            del given["policy"]
        return GuardrailMiddleware(chat_model(server), **given)

    def clerk(self, **more: Any) -> dict[str, Any]:
        return {
            "name": "clerk",
            "description": "Does what is to be done.",
            "system_prompt": "You are the clerk.",
            "model": chat_model(self.below),
            "tools": self.bank.tools,
            "middleware": [self.guard(self.below, policy=Policy.parse({**RULES, "tools": RULES["tools"][-2:]}))],
            **more,
        }

    def agent(self, *, saver: Any = None, clerk: dict[str, Any] | None = None, **more: Any) -> Any:
        given = {
            "subagents": [clerk or self.clerk()],
            "middleware": [self.guard(self.above, unguarded=["general-purpose"])],
            "checkpointer": saver or MemorySaver(),
            **more,
        }
        return deepagents.create_deep_agent(model=chat_model(self.above), tools=self.bank.tools, **given)


@pytest.fixture
def house() -> Iterator[House]:
    with OpenAIServer(agent(call("pay", amount=10))) as above, OpenAIServer(agent(call("wipe", account="a1"))) as below:
        yield House(above=above, below=below)


def asked(result: dict[str, Any]) -> list[str]:
    return [one.value["action_requests"][0]["name"] for one in result["__interrupt__"]]


def answer(result: dict[str, Any], *answers: dict[str, Any]) -> Command[Any]:
    return Command(resume={one.id: said for one, said in zip(result["__interrupt__"], answers, strict=True)})


def clerk_wipes(body: Any, index: int) -> Any:
    """The main agent hands everything to the clerk."""
    return call("task", description="wipe a1", subagent_type="clerk")


def test_the_main_agent_is_guarded_though_deepagents_puts_its_own_behind(house: House) -> None:
    result = house.agent().invoke(GO, thread())
    assert house.bank.paid == [10]
    assert result["messages"][-1].content == "done"
    assert n_asked(house.above) == 8


async def test_so_it_is_asynchronously(house: House) -> None:
    result = await house.agent().ainvoke(GO, thread())
    assert house.bank.paid == [10]
    assert result["messages"][-1].content == "done"
    assert n_asked(house.above) == 8


def test_a_tool_that_deepagents_brings_is_asked_about_by_the_policy(house: House) -> None:
    house.above.reply = agent(call("write_file", **NOTE))
    graph = house.agent()
    waiting = graph.invoke(GO, thread())
    assert asked(waiting) == ["write_file"]
    assert "files" not in waiting or not waiting["files"]
    final = graph.invoke(answer(waiting, approve()), thread())
    assert "/note.txt" in final["files"]


def test_an_edit_of_its_call_has_to_fit_its_schema_also_after_a_restart(house: House, tmp_path: Any) -> None:
    house.above.reply = agent(call("write_file", **NOTE))
    with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
        waiting = house.agent(saver=saver).invoke(GO, thread())
    with SqliteSaver.from_conn_string(f"{tmp_path}/c.db") as saver:
        graph = house.agent(saver=saver)
        again = graph.invoke(answer(waiting, edit("write_file", file_path="/note.txt", content=7)), thread())
        assert "problem" in again["__interrupt__"][0].value["guard"]
        final = graph.invoke(answer(again, edit("write_file", file_path="/other.txt", content="x")), thread())
    assert [*final["files"]] == ["/other.txt"]


def test_what_a_sub_agent_asks_reaches_the_outside_and_the_answer_reaches_it(house: House) -> None:
    house.above.reply = agent(clerk_wipes)
    graph = house.agent()
    waiting = graph.invoke(GO, thread())
    assert asked(waiting) == ["wipe"]
    assert house.bank.run == []
    drawn = n_asked(house.above), n_asked(house.below)
    final = graph.invoke(answer(waiting, approve()), thread())
    assert house.bank.run == [("wipe", {"account": "a1"})]
    assert final["messages"][-1].content == "done"
    assert (n_asked(house.above), n_asked(house.below)) == drawn
    assert [one.state for one in house.store.reviews()] == [ReviewState.DONE]
    assert [one.name for one in tool_messages(final)] == ["task"]


@pytest.mark.parametrize("approved", [True, False])
def test_a_task_that_people_approve_may_ask_them_again_inside(house: House, approved: bool) -> None:
    """The task's tool waits in the middle and is run again when it is resumed: it goes on, and starts nothing anew."""
    house.above.reply = agent(clerk_wipes)
    rules = Policy.parse({**RULES, "tools": [{"match": "task", "tier": "critical"}, *RULES["tools"][-2:]]})
    graph = house.agent(middleware=[house.guard(house.above, policy=rules, unguarded=["general-purpose"])])
    first = graph.invoke(GO, thread())
    assert asked(first) == ["task"]
    second = graph.invoke(answer(first, approve()), thread())
    assert asked(second) == ["wipe"]
    final = graph.invoke(answer(second, approve() if approved else reject("not that one")), thread())
    assert house.bank.run == ([("wipe", {"account": "a1"})] if approved else [])
    assert final["messages"][-1].content == "done"
    assert {one.state for one in house.store.reviews()} == {ReviewState.DONE}
    assert all(one.status == "success" for one in tool_messages(final))


async def test_a_worker_resumes_what_a_sub_agent_asked(house: House) -> None:
    house.above.reply = agent(clerk_wipes)
    graph = house.agent()
    await graph.ainvoke(GO, thread())
    (review,) = house.store.reviews()
    Queue(house.store).approve(review.id, by="ada")
    done = await resume_decided(graph, Queue(house.store), Leases(house.store, by="this test"))
    assert [one.outcome for one in done] == ["resumed"]
    assert house.bank.run == [("wipe", {"account": "a1"})]
    assert graph.get_state(thread()).values["messages"][-1].content == "done"


def test_two_sub_agents_at_once_ask_apart_and_are_answered_apart(house: House) -> None:
    house.above.reply = agent(
        calls(
            ("task", {"description": "wipe a1", "subagent_type": "clerk"}),
            ("task", {"description": "wipe a2", "subagent_type": "clerk"}),
        )
    )

    def below(body: Any, index: int) -> Any:
        task = next(str(one["content"]) for one in body["messages"] if one["role"] == "user")
        return say("done") if body["messages"][-1]["role"] == "tool" else call("wipe", account=task.split()[-1])

    house.below.reply = below
    graph = house.agent()
    waiting = graph.invoke(GO, thread())
    accounts = {one.value["action_requests"][0]["args"]["account"]: one.id for one in waiting["__interrupt__"]}
    assert sorted(accounts) == ["a1", "a2"]
    half = graph.invoke(Command(resume={accounts["a2"]: approve()}), thread())
    assert house.bank.run == [("wipe", {"account": "a2"})]
    assert [one.id for one in half["__interrupt__"]] == [accounts["a1"]]
    graph.invoke(Command(resume={accounts["a1"]: reject()}), thread())
    assert house.bank.run == [("wipe", {"account": "a2"})]


def test_what_is_sure_runs_while_a_sub_agent_waits(house: House) -> None:
    house.above.reply = agent(
        calls(("pay", {"amount": 10}), ("task", {"description": "wipe a1", "subagent_type": "clerk"}))
    )
    graph = house.agent()
    waiting = graph.invoke(GO, thread())
    assert house.bank.run == [("pay", {"amount": 10, "to": "bob"})]
    graph.invoke(answer(waiting, approve()), thread())
    assert house.bank.run == [("pay", {"amount": 10, "to": "bob"}), ("wipe", {"account": "a1"})]


def test_a_new_message_calls_off_what_waits_though_deepagents_answers_it_first(house: House) -> None:
    house.above.reply = agent(call("wipe", account="a1"))
    graph = house.agent()
    stale = graph.invoke(GO, thread())
    house.above.reply = lambda _body, _index: say("fine")
    final = graph.invoke({"messages": [HumanMessage("never mind")]}, thread())
    assert final["messages"][-1].content == "fine"
    assert [one.state for one in house.store.reviews()] == [ReviewState.SUPERSEDED]
    graph.invoke(answer(stale, approve()), thread())
    assert house.bank.run == []


def test_it_calls_off_what_waits_in_a_sub_agent(house: House) -> None:
    house.above.reply = agent(clerk_wipes)
    graph = house.agent()
    graph.invoke(GO, thread())
    house.above.reply = lambda _body, _index: say("fine")
    graph.invoke({"messages": [HumanMessage("never mind")]}, thread())
    assert [one.state for one in house.store.reviews()] == [ReviewState.SUPERSEDED]
    assert house.bank.run == []


def test_a_sub_agent_without_a_guard_is_refused_by_name(house: House) -> None:
    for clerk, unguarded, named in (
        (house.clerk(middleware=[]), ["general-purpose"], "clerk"),
        (house.clerk(), [], "general-purpose"),
    ):
        guard = house.guard(house.above, unguarded=unguarded)
        with pytest.raises(ConfigError, match=f"without a guard of their own: {named}"):
            house.agent(clerk=clerk, middleware=[guard]).invoke(GO, thread())
    assert house.bank.run == []


def test_one_guard_may_stand_in_all_of_them_and_knows_the_tools_of_all(house: House) -> None:
    guard = house.guard(house.above)
    pay, _, wipe = house.bank.tools
    general = {"name": "general-purpose", "description": "Anything.", "system_prompt": "", "middleware": [guard]}
    model, saver = chat_model(house.above), MemorySaver()
    graph = deepagents.create_deep_agent(
        model=model, tools=[pay], middleware=[guard], subagents=[{**general, "tools": [wipe]}], checkpointer=saver
    )

    def both(body: Any, index: int) -> Any:
        told = [str(one["content"]) for one in body["messages"] if one["role"] == "user"]
        if body["messages"][-1]["role"] == "tool":
            return say("done")
        inside = told == ["wipe a1"]
        return (
            call("wipe", account="a1")
            if inside
            else call("task", description="wipe a1", subagent_type="general-purpose")
        )

    house.above.reply = both
    waiting = graph.invoke(GO, thread())
    assert asked(waiting) == ["wipe"]
    graph.invoke(answer(waiting, approve()), thread())
    assert house.bank.run == [("wipe", {"account": "a1"})]


def test_a_compiled_sub_agent_is_known_by_its_guard(house: House) -> None:
    model = chat_model(house.below)
    for middleware, fine in (([house.guard(house.below)], True), ([], False)):
        compiled = {
            "name": "clerk",
            "description": "Does what is to be done.",
            "runnable": create_agent(model, house.bank.tools, middleware=middleware),
        }
        graph = house.agent(clerk=compiled)
        if fine:
            graph.invoke(GO, thread())
            assert house.bank.paid == [10]
        else:
            with pytest.raises(ConfigError, match="without a guard of their own: clerk"):
                graph.invoke(GO, thread("t2"))


def test_its_own_interrupt_on_beside_the_guard_is_refused_before_anybody_is_asked(house: House) -> None:
    graph = house.agent(interrupt_on={"pay": True})
    with pytest.raises(ConfigError, match="give its setting to the guard"):
        graph.invoke(GO, thread())
    assert (house.bank.run, house.above.requests) == ([], [])


def test_the_guard_takes_the_same_setting(house: House) -> None:
    setting = {"pay": {"allowed_decisions": ["approve", "reject"]}, "write_file": True}
    guard = house.guard(house.above, interrupt_on=setting, unguarded=["general-purpose"])
    graph = house.agent(middleware=[guard])
    waiting = graph.invoke(GO, thread())
    assert asked(waiting) == ["pay"]
    graph.invoke(answer(waiting, approve()), thread())
    assert house.bank.paid == [10]


def test_a_rule_about_a_tool_that_nobody_brings_is_refused_at_the_first_request(house: House) -> None:
    rules = Policy.parse({"tools": [{"match": "write_fil", "tier": "critical"}]})
    guard = house.guard(house.above, policy=rules, unguarded=["general-purpose"])
    with pytest.raises(PolicyError, match="write_fil"):
        house.agent(middleware=[guard]).invoke(GO, thread())
    assert (house.bank.run, house.above.requests) == ([], [])
