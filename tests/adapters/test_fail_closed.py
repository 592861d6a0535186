"""Whatever fails, nothing runs that nobody let run: the store, the sampler, the set-up, and who decides."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail import Policy
from guardrail.errors import NotPermitted, ReviewConflict
from guardrail.types import Principal, PrincipalKind, ReviewState
from tests.adapters.broken_store import BrokenStore
from tests.adapters.conftest import EVEN, ODD, ONE, OTHER, Opens, calmly
from tests.adapters.door import Conversation
from tests.adapters.script import agreeing, plan

WIPE = plan("wipe", account="a1")
RAN = ("wipe", {"account": "a1"})
PAID = ("pay", {"amount": 1, "to": "bob"})
PAY = plan("pay", amount=1, to="bob")


@pytest.mark.parametrize(("door", "way"), ONE)
async def test_a_store_that_fails_anywhere_lets_no_reviewed_call_run(opens: Opens) -> None:
    whole = BrokenStore()
    conversation = await opens(agreeing(WIPE), store=whole)
    await conversation.go()
    assert len(conversation.waiting) == 1
    for name in sorted(whole.used):
        store = BrokenStore()
        store.fails = name
        conversation = await _opened(opens, agreeing(WIPE), store=store)
        if conversation is None:
            continue  # it does not even begin
        await calmly(conversation.go())
        assert conversation.ran == [], name
        await calmly(conversation.resume())
        assert conversation.ran == [], name


@pytest.mark.parametrize(("door", "way"), OTHER)
async def test_a_store_that_fails_after_an_approval_runs_the_call_once_or_not(opens: Opens) -> None:
    """What ran is written down as started, whatever fails."""
    whole = BrokenStore()
    conversation = await opens(agreeing(WIPE), store=whole)
    await conversation.go()
    conversation.decide("approve")
    whole.used.clear()
    await conversation.resume()
    assert conversation.ran == [RAN]
    for name in sorted(whole.used):
        store = BrokenStore()
        conversation = await opens(agreeing(WIPE), store=store)
        await conversation.go()
        review = conversation.decide("approve")
        store.fails = name
        await calmly(conversation.resume())
        store.fails = ""
        used = conversation.queue.get(review.id).state in (ReviewState.EXECUTING, ReviewState.DONE)
        assert conversation.ran in ([], [RAN]), name
        assert used or conversation.ran == [], name
        await calmly(conversation.replay())
        assert conversation.ran in ([], [RAN]), name


@pytest.mark.parametrize(("door", "way"), OTHER)
async def test_a_store_that_fails_lets_no_unmeasured_call_run(opens: Opens) -> None:
    whole = BrokenStore()
    conversation = await opens(agreeing(PAY), store=whole)
    await conversation.go()
    assert conversation.ran == [PAID]
    for name in sorted(whole.used):
        store = BrokenStore()
        store.fails = name
        conversation = await _opened(opens, agreeing(PAY), store=store)
        if conversation is None:
            continue
        await calmly(conversation.go())
        assert conversation.ran in ([], [PAID]), name
        # what ran has a verdict on record, which says that it may
        store.fails = ""
        executed = [str(record.verdict.route) for record in conversation.records] == ["execute"]
        assert executed or conversation.ran == [], name


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_a_policy_that_does_not_fit_the_tools_is_told_before_anything_runs(opens: Opens) -> None:
    """A rule for a tool that there is not is a rule that somebody counts on."""
    policy = Policy.parse({"tools": [{"match": "pya", "tier": "critical"}], "default": {"tier": "low"}})
    conversation = await _opened(opens, agreeing(PAY), policy=policy)
    if conversation is not None:
        await calmly(conversation.go())
        assert conversation.ran == []


@pytest.mark.parametrize("who", ["nobody in the role", "an agent", "another tenant"])
@pytest.mark.parametrize(("door", "way"), ODD)
async def test_what_a_stranger_decides_is_no_decision(opens: Opens, who: str) -> None:
    tools = [{"match": "wipe", "tier": "critical", "reviewers": {"roles": ["treasury"]}}]
    conversation = await opens(agreeing(WIPE), policy=Policy.parse({"tools": tools}))
    await conversation.go()
    (review,) = conversation.waiting
    strangers = {
        "nobody in the role": Principal(name="eve", roles=frozenset({"kitchen"})),
        "an agent": Principal(name="eve", kind=PrincipalKind.AGENT, roles=frozenset({"treasury"})),
        "another tenant": Principal(name="eve", tenant="other", roles=frozenset({"treasury"})),
    }
    with pytest.raises(Exception, match=r".") as error:
        conversation.queue.approve(review.id, by=strangers[who], seen_digest=review.digest)
    assert isinstance(error.value, NotPermitted | ReviewConflict | LookupError) or who == "another tenant"
    await calmly(conversation.resume())
    await calmly(conversation.answer("approve"))
    assert conversation.ran == []
    treasurer = Principal(name="ann", roles=frozenset({"treasury"}))
    conversation.queue.approve(review.id, by=treasurer, seen_digest=review.digest)
    await conversation.resume()
    assert conversation.ran == [RAN]


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_an_approval_of_what_nobody_saw_is_none(opens: Opens) -> None:
    conversation = await opens(agreeing(WIPE))
    await conversation.go()
    (review,) = conversation.waiting
    with pytest.raises(ReviewConflict):
        conversation.queue.approve(review.id, by="ada", seen_digest="0" * 64)
    await calmly(conversation.resume())
    assert conversation.ran == []


@pytest.mark.parametrize(("door", "way"), ODD)
async def test_an_edit_to_what_a_stricter_rule_covers_does_not_run_on_that_word(opens: Opens) -> None:
    tools: list[dict[str, Any]] = [
        {"match": "pay", "tier": "critical", "when": {"amount": {"gt": 100}}, "reviewers": {"roles": ["treasury"]}},
        {"match": "pay", "tier": "critical"},
    ]
    conversation = await opens(agreeing(PAY), policy=Policy.parse({"tools": tools}))
    await conversation.go()
    conversation.decide("edit", arguments={"amount": 500, "to": "bob"})
    await calmly(conversation.resume())
    assert conversation.ran == []


async def _opened(opens: Opens, *args: Any, **more: Any) -> Conversation | None:
    """The conversation, if it can be opened."""
    try:
        conversation: Conversation = await opens(*args, **more)
    except Exception:
        return None
    return conversation
