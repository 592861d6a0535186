"""Plans whose calls cannot be read or told apart."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.checkpoint.memory import MemorySaver

from tests.support.agents import (
    BUILDS,
    GO,
    Bank,
    Build,
    approve,
    evidence,
    reply_until_paid,
    resume,
    state_graph,
    thread,
)
from tests.support.openai_server import OpenAIServer, agent, call, calls


@pytest.fixture
def bank() -> Bank:
    return Bank()


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
