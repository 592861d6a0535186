"""Several calls in one step: one measurement, a decision for each, and each runs once."""

from __future__ import annotations

import pytest

from tests.adapters.conftest import EVEN, ODD, Opens, calmly
from tests.adapters.reference import reference, summaries
from tests.adapters.script import Turn, agreeing
from tests.adapters.tools import rules

PAY = ("pay", {"amount": 1, "to": "bob"})
BALANCE = ("balance", {"account": "a"})
WIPES = [("wipe", {"account": "a1"}), ("wipe", {"account": "a2"})]
MIXED = Turn(calls=(PAY, BALANCE, WIPES[0]))
BOTH = Turn(calls=tuple(WIPES))


@pytest.mark.parametrize("n", ["honour", "ignore"])
@pytest.mark.parametrize(("door", "way"), ODD)
async def test_calls_of_a_step_are_measured_together(opens: Opens, n: str) -> None:
    conversation = await opens(agreeing(MIXED), policy=rules("medium"), n=n)
    await conversation.go()
    assert summaries(conversation.records) == reference(agreeing(MIXED), rules("medium"))
    assert conversation.setting.served.choices == 8


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_calls_of_a_step_are_decided_each(opens: Opens, decision: str) -> None:
    conversation = await opens(agreeing(MIXED), policy=rules("medium"))
    await conversation.go()
    # what is sure may run at once, or wait for its sibling
    assert all(one in (PAY, BALANCE) for one in conversation.ran)
    assert [review.call.name for review in conversation.waiting] == ["wipe"]
    conversation.decide(decision)
    await conversation.resume()
    expected = [PAY, BALANCE, *([WIPES[0]] if decision == "approve" else [])]
    assert sorted(conversation.ran, key=str) == sorted(expected, key=str)
    assert conversation.final == "done"


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(("door", "way"), ODD)
async def test_an_approval_is_of_its_own_call_and_no_other(opens: Opens, first: int) -> None:
    """Whichever is decided first, in whatever order a framework puts its questions."""
    conversation = await opens(agreeing(BOTH))
    await conversation.go()
    reviews = conversation.waiting
    assert [(one.call.name, one.call.arguments) for one in reviews] == WIPES
    conversation.decide("approve", reviews[first])
    await conversation.resume()
    assert all(one == WIPES[first] for one in conversation.ran)
    conversation.decide("reject", reviews[1 - first])
    await conversation.resume()
    assert conversation.ran == [WIPES[first]]
    assert conversation.final == "done"


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_both_approved_run_once_each(opens: Opens) -> None:
    conversation = await opens(agreeing(BOTH))
    await conversation.go()
    for review in conversation.waiting:
        conversation.decide("approve", review)
    await conversation.resume()
    assert sorted(conversation.ran, key=str) == WIPES
    assert {str(one.state) for one in conversation.reviews} == {"done"}


@pytest.mark.parametrize(("door", "way"), ODD)
async def test_two_equal_calls_are_two(opens: Opens) -> None:
    conversation = await opens(agreeing(Turn(calls=(WIPES[0], WIPES[0]))))
    await conversation.go()
    one, other = conversation.waiting
    conversation.decide("approve", one)
    await conversation.resume()
    assert conversation.ran in ([], [WIPES[0]])
    conversation.decide("approve", other)
    await conversation.resume()
    assert conversation.ran == [WIPES[0], WIPES[0]]
    assert conversation.final == "done"


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_calls_that_share_an_id_never_share_an_approval(opens: Opens) -> None:
    """Some servers give every call of an answer the same id."""
    conversation = await opens(agreeing(Turn(calls=tuple((*one, "id_0") for one in WIPES))))
    # a framework may refuse such an answer altogether
    await calmly(conversation.go())
    for number, review in enumerate(conversation.waiting):
        conversation.decide("reject" if number else "approve", review)
    await calmly(conversation.resume())
    assert conversation.ran in ([], [WIPES[0]])
