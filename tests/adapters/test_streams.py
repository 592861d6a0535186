"""Nothing of the samples is in what somebody sees who runs the agent, streamed or not."""

from __future__ import annotations

import pytest

from tests.adapters.conftest import EACH, Opens
from tests.adapters.script import plan, splitting
from tests.adapters.tools import rules


@pytest.mark.parametrize("n", ["honour", "ignore"])
@pytest.mark.parametrize(("door", "way"), EACH)
async def test_no_sample_leaks(opens: Opens, n: str) -> None:
    amounts = [770_000_100 + number for number in range(9)]
    # long, so that the amount stands whole in one piece of a stream
    plans = [plan("pay", amount=amount, to="Bob of the long name") for amount in amounts]
    script = splitting(plans[0], lambda number: plans[1 + number])
    conversation = await opens(script, policy=rules("critical"), n=n)
    await conversation.go()
    assert conversation.setting.served.choices == 8
    assert [amount for amount in amounts if str(amount) in conversation.seen] == amounts[:1]
    # a sample that is streamed would reach whoever listens to the model
    assert conversation.setting.served.streamed == 0


@pytest.mark.parametrize(("door", "way"), EACH)
async def test_what_the_model_says_arrives_once_and_whole(opens: Opens) -> None:
    words = "All is paid, and the account is in order."
    script = splitting(plan("pay", amount=7000, to="bob"), lambda _number: plan("pay", amount=7000, to="bob"))
    script = type(script)(plans=script.plans, sample=script.sample, ends=words)
    conversation = await opens(script, policy=rules("high"))
    await conversation.go()
    assert conversation.final == words
