"""Several calls of one turn under review, and answers that name no interrupt: one question waits at a time."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import ToolMessage
from langgraph.checkpoint.memory import MemorySaver
from langgraph.types import Command

from guardrail import Queue, open_store
from guardrail.store import Store
from guardrail.types import ReviewState
from guardrail_langgraph.worker import Leases, resume_decided
from tests.support.agents import BUILDS, GO, Bank, Build, evidence, n_asked, policy, resume, state_graph, thread
from tests.support.openai_server import OpenAIServer, agent, call, calls
from tests.support.ui_contracts import (
    AgentChatUI,
    AgentInbox,
    Card,
    DeepAgentsUI,
    press,
    stream_interrupt,
    thread_of,
)

TWO = calls(("wipe", {"account": "a1"}), ("balance", {}), ("wipe", {"account": "a2"}))


@pytest.fixture
def bank() -> Bank:
    return Bank()


def shown(graph: Any) -> Card:
    """The one question that all three pages show."""
    given = thread_of(graph, thread())
    (card,) = AgentInbox.cards(given)
    for (other,) in (AgentChatUI.cards(stream_interrupt(given)), DeepAgentsUI.cards(stream_interrupt(given))):
        assert (other.name, other.args, other.description) == (card.name, card.args, card.description)
    return card


def told(graph: Any) -> list[str]:
    messages = graph.get_state(thread()).values["messages"]
    return [str(message.content) for message in messages if isinstance(message, ToolMessage)]


async def worked(graph: Any, store: Store, **options: Any) -> list[str]:
    return [one.outcome for one in await resume_decided(graph, Queue(store), Leases(store, by="here"), **options)]


@pytest.mark.parametrize("build", BUILDS)
def test_each_page_can_answer_every_call_and_pays_no_sample_for_it(build: Build, bank: Bank) -> None:
    with OpenAIServer(agent(TWO)) as server:
        graph = build(server, bank, saver=MemorySaver(), ask_in_turn=True)
        graph.invoke(GO, thread())
        paid = n_asked(server)
        assert shown(graph).args == {"account": "a1"}
        press(graph, thread(), AgentInbox.respond(shown(graph), "keep it"))
        assert bank.run == []
        assert shown(graph).args == {"account": "a2"}
        press(graph, thread(), AgentChatUI.edit(shown(graph), account="a9"))
        assert n_asked(server) == paid
    assert sorted(bank.run) == [("balance", {}), ("wipe", {"account": "a9"})]
    assert "keep it" in " ".join(told(graph))


def test_a_question_that_is_asked_again_comes_before_the_next_call(bank: Bank) -> None:
    with OpenAIServer(agent(TWO)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), ask_in_turn=True)
        graph.invoke(GO, thread())
        press(graph, thread(), DeepAgentsUI.typed("yes"))
        assert shown(graph).args == {"account": "a1"}
        assert "not used" in shown(graph).description
        press(graph, thread(), DeepAgentsUI.approve(shown(graph)))
        assert shown(graph).args == {"account": "a2"}
        assert "not used" not in shown(graph).description
        press(graph, thread(), DeepAgentsUI.reject(shown(graph)))
    assert sorted(bank.run) == [("balance", {}), ("wipe", {"account": "a1"})]


def test_an_approval_of_the_call_before_does_not_approve_the_next(bank: Bank) -> None:
    """A second click in agent-inbox, or a colleague's page that is not up to date."""
    with OpenAIServer(agent(TWO)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), ask_in_turn=True)
        graph.invoke(GO, thread())
        click = AgentInbox.accept(shown(graph))
        press(graph, thread(), click)
        press(graph, thread(), click)
        assert bank.run == []
        assert "with other arguments" in shown(graph).description
        assert shown(graph).args == {"account": "a2"}


def test_an_edit_that_is_reviewed_again_stays_in_its_turn(bank: Bank) -> None:
    strict = policy(
        tools=[
            {
                "match": "wipe",
                "when": {"account": {"eq": "root"}},
                "tier": "critical",
                "reviewers": {"roles": ["owner"]},
            },
            {"match": "wipe", "tier": "critical"},
        ]
    )
    store = open_store("memory://")
    with OpenAIServer(agent(calls(("wipe", {"account": "a1"}), ("wipe", {"account": "a2"})))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, rules=strict, ask_in_turn=True)
        graph.invoke(GO, thread())
        press(graph, thread(), AgentChatUI.edit(shown(graph), account="root"))
        assert shown(graph).args == {"account": "root"}
        press(graph, thread(), AgentChatUI.approve(shown(graph)))
        assert "owner" in shown(graph).description
    assert bank.run == []


def test_without_it_no_page_can_answer_and_nothing_is_lost(bank: Bank) -> None:
    with OpenAIServer(agent(TWO)) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        asked = graph.invoke(GO, thread())
        given = thread_of(graph, thread())
        assert len(AgentInbox.cards(given)) == 1
        assert len(AgentChatUI.cards(stream_interrupt(given))) == 2
        assert DeepAgentsUI.cards(stream_interrupt(given)) == []
        for act in (AgentInbox.accept(AgentInbox.cards(given)[0]), AgentChatUI.approve(Card(name="wipe"))):
            try:  # newer versions of LangGraph say so, older ones wait on without a word
                press(graph, thread(), act)
            except RuntimeError as error:
                assert "multiple pending interrupts" in str(error)  # noqa: PT017 - whichever it is
            assert bank.run == []
        graph.invoke(resume(asked, {"type": "approve"}, {"type": "reject"}), thread())
    assert sorted(bank.run) == [("balance", {}), ("wipe", {"account": "a1"})]


@pytest.mark.parametrize("strict", [True, False], ids=["as it is", "as before 1.2.24"])
@pytest.mark.parametrize("release", [False, True], ids=["held", "released"])
@pytest.mark.parametrize("build", BUILDS)
def test_an_answer_that_names_no_interrupt_is_of_none_of_several(
    build: Build, bank: Bank, monkeypatch: pytest.MonkeyPatch, *, release: bool, strict: bool
) -> None:
    """LangGraph gave it to all of them before 1.2.24, which counts the questions of an inner graph as one."""
    with OpenAIServer(agent(TWO)) as server:
        graph = build(server, bank, saver=MemorySaver(), release_confident=release)
        asked = graph.invoke(GO, thread())
        sure = list(bank.run)
        for _ in range(2):
            with monkeypatch.context() as patch:
                if not strict:
                    patch.setattr("langgraph.pregel._loop.PregelLoop._pending_interrupts", lambda _loop: set())
                with suppress(RuntimeError):
                    graph.invoke(Command(resume={"decisions": [{"type": "approve"}]}), thread())
            assert bank.run == sure
            assert len(graph.get_state(thread()).interrupts) == 2
        graph.invoke(resume(asked, {"type": "reject"}, {"type": "reject"}), thread())
    assert bank.run == [("balance", {})]


def test_the_queue_has_all_calls_at_once_and_what_it_decides_stands(bank: Bank) -> None:
    store = open_store("memory://")
    with OpenAIServer(agent(TWO)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, ask_in_turn=True)
        asked = graph.invoke(GO, thread())
        (later,) = evidence(asked)[0]["coming"]
        assert {review.state for review in store.reviews()} == {ReviewState.PENDING}
        Queue(store).reject(later, by="ada", message="not this one")
        press(graph, thread(), AgentChatUI.approve(shown(graph)))
        press(graph, thread(), AgentChatUI.approve(shown(graph)))
    assert sorted(bank.run) == [("balance", {}), ("wipe", {"account": "a1"})]
    assert "not this one" in " ".join(told(graph))


@pytest.mark.parametrize("first", ["first", "last"])
async def test_a_worker_answers_them_in_whatever_order_they_were_decided(first: str, bank: Bank) -> None:
    store = open_store("memory://")
    with OpenAIServer(agent(TWO)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, ask_in_turn=True)
        asked = graph.invoke(GO, thread())
        (found,) = evidence(asked)
        ids = [found["review_id"], *found["coming"]]
        queue = Queue(store)
        queue.approve(ids[0 if first == "first" else 1], by="ada")
        # Long after its grace: its question has only not been asked yet.
        later = datetime.now(UTC) + timedelta(hours=1)
        outcomes = await worked(graph, store, now=lambda: later)
        assert outcomes == (["resumed"] if first == "first" else ["waiting"])
        assert bank.run == []
        queue.approve(ids[1 if first == "first" else 0], by="ada")
        for _ in range(2):
            await worked(graph, store, now=lambda: later)
    assert sorted(bank.run, key=str) == [("balance", {}), ("wipe", {"account": "a1"}), ("wipe", {"account": "a2"})]
    assert {review.state for review in store.reviews()} == {ReviewState.DONE}


def test_one_call_is_asked_about_as_ever(bank: Bank) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), ask_in_turn=True)
        asked = graph.invoke(GO, thread())
        assert "coming" not in evidence(asked)[0]
        press(graph, thread(), AgentInbox.accept(shown(graph)))
    assert bank.run == [("wipe", {"account": "a1"})]
