"""agent-inbox, agent-chat-ui and deep-agents-ui understand our questions, and we understand their answers."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import HumanMessage, ToolMessage
from langgraph.checkpoint.memory import MemorySaver

from guardrail import Queue, open_store
from guardrail.errors import ReviewConflict
from guardrail.types import ReviewState
from guardrail.visible import plain
from guardrail_langgraph.worker import Leases, resume_decided
from tests.support.agents import BUILDS, GO, Bank, Build, callback_agent, flipping, n_asked, policy, state_graph, thread
from tests.support.hostile import SCRIPTS, TEXTS
from tests.support.openai_server import OpenAIServer, agent, call
from tests.support.ui_contracts import (
    Act,
    AgentChatUI,
    AgentInbox,
    Card,
    DeepAgentsUI,
    press,
    stream_interrupt,
    thread_of,
)

UIS: dict[str, Callable[[Any], list[Card]]] = {
    "agent-inbox": AgentInbox.cards,
    "agent-chat-ui": lambda given: AgentChatUI.cards(stream_interrupt(given)),
    "deep-agents-ui": lambda given: DeepAgentsUI.cards(stream_interrupt(given)),
}
DECISIONS = {"accept": "approve", "respond": "reject"}
NO_RETRY = {"tiers": {"high": {"max_retries": 0}}}


@pytest.fixture
def bank() -> Bank:
    return Bank()


def card_of(graph: Any, ui: str = "agent-inbox") -> Card:
    (card,) = UIS[ui](thread_of(graph, thread()))
    return card


def told(graph: Any) -> list[str]:
    """What the agent reads in the tools' places."""
    messages = graph.get_state(thread()).values["messages"]
    return [str(message.content) for message in messages if isinstance(message, ToolMessage)]


@pytest.mark.parametrize("ui", list(UIS))
@pytest.mark.parametrize("build", BUILDS)
def test_a_question_is_shown_with_its_call_and_the_decisions_that_are_allowed(
    build: Build, ui: str, bank: Bank
) -> None:
    with OpenAIServer(agent(call("pay", amount=900))) as server:
        graph = build(server, bank, saver=MemorySaver())
        graph.invoke(GO, thread())
        card = card_of(graph, ui)
    assert (card.name, card.args, card.readable) == ("pay", {"amount": 900}, True)
    assert card.description.startswith("critical stakes.")
    assert {DECISIONS.get(button, button) for button in card.buttons} == {"approve", "reject"}


@pytest.mark.parametrize("ui", list(UIS))
def test_the_callback_handler_asks_in_the_same_form(ui: str, bank: Bank) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = callback_agent(server, bank, saver=MemorySaver())
        graph.invoke(GO, thread())
        card = card_of(graph, ui)
        assert (card.name, card.args, bank.run) == ("wipe", {"account": "a1"}, [])
        press(graph, thread(), AgentChatUI.approve(card))
    assert bank.run == WIPED


WIPE = ("wipe", {"account": "a1"})
WIPED = [("wipe", {"account": "a1"})]
ANSWERS: dict[str, tuple[Callable[[Card], Act], list[Any], str]] = {
    "agent-inbox accept": (AgentInbox.accept, WIPED, "gone"),
    "agent-inbox accept after a reset": (AgentInbox.accept_after_reset, WIPED, "gone"),
    "agent-inbox edit": (lambda card: AgentInbox.edit(card, account="a9"), [("wipe", {"account": "a9"})], "gone"),
    "agent-inbox response": (lambda card: AgentInbox.respond(card, "ask bob first"), [], "ask bob first"),
    "agent-inbox ignore": (AgentInbox.ignore, [], "rejected by a human"),
    "agent-chat-ui approve": (AgentChatUI.approve, WIPED, "gone"),
    "agent-chat-ui edit": (lambda card: AgentChatUI.edit(card, account="a9"), [("wipe", {"account": "a9"})], "gone"),
    "agent-chat-ui reject": (lambda card: AgentChatUI.reject(card, "not now"), [], "not now"),
    "deep-agents-ui approve": (DeepAgentsUI.approve, WIPED, "gone"),
    "deep-agents-ui edit": (lambda card: DeepAgentsUI.edit(card, account="a9"), [("wipe", {"account": "a9"})], "gone"),
    "deep-agents-ui reject": (DeepAgentsUI.reject, [], "rejected by a human"),
    "deep-agents-ui reject with a reason": (lambda card: DeepAgentsUI.reject(card, "not now"), [], "not now"),
    "deep-agents-ui panel": (lambda _: DeepAgentsUI.decisions({"type": "approve"}), WIPED, "gone"),
    "deep-agents-ui panel, edited": (
        lambda card: DeepAgentsUI.decisions(
            {"type": "edit", "edited_action": {"name": card.name, "args": {"account": "a9"}}}
        ),
        [("wipe", {"account": "a9"})],
        "gone",
    ),
    "deep-agents-ui panel, rejected": (
        lambda _: DeepAgentsUI.decisions({"type": "reject", "message": "Rejected by user: no"}),
        [],
        "Rejected by user: no",
    ),
    "deep-agents-ui typed": (lambda _: DeepAgentsUI.typed('{"type": "approve"}'), WIPED, "gone"),
}


@pytest.mark.parametrize("answer", list(ANSWERS))
def test_an_answer_does_what_its_button_says(answer: str, bank: Bank) -> None:
    act, ran, said = ANSWERS[answer]
    store = open_store("memory://")
    with OpenAIServer(agent(call(*WIPE[:1], **WIPE[1]))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        graph.invoke(GO, thread())
        press(graph, thread(), act(card_of(graph)))
        assert bank.run == ran
        assert said in told(graph)[0]
    (review,) = store.reviews()
    assert review.state is ReviewState.DONE
    assert thread_of(graph, thread())["status"] == "idle"


@pytest.mark.parametrize(
    ("who", "by"),
    [
        ({"langgraph_auth_user_id": "ada", "reviewer": "eve"}, "ada"),
        ({"langgraph_auth_user_id": "", "reviewer": "bob"}, "bob"),
        ({}, "resume"),
    ],
    ids=["signed in", "named", "nobody"],
)
def test_whom_the_server_has_signed_in_is_who_decides(who: dict[str, str], by: str, bank: Bank) -> None:
    store = open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        graph.invoke(GO, thread())
        press(graph, thread("t1", **who), AgentChatUI.approve(card_of(graph)))
    (review,) = store.reviews()
    assert review.decision is not None
    assert review.decision.by == by


REFUSED: dict[str, tuple[Callable[[Card], Act], str]] = {
    "agent-chat-ui edit that is not allowed": (lambda card: AgentChatUI.edit(card, amount="1"), "edit is not allowed"),
    "agent-inbox edit that is not allowed": (lambda card: AgentInbox.edit(card, amount="1"), "edit is not allowed"),
    "deep-agents-ui edit that is not allowed": (lambda card: DeepAgentsUI.edit(card, amount="1"), "not allowed"),
    "one approval for two calls": (lambda card: AgentChatUI.approve_all([card, card]), "2 decisions were given"),
    "no decision": (lambda _: DeepAgentsUI.decisions(), "0 decisions were given"),
    "a text": (lambda _: DeepAgentsUI.typed("approved"), "of type str is not readable"),
    "a truth": (lambda _: DeepAgentsUI.typed("true"), "of type bool is not readable"),
    "an object": (lambda _: DeepAgentsUI.typed('{"key": "value"}'), "None is not a decision"),
    "an approval of another tool": (
        lambda card: AgentInbox.accept(Card(name="balance", args=card.args, buttons=frozenset({"edit"}))),
        "approves another call",
    ),
    "an approval of other arguments": (
        lambda card: AgentInbox.accept(Card(name="pay", args={"amount": 10}, buttons=frozenset({"edit"}))),
        "with other arguments",
    ),
    "a reason without an end": (lambda card: AgentChatUI.reject(card, "x" * 30_000), "the limit is 20000"),
}


@pytest.mark.parametrize("answer", list(REFUSED))
def test_an_answer_that_cannot_be_used_loses_nothing(answer: str, bank: Bank) -> None:
    act, why = REFUSED[answer]
    store = open_store("memory://")
    with OpenAIServer(agent(call("pay", amount=900))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        graph.invoke(GO, thread())
        paid = n_asked(server)
        press(graph, thread(), act(card_of(graph)))
        assert bank.run == []
        for ui in UIS:
            again = card_of(graph, ui)
            assert (again.name, again.args) == ("pay", {"amount": 900})
            assert why in again.description
        (review,) = store.reviews()
        assert review.state is ReviewState.PENDING
        press(graph, thread(), AgentChatUI.approve(again))
        assert n_asked(server) == paid
    assert bank.paid == [900]


@pytest.mark.parametrize(
    ("act", "ran", "said"),
    [
        (lambda card: AgentChatUI.reject(card, "no \ud800"), [], "no ?"),
        (lambda card: AgentChatUI.edit(card, account="a\ud800"), [("wipe", {"account": "a?"})], "gone"),
    ],
    ids=["message", "argument"],
)
def test_half_a_character_is_read_at_once_as_a_checkpoint_keeps_it(act: Any, ran: Any, said: str, bank: Bank) -> None:
    """Else an answer that was refused with it would be another one when the graph reads it again."""
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        graph.invoke(GO, thread())
        press(graph, thread(), act(card_of(graph)))
    assert bank.run == ran
    assert said in told(graph)[0]


FORMS: dict[str, tuple[Callable[[Card], Act], Any]] = {
    "agent-inbox": (lambda card: AgentInbox.edit(card, amount="7"), 7),
    "agent-chat-ui": (lambda card: AgentChatUI.edit(card, amount=" 7 "), 7),
    "deep-agents-ui": (lambda card: DeepAgentsUI.edit(card, amount="7"), 7),
    "words": (lambda card: AgentInbox.edit(card, amount="seven"), "'seven' is not of type 'integer'"),
    "nothing": (lambda card: AgentChatUI.edit(card, amount=""), "'' is not of type 'integer'"),
    "a fraction": (lambda card: AgentChatUI.edit(card, amount="7.5"), "'7.5' is not of type 'integer'"),
    "more digits than a number keeps": (
        lambda card: AgentChatUI.edit(card, amount="7.00000000000000000001"),
        "is not of type 'integer'",
    ),
    "a list": (lambda card: DeepAgentsUI.edit(card, amount="[7]"), "[7] is not of type 'integer'"),
    "a truth": (lambda card: AgentInbox.edit(card, amount="true"), "'true' is not of type 'integer'"),
    "an unknown argument": (lambda card: AgentInbox.edit(card, fast="1"), "'fast' is not an argument"),
}


@pytest.mark.parametrize("form", list(FORMS))
def test_text_is_read_as_the_number_that_the_schema_wants_or_the_form_comes_back(form: str, bank: Bank) -> None:
    act, expected = FORMS[form]
    with OpenAIServer(agent(flipping)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), rules=policy(**NO_RETRY))
        graph.invoke(GO, thread())
        press(graph, thread(), act(card_of(graph)))
        if isinstance(expected, str):
            assert bank.run == []
            assert expected.translate(str.maketrans("[]", "()")) in card_of(graph).description
        else:
            assert bank.run == [("pay", {"amount": expected, "to": "bob"})]


def test_a_number_that_a_browser_rounds_is_not_edited_there(bank: Bank) -> None:
    big = 2**53 + 1

    def reply(body: dict[str, Any], index: int) -> dict[str, Any]:
        return call("pay", amount=big, to="bob" if body.get("temperature") != 1.0 else f"x{index}")

    rules = policy(tools=[{"match": "pay", "tier": "critical"}])
    with OpenAIServer(agent(reply)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), rules=rules)
        graph.invoke(GO, thread())
        card = card_of(graph, "agent-chat-ui")
        assert card.args["amount"] == 2**53
        press(graph, thread(), AgentChatUI.edit(card, to="eve"))
        assert bank.run == []
        assert "came back rounded" in card_of(graph).description
        press(graph, thread(), AgentInbox.accept(card_of(graph)))
    assert bank.paid == [big]


@pytest.mark.parametrize("text", [*SCRIPTS, "override", "tags", "terminal", "line breaks", "zero width", "long"])
def test_no_page_is_given_markup_of_the_agent_to_show_as_words(text: str, bank: Bank) -> None:
    hostile = TEXTS[text].encode("utf-8", "replace").decode()

    with OpenAIServer(agent(call("wipe", account=hostile))) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        graph.invoke(GO, thread())
        # A reviewer whose browser was told what to send: the text stands in the problem that is shown to the next.
        for command in ({"type": hostile}, {"type": "edit", "edited_action": {"name": hostile, "args": {}}}):
            press(graph, thread(), DeepAgentsUI.decisions(command))
            for ui in UIS:
                shown = card_of(graph, ui).description
                assert not re.search(r"[<>`\[\]|]|://", shown)
                assert shown == plain(shown)
                assert len(shown) < 2_100
        press(graph, thread(), AgentInbox.edit(card_of(graph), account="a1", **{hostile: "1"}))
        assert not re.search(r"[<>`\[\]|]|://", card_of(graph).description)
        assert card_of(graph).args == {"account": hostile}
    assert bank.run == []


def test_an_answer_that_also_goes_to_the_end_counts_once(bank: Bank) -> None:
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver())
        graph.invoke(GO, thread())
        both = {**(AgentChatUI.approve(card_of(graph)).command or {}), **(AgentChatUI.resolve().command or {})}
        press(graph, thread(), Act(command=both))
        press(graph, thread(), Act(command=both))
    assert bank.run == [("wipe", {"account": "a1"})]


RESOLVE = {
    "agent-inbox": AgentInbox.resolve,
    "agent-chat-ui": AgentChatUI.resolve,
    "deep-agents-ui": DeepAgentsUI.resolve,
}


@pytest.mark.parametrize("ui", list(RESOLVE))
@pytest.mark.parametrize("build", BUILDS)
def test_marking_a_thread_as_resolved_runs_nothing_and_decides_nothing(build: Build, ui: str, bank: Bank) -> None:
    store = open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = build(server, bank, saver=MemorySaver(), store=store)
        graph.invoke(GO, thread())
        paid = n_asked(server)
        press(graph, thread(), RESOLVE[ui]())
        assert n_asked(server) == paid
        (review,) = store.reviews()
        assert review.state is ReviewState.PENDING
        if ui != "agent-inbox":  # a command that goes to the end leaves the question where it was
            assert card_of(graph, ui).name == "wipe"
        graph.invoke({"messages": [HumanMessage("never mind")]}, thread())
        assert "a new message came before" in told(graph)[0]
    first = next(one for one in store.reviews() if one.id == review.id)
    assert first.state is ReviewState.SUPERSEDED
    assert bank.run == []
    with pytest.raises(ReviewConflict):
        Queue(store).approve(review.id, by="ada")


async def test_an_approval_after_a_thread_was_marked_as_resolved_runs_nothing(bank: Bank) -> None:
    store = open_store("memory://")
    with OpenAIServer(agent(call("wipe", account="a1"))) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store)
        graph.invoke(GO, thread())
        press(graph, thread(), AgentInbox.resolve())
        (review,) = store.reviews()
        queue = Queue(store)
        queue.approve(review.id, by="ada")
        later = datetime.now(UTC) + timedelta(hours=1)
        done = await resume_decided(graph, queue, Leases(store, by="here"), now=lambda: later)
    assert [one.outcome for one in done] == ["superseded"]
    assert bank.run == []
