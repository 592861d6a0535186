"""A person's edit that falls under a stricter rule than the call goes before people once more, through every door."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail import Policy, Tier
from tests.adapters.conftest import Opens, calmly
from tests.adapters.doors import DOORS
from tests.adapters.script import dead, plan

POLICY = {
    "tools": [
        {"match": "pay", "tier": "critical", "when": {"amount": {"gt": 500}}},
        {"match": "pay", "tier": "high"},
    ]
}
DEAR = {"amount": 900, "to": "eve"}


def _each_way_once() -> list[Any]:
    """Each door in each way, with one of the answers; each door has both."""
    return [
        pytest.param(door, way, answer, id=f"{door.name}-{way}-{answer}")
        for door in DOORS
        for number, way in enumerate(door.ways)
        for answer in (("approve", "reject") if len(door.ways) == 1 else (("approve", "reject")[number % 2],))
    ]


@pytest.mark.parametrize(("door", "way", "answer"), _each_way_once())
async def test_an_edit_under_a_stricter_rule_is_put_before_people_again(opens: Opens, answer: str) -> None:
    conversation = await opens(dead(plan("pay", amount=100, to="bob")), policy=Policy.parse(POLICY))
    await conversation.go()
    paid = conversation.setting.served.requests
    first = conversation.decide("edit", arguments=DEAR)
    await conversation.resume()
    assert conversation.ran == []
    (again,) = conversation.waiting
    assert again.id != first.id
    assert (first.tier, again.tier, again.call.arguments) == (Tier.HIGH, Tier.CRITICAL, DEAR)
    conversation.decide(answer)
    await conversation.resume()
    runs = [("pay", DEAR)] if answer == "approve" else []
    assert conversation.ran == runs
    # the first says which one it went on as
    old = conversation.queue.get(first.id)
    assert (old.state, conversation.queue.get(again.id).state) == ("superseded", "done")
    assert again.id[:12] in old.history[-1].note
    # nothing is measured for that, and nothing runs twice
    assert conversation.setting.served.requests == paid
    assert len(conversation.reviews) == 2
    assert conversation.final == ("done" if conversation.speaks else "")
    await calmly(conversation.replay())
    assert conversation.ran == runs
