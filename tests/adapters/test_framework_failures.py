"""What frameworks are known to get wrong, through every door that it concerns."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from guardrail.types import ReviewState
from tests.adapters.conftest import EVEN, ODD, Opens, calmly
from tests.adapters.script import Script, Turn, agreeing, plan
from tests.adapters.tools import rules

WIPE = plan("wipe", account="a1")
RAN = ("wipe", {"account": "a1"})


@pytest.mark.parametrize(("door", "way"), ODD)
async def test_a_new_message_while_a_call_waits(opens: Opens) -> None:
    """Providers refuse a history with unanswered calls; the strict server here does, too."""
    conversation = await opens(agreeing(WIPE))
    await conversation.go()
    script = Script(plans=(Turn(text="fine"),), sample=lambda _number: WIPE)
    conversation.setting.served.play(script)
    await conversation.say("never mind")
    assert conversation.final == "fine"
    assert conversation.ran == []


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_an_approval_from_before_a_new_message_runs_nothing_by_itself(opens: Opens) -> None:
    conversation = await opens(agreeing(WIPE))
    await conversation.go()
    (review,) = conversation.waiting
    script = Script(plans=(Turn(text="fine"),), sample=lambda _number: WIPE)
    conversation.setting.served.play(script)
    await calmly(conversation.say("never mind"))
    if conversation.queue.get(review.id).state is not ReviewState.SUPERSEDED:
        conversation.decide("approve", review)
    await calmly(conversation.say("and now?"))
    assert conversation.ran == []


@pytest.mark.parametrize("tier", ["low", "medium", "critical"])
@pytest.mark.parametrize(("door", "way"), ODD)
async def test_choices_that_a_server_adds_are_never_one_plan(opens: Opens, tier: str) -> None:
    """Merged into one message they would be several payments."""
    one, other = plan("pay", amount=1, to="bob"), plan("pay", amount=2, to="eve")
    script = Script(plans=(one,), sample=lambda _number: one, besides=other)
    conversation = await opens(script, policy=rules(tier))
    await calmly(conversation.go())
    assert conversation.ran in ([], [("pay", {"amount": 1, "to": "bob"})])
    assert tier != "critical" or conversation.ran == []


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_a_call_id_that_comes_again_is_another_call(opens: Opens) -> None:
    """An approval is of one plan, also where a server counts its calls anew in every answer."""
    turns = [Turn(calls=(("wipe", {"account": account}, "id_0"),)) for account in ("a1", "a2")]
    script = Script(plans=turns, sample=lambda _number: turns[0], goes_on=True)
    conversation = await opens(script)
    await conversation.go()
    for account in ("a1", "a2"):
        (review,) = conversation.waiting
        assert review.call.arguments == {"account": account}
        conversation.decide("approve", review)
        await conversation.resume()
    assert conversation.ran == [("wipe", {"account": account}) for account in ("a1", "a2")]
    assert conversation.final == "done"


@pytest.mark.parametrize("decision", ["reject", "expire"])
@pytest.mark.parametrize(("door", "way"), ODD)
async def test_a_refused_call_that_is_planned_once_more_needs_a_person_again(opens: Opens, decision: str) -> None:
    """An agent that tries the same again after a refusal gets no further by it."""
    policy = rules("medium", tiers={"medium": {"max_retries": 0, "timeout": {"after": "1h"}}})
    turn = plan("pay", amount=10, to="bob")
    first: Any = {"open": True}

    def sample(number: int) -> Turn:
        return plan("pay", amount=20 + number, to="bob") if first["open"] else turn

    conversation = await opens(Script(plans=(turn, turn), sample=sample, goes_on=True), policy=policy)
    await conversation.go()
    conversation.decide(decision)
    first["open"] = False
    await conversation.resume()
    assert conversation.ran == []
    assert decision != "reject" or len(conversation.waiting) == 1


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_a_blocked_call_does_not_run_in_whatever_way_its_tool_is_started(opens: Opens) -> None:
    """An asynchronous handler's exception is swallowed by some frameworks, and the call would run."""
    conversation = await opens(Script(plans=(WIPE,), sample=lambda _number: None), policy=rules("medium"))
    await conversation.go()
    conversation.decide("reject", message="no")
    await conversation.resume()
    assert conversation.ran == []
    assert "no" in conversation.told[-1]


@pytest.mark.parametrize(("door", "way"), ODD)
async def test_what_runs_is_what_was_approved(opens: Opens) -> None:
    """Whoever can write what a framework keeps of a run is not who decides."""
    conversation = await opens(agreeing(plan("pay", amount=100, to="bob")), policy=rules("critical"))
    await conversation.go()
    conversation.decide("approve")
    await calmly(conversation.change(amount=999_999))
    approved: Mapping[str, Any] = {"amount": 100, "to": "bob"}
    assert conversation.ran in ([], [("pay", approved)])
