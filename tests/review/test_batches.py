"""Several at once: only low-tier calls that are equal, each decided for itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guardrail.errors import InvalidDecision, NotFound, NotPermitted, ReviewConflict
from guardrail.types import Decision, DecisionType, ReviewState, Tier
from tests.review.queues import ANA, BEN, BOT, STRANGER, Desk
from tests.support.records import refund

IDS = ["rev-batch-1", "rev-batch-2", "rev-batch-3"]
APPROVE = Decision(type=DecisionType.APPROVE, by="ana", at="2026-01-02T04:00:00Z")


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    for identity in IDS:
        desk.open(identity, tier=Tier.LOW)
    return desk


def _states(desk: Desk) -> list[ReviewState]:
    return [desk.queue.get(identity).state for identity in IDS]


def test_equal_low_calls_are_decided_together(desk: Desk) -> None:
    outcomes = desk.queue.decide_all(IDS, APPROVE, by=ANA)
    assert [(one.review_id, one.error) for one in outcomes] == [(identity, None) for identity in IDS]
    assert _states(desk) == [ReviewState.DECIDED] * 3


@pytest.mark.parametrize(
    "other",
    [
        {"tier": Tier.MEDIUM},
        {"tier": Tier.CRITICAL},
        {"tier": Tier.LOW, "call": refund(101)},
        {"tier": Tier.LOW, "call": refund(100.0)},
        {"tier": Tier.LOW, "call": refund(100, note="")},
        {"tier": Tier.LOW, "call": replace(refund(), name="refund_all")},
    ],
)
def test_one_that_differs_refuses_the_whole(desk: Desk, other) -> None:
    desk.open("rev-other-1", **other)
    for ids in ([*IDS, "rev-other-1"], ["rev-other-1", *IDS]):
        with pytest.raises(InvalidDecision, match="decided together"):
            desk.queue.decide_all(ids, APPROVE, by=ANA)
    assert _states(desk) == [ReviewState.PENDING] * 3


@pytest.mark.parametrize(
    ("ids", "decision", "said"),
    [
        ([], APPROVE, "1 to 100"),
        (IDS * 34, APPROVE, "1 to 100"),
        ([IDS[0], IDS[0]], APPROVE, "twice"),
        (IDS, replace(APPROVE, type=DecisionType.EDIT, arguments=refund(1).arguments), "one by one"),
    ],
)
def test_what_is_no_batch(desk: Desk, ids: list[str], decision: Decision, said: str) -> None:
    with pytest.raises(InvalidDecision, match=said):
        desk.queue.decide_all(ids, decision, by=ANA)
    assert _states(desk) == [ReviewState.PENDING] * 3


def test_one_that_is_not_there_refuses_the_whole(desk: Desk) -> None:
    for ids, who in (([*IDS, "rev-none-1"], ANA), (IDS, STRANGER)):
        with pytest.raises(NotFound):
            desk.queue.decide_all(ids, APPROVE, by=who)
    assert _states(desk) == [ReviewState.PENDING] * 3


def test_each_is_decided_for_itself(desk: Desk) -> None:
    desk.queue.reject(IDS[0], by=BEN)
    desk.queue.claim(IDS[1], by=BEN)
    first, second, third = desk.queue.decide_all(IDS, APPROVE, by=ANA, seen_digests={IDS[2]: "digest of the call"})
    assert isinstance(first.error, ReviewConflict)
    assert isinstance(second.error, ReviewConflict)
    assert third.review is not None
    assert _states(desk) == [ReviewState.DECIDED, ReviewState.CLAIMED, ReviewState.DECIDED]


def test_a_batch_is_no_way_around_the_rules(desk: Desk) -> None:
    assert {type(one.error) for one in desk.queue.decide_all(IDS, APPROVE, by=BOT)} == {NotPermitted}
    seen = dict.fromkeys(IDS, "another digest")
    assert {type(one.error) for one in desk.queue.decide_all(IDS, APPROVE, by=ANA, seen_digests=seen)} == {
        ReviewConflict
    }
    assert _states(desk) == [ReviewState.PENDING] * 3
