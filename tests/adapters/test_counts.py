"""Every door pays exactly the samples that a step's tier says, and the record tells what they cost."""

from __future__ import annotations

from typing import Any

import pytest

from tests.adapters.conftest import EACH, EVEN, ODD, Opens
from tests.adapters.door import Conversation
from tests.adapters.reference import reference
from tests.adapters.script import Turn, agreeing, plan, splitting
from tests.adapters.tools import rules

N = {"low": 3, "medium": 5, "high": 8, "critical": 8}
PLAN = plan("pay", amount=100, to="bob")


def paid(conversation: Conversation) -> tuple[int, int]:
    """Choices and requests, as the server counts them."""
    served = conversation.setting.served
    return served.choices, served.requests


@pytest.mark.parametrize("n", ["honour", "ignore"])
@pytest.mark.parametrize(("door", "way"), EACH)
async def test_a_step_pays_exactly_n(opens: Opens, n: str) -> None:
    conversation = await opens(agreeing(PLAN), policy=rules("critical"), n=n)
    await conversation.go()
    (record,) = conversation.records
    choices, requests = paid(conversation)
    assert (choices, record.verdict.drawn, len(record.samples)) == (8, 8, 8)
    assert record.verdict.usage.requests == requests
    assert conversation.setting.served.plans == 1


@pytest.mark.parametrize("n", ["honour", "ignore"])
@pytest.mark.parametrize(("door", "way"), EACH)
async def test_tokens_are_counted_once(opens: Opens, n: str) -> None:
    conversation = await opens(agreeing(PLAN), policy=rules("critical"), n=n)
    await conversation.go()
    (record,) = conversation.records
    usage, served = record.verdict.usage, conversation.setting.served
    assert usage.prompt_tokens == served.prompt_tokens * served.requests
    assert usage.completion_tokens == served.completion_tokens * 8


@pytest.mark.parametrize("n", ["honour", "ignore"])
@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_no_more_is_drawn_than_the_tier_needs(opens: Opens, n: str) -> None:
    """Drawing stops where the rest cannot change the route, through every door after the same number."""
    script = splitting(PLAN, lambda number: PLAN if number % 2 else plan("pay", amount=200 + number, to="bob"))
    conversation = await opens(script, policy=rules("medium"), n=n)
    await conversation.go()
    drawn = [record.verdict.drawn for record in conversation.records]
    assert drawn == [one["drawn"] for one in reference(script, rules("medium"))]
    assert paid(conversation)[0] == sum(drawn)
    assert max(drawn) <= N["medium"]


@pytest.mark.parametrize(("door", "way"), ODD)
async def test_every_step_of_a_conversation_is_paid_for_itself(opens: Opens) -> None:
    steps = [plan("pay", amount=amount, to="bob") for amount in (1, 2)]
    latest: list[Turn] = [steps[0]]

    def sample(_number: int) -> Turn:
        return latest[0]

    script = splitting(steps[0], sample)
    script = type(script)(plans=steps, sample=sample, goes_on=True)
    conversation = await opens(script, policy=rules("high"))
    ran = conversation.setting.tools.ran

    def moved(name: str, arguments: dict[str, Any], key: str = "") -> str:
        latest[0] = steps[1]
        return ran(name, arguments, key)

    conversation.setting.tools.ran = moved
    await conversation.go()
    assert conversation.ran == [("pay", {"amount": amount, "to": "bob"}) for amount in (1, 2)]
    assert [record.verdict.drawn for record in conversation.records] == [8, 8]
    assert paid(conversation)[0] == 16
    assert conversation.setting.served.plans == 3


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_an_answer_in_words_costs_nothing(opens: Opens) -> None:
    conversation = await opens(agreeing(Turn(text="hello")))
    await conversation.go()
    assert paid(conversation) == (0, 0)
    assert conversation.records == []
    assert conversation.final == "hello"
