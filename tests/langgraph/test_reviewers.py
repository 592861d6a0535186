"""An edit is no way around the people whom the policy asks for."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from langgraph.checkpoint.memory import MemorySaver

from guardrail import open_store
from guardrail.errors import NotPermitted
from guardrail.policy import Policy
from guardrail.types import ReviewState
from tests.support.agents import GO, Bank, approve, edit, evidence, flipping, policy, resume, state_graph, thread
from tests.support.openai_server import OpenAIServer, agent


def _rules() -> Policy:
    small = {"match": "pay", "when": {"amount": {"le": 100}}, "tier": "high"}
    large = {
        "match": "pay",
        "tier": "high",
        "reviewers": {"roles": ["treasury"], "quorum": 2},
        "timeout": {"after": "15m"},
    }
    return policy(
        tools=[{"match": ["balance", "wipe"], "tier": "low"}, small, large], tiers={"high": {"max_retries": 0}}
    )


def test_an_edit_to_a_call_that_others_decide_on_is_put_before_them() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(flipping)) as server:
        graph = state_graph(
            server,
            bank,
            saver=MemorySaver(),
            store=store,
            rules=_rules(),
            tenant="acme",
            requester="shop-bot",
        )
        asked = graph.invoke(GO, thread())
        again = graph.invoke(resume(asked, edit("pay", amount=400)), thread())
    assert bank.run == []
    first, second = (store.review(evidence(one)[0]["review_id"]) for one in (asked, again))
    assert "other people decide on it" in second.why
    assert (first.roles, first.quorum, first.due) == ((), 1, "")
    assert (second.roles, second.quorum, second.call.arguments) == (("treasury",), 2, {"amount": 400})
    assert (second.tenant, second.requester) == ("acme", "shop-bot")
    assert second.due > second.at
    assert second.state is ReviewState.PENDING


def test_an_edit_within_the_same_rule_is_not_asked_again() -> None:
    bank, store = Bank(), open_store("memory://")
    with OpenAIServer(agent(flipping)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, rules=_rules())
        asked = graph.invoke(GO, thread())
        graph.invoke(resume(asked, edit("pay", amount=7)), thread())
        assert bank.paid == [7]
        graph.invoke(resume(asked, approve()), thread())
    assert bank.paid == [7]


@pytest.mark.parametrize("reviewers", [{"roles": ["treasury"]}, {"quorum": 2}])
def test_an_answer_to_the_interrupt_is_no_way_around_them_either(reviewers: dict[str, Any]) -> None:
    bank, store = Bank(), open_store("memory://")
    rules = policy(tools=[{"match": "pay", "tier": "critical", "reviewers": reviewers}])
    with OpenAIServer(agent(flipping)) as server:
        graph = state_graph(server, bank, saver=MemorySaver(), store=store, rules=rules)
        asked = graph.invoke(GO, thread())
        with suppress(NotPermitted):
            graph.invoke(resume(asked, approve()), thread())
    assert bank.run == []
    assert store.review(evidence(asked)[0]["review_id"]).decision is None
