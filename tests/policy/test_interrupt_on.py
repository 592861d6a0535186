"""LangChain's ``interrupt_on``, read cautiously."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail.errors import PolicyError
from guardrail.policy import Policy
from guardrail.types import DecisionType, Tier, ToolCall, ToolSpec


def call(name: str, **arguments: object) -> ToolCall:
    return ToolCall(name=name, arguments=arguments, id="c1")


def big(request: Any) -> bool:
    return request.tool_call["name"] == "pay" and request.tool_call["args"]["amount"] > 5 and request.tool is None


def test_every_form() -> None:
    policy = Policy.from_interrupt_on(
        {
            "delete": True,
            "read": False,
            "mail": {"allowed_decisions": ["approve", "reject"], "description": "Please look"},
            "pay": {"allowed_decisions": ["approve"], "when": big, "description": lambda *_: "", "args_schema": {}},
        }
    )
    tiers = {name: policy.resolve(call(name), None).tier for name in ("delete", "read", "mail", "unlisted")}
    assert tiers == {"delete": Tier.CRITICAL, "read": Tier.LOW, "mail": Tier.CRITICAL, "unlisted": Tier.HIGH}
    assert policy.resolve(call("delete"), None).decisions == tuple(DecisionType)
    assert policy.resolve(call("mail"), None).decisions == (DecisionType.APPROVE, DecisionType.REJECT)


def test_a_predicate_decides_between_critical_and_the_default() -> None:
    policy = Policy.from_interrupt_on({"pay": {"allowed_decisions": ["approve"], "when": big}})
    interrupted, passed = policy.resolve(call("pay", amount=6), None), policy.resolve(call("pay", amount=5), None)
    assert (interrupted.tier, interrupted.decisions) == (Tier.CRITICAL, (DecisionType.APPROVE,))
    assert (passed.tier, passed.rule) == (Tier.HIGH, "default")


def test_a_predicate_that_needs_the_state_asks_a_human() -> None:
    policy = Policy.from_interrupt_on(
        {"pay": {"allowed_decisions": ["approve"], "when": lambda request: request.state["x"]}}
    )
    assert policy.resolve(call("pay"), None).tier is Tier.CRITICAL


def test_the_version_knows_the_predicate() -> None:
    def other(request: Any) -> bool:
        return False

    versions = {
        Policy.from_interrupt_on({"pay": {"allowed_decisions": ["approve"], "when": when}}).version
        for when in (big, other)
    }
    assert len(versions) == 2


async def later(request: Any) -> bool:
    return True


@pytest.mark.parametrize(
    ("interrupt_on", "says"),
    [
        ([], "interrupt_on: must be a mapping"),
        ({"pay": "yes"}, "interrupt_on.pay: must be True, False or a mapping"),
        ({"pay": 1}, "interrupt_on.pay: must be True, False or a mapping"),
        ({"pay_*": True}, "has no wildcards"),
        ({"": True}, "must be the exact name"),
        ({"pay": {}}, "interrupt_on.pay.allowed_decisions: must be a list"),
        ({"pay": {"allowed_decisions": []}}, "allowed_decisions: must be a list"),
        ({"pay": {"allowed_decisions": ["accept"]}}, "unknown decision 'accept'"),
        (
            {"pay": {"allowed_decision": ["approve"]}},
            "unknown key 'allowed_decision'; did you mean 'allowed_decisions'?",
        ),
        ({"pay": {"allowed_decisions": ["approve"], "when": True}}, "interrupt_on.pay.when: must be a function"),
        ({"pay": {"allowed_decisions": ["approve"], "when": later}}, "is async"),
    ],
)
def test_bad_entries(interrupt_on: Any, says: str) -> None:
    with pytest.raises(PolicyError) as caught:
        Policy.from_interrupt_on(interrupt_on)
    assert says in str(caught.value)


def test_a_misspelt_tool_does_not_run_ungated() -> None:
    policy = Policy.from_interrupt_on({"delete_fiel": True})
    with pytest.raises(PolicyError, match="did you mean 'delete_file'"):
        policy.check([ToolSpec(name="delete_file")])
