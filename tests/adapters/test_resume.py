"""A call that waits: over a restart, resumed twice, by two at once, with samples that would say otherwise now."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from guardrail import open_store
from guardrail.types import ReviewState
from tests.adapters.conftest import EVEN, ODD, Opens, calmly
from tests.adapters.reference import summaries
from tests.adapters.script import Turn, agreeing, plan, splitting
from tests.adapters.tools import rules

WIPE = plan("wipe", account="a1")
RAN = ("wipe", {"account": "a1"})


@pytest.mark.parametrize("decision", ["approve", "edit", "reject"])
@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_a_restart_loses_nothing_and_pays_nothing(opens: Opens, tmp_path: Path, decision: str) -> None:
    url = f"sqlite:///{tmp_path}/g.db"
    before = await opens(agreeing(WIPE), store=open_store(url))
    await before.go()
    paid, said = before.setting.served.requests, summaries(before.records)
    after = await opens(again=before, store=open_store(url))
    after.decide(decision, **({"arguments": {"account": "a2"}} if decision == "edit" else {}))
    await after.resume()
    assert after.ran == {"approve": [RAN], "edit": [("wipe", {"account": "a2"})]}.get(decision, [])
    assert after.final == "done"
    assert after.setting.served.requests == paid
    assert summaries(after.records) == said
    assert [one.state for one in after.reviews] == [ReviewState.DONE]


@pytest.mark.parametrize("decision", ["approve", "reject"])
@pytest.mark.parametrize(("door", "way"), ODD)
async def test_what_was_saved_is_resumed_twice_and_runs_once(opens: Opens, decision: str) -> None:
    conversation = await opens(agreeing(WIPE))
    await conversation.go()
    conversation.decide(decision)
    await conversation.resume()
    await calmly(conversation.replay())
    assert conversation.ran == ([RAN] if decision == "approve" else [])
    assert len([one for one in conversation.reviews if one.state is ReviewState.DONE]) == 1


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_two_processes_that_resume_the_same_run_it_once(opens: Opens, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/g.db"
    first = await opens(agreeing(WIPE), store=open_store(url))
    await first.go()
    memory = dict(first.setting.memory)
    first.decide("approve")
    second = await opens(again=first, store=open_store(url), memory=memory)
    await first.resume()
    await calmly(second.resume())
    await calmly(second.replay())
    assert first.ran == [RAN]


@pytest.mark.parametrize(("door", "way"), ODD)
async def test_samples_that_would_agree_by_now_do_not_overrule_a_rejection(opens: Opens) -> None:
    drawn: list[int] = []

    def sample(number: int) -> Turn:
        drawn.append(number)
        return plan("pay", amount=10 if len(drawn) > 60 else 20 + len(drawn), to="bob")

    script = splitting(plan("pay", amount=10, to="bob"), sample)
    conversation = await opens(script, policy=rules("high", tiers={"high": {"max_retries": 0}}))
    await conversation.go()
    assert len(conversation.waiting) == 1
    drawn.extend(range(100))
    paid, said = conversation.setting.served.requests, summaries(conversation.records)
    conversation.decide("reject")
    await conversation.resume()
    assert conversation.setting.served.requests == paid
    assert summaries(conversation.records) == said
    await calmly(conversation.replay())
    assert conversation.ran == []


@pytest.mark.parametrize(("door", "way"), EVEN)
async def test_nothing_runs_as_long_as_nobody_decides(opens: Opens) -> None:
    conversation = await opens(agreeing(WIPE))
    await conversation.go()
    await calmly(conversation.resume())
    await calmly(conversation.resume())
    assert conversation.ran == []
    assert len(conversation.waiting) == 1
    conversation.decide("approve")
    await conversation.resume()
    assert conversation.ran == [RAN]


ANSWERS: list[tuple[str, dict[str, Any], list[Any]]] = [
    ("approve", {}, [RAN]),
    ("edit", {"arguments": {"account": "a2"}}, [("wipe", {"account": "a2"})]),
    ("reject", {"message": "no"}, []),
    ("respond", {"message": "by hand"}, []),
]


@pytest.mark.parametrize(("kind", "said", "ran"), ANSWERS, ids=[one[0] for one in ANSWERS])
@pytest.mark.parametrize(("door", "way"), ODD)
async def test_the_frameworks_own_answer_is_a_decision_of_the_queue(
    opens: Opens, kind: str, said: Any, ran: list[Any]
) -> None:
    conversation = await opens(agreeing(WIPE))
    await conversation.go()
    await conversation.answer(kind, **said)
    assert conversation.ran == ran
    (review,) = conversation.reviews
    assert review.state is ReviewState.DONE
    assert review.decision is not None
    assert review.decision.type == kind
    assert conversation.final == "done"
