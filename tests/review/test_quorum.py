"""Four eyes: an approval takes as many different people as the review asks for, who agree to the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guardrail.errors import InvalidDecision, NotPermitted, ReviewConflict
from guardrail.review import Queue
from guardrail.types import DecisionType, Principal, ReviewState
from tests.review.queues import ANA, BEN, BOT, CAT, DIGEST, ID, Desk

S = ReviewState
TWENTY = {"order_id": "A-7", "amount": 20}


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.open(quorum=2, requester="rob")
    return desk


def _waits(queue: Queue, votes: int) -> None:
    review = queue.get(ID)
    assert (review.state, review.decision, len(review.votes)) == (S.PENDING, None, votes)
    with pytest.raises(ReviewConflict):
        queue.begin(ID, digest=DIGEST, by="worker")


def test_two_people_approve(desk: Desk) -> None:
    first = desk.queue.approve(ID, by=ANA)
    assert first.history[-1].note == "voted approve; 1 more of the same needed"
    _waits(desk.queue, 1)
    assert desk.store.record("rec-000001").labels == ()
    decided = desk.queue.approve(ID, by=BEN)
    assert (decided.state, decided.decision.by, len(decided.votes)) == (S.DECIDED, "ben", 2)
    assert [label.correct for label in desk.store.record("rec-000001").labels] == [True]
    assert desk.queue.begin(ID, digest=DIGEST, by="worker").state is S.EXECUTING


@pytest.mark.parametrize("name", ["ana", "Ana ", "\u0430na", "an\u00e1"])
def test_one_person_is_one_vote(desk: Desk, name: str) -> None:
    desk.queue.approve(ID, by=ANA)
    desk.queue.approve(ID, by=Principal(name=name))
    desk.queue.approve(ID, by=name)
    _waits(desk.queue, 1)


def test_a_second_click_is_not_even_written(desk: Desk) -> None:
    first = desk.queue.approve(ID, by=ANA)
    assert desk.queue.approve(ID, by=ANA) == first


@pytest.mark.parametrize("kind", ["reject", "respond"])
def test_one_refusal_ends_it(desk: Desk, kind: str) -> None:
    desk.queue.approve(ID, by=ANA)
    decided = getattr(desk.queue, kind)(ID, by=BEN, message="no")
    assert (decided.state, decided.decision.type) == (S.DECIDED, DecisionType(kind))
    with pytest.raises(ReviewConflict):
        desk.queue.approve(ID, by=CAT)
    with pytest.raises(ReviewConflict):
        desk.queue.begin(ID, digest=DIGEST, by="worker")


def test_edits_add_up_only_to_the_same_arguments(desk: Desk) -> None:
    desk.queue.edit(ID, by=ANA, arguments=TWENTY)
    desk.queue.approve(ID, by=BEN)
    desk.queue.edit(ID, by=CAT, arguments={**TWENTY, "amount": 20.0})
    _waits(desk.queue, 3)
    decided = desk.queue.edit(ID, by=BEN, arguments={"amount": 20, "order_id": "A-7"})
    assert (decided.state, decided.decision.arguments) == (S.DECIDED, TWENTY)
    assert [vote.by for vote in decided.votes] == ["ana", "cat", "ben"]


def test_whoever_votes_again_takes_the_vote_back(desk: Desk) -> None:
    desk.queue.approve(ID, by=ANA)
    desk.queue.edit(ID, by=ANA, arguments=TWENTY)
    desk.queue.approve(ID, by=BEN)
    _waits(desk.queue, 2)
    assert desk.queue.approve(ID, by=CAT).state is S.DECIDED


def test_a_vote_ends_the_claim_so_that_the_next_can_look(desk: Desk) -> None:
    desk.queue.claim(ID, by=ANA)
    voted = desk.queue.approve(ID, by=ANA)
    assert (voted.state, voted.claim) == (S.PENDING, None)
    desk.queue.claim(ID, by=BEN)
    assert desk.queue.approve(ID, by=BEN).state is S.DECIDED


def test_votes_that_may_not_be_cast_do_not_count(desk: Desk) -> None:
    for who in (BOT, replace(ANA, name="Rob")):
        with pytest.raises(NotPermitted):
            desk.queue.approve(ID, by=who)
    with pytest.raises(InvalidDecision):
        desk.queue.edit(ID, by=ANA, arguments={"amount": "much"})
    _waits(desk.queue, 0)


@pytest.mark.parametrize("votes", [1, 2])
def test_a_row_that_was_tampered_with_does_not_run(desk: Desk, votes: int) -> None:
    """A decision without enough people's votes, as something that wrote past the queue would leave it."""
    voted = desk.queue.approve(ID, by=ANA)
    cast = (voted.votes[0], replace(voted.votes[0], by="Ana"))[:votes]
    forged = replace(voted, state=S.DECIDED, decision=cast[0], votes=cast, revision=voted.revision + 1)
    assert desk.store.compare_and_set(forged)
    with pytest.raises(ReviewConflict):
        desk.queue.begin(ID, digest=DIGEST, by="worker")
