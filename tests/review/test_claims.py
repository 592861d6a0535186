"""A claim is a lease: nobody else decides while it holds, and it ends by itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from guardrail.errors import InvalidDecision, ReviewConflict
from guardrail.types import Claim, ReviewState
from tests.review.queues import ANA, BEN, BOSS, ID, Desk

S = ReviewState


@pytest.fixture
def desk() -> Desk:
    desk = Desk()
    desk.open()
    return desk


def test_a_claim_holds_others_off_and_says_who_and_until_when(desk: Desk) -> None:
    claimed = desk.queue.claim(ID, by=ANA, lease=60)
    assert (claimed.state, claimed.claim) == (S.CLAIMED, Claim(by="ana", until=desk.clock.after(60)))
    for use in (
        lambda: desk.queue.claim(ID, by=BEN),
        lambda: desk.queue.approve(ID, by=BEN),
        lambda: desk.queue.reject(ID, by=BEN),
        lambda: desk.queue.release(ID, by=BEN),
        lambda: desk.queue.approve(ID, by=BEN, override=True),
        lambda: desk.queue.claim(ID, by=BEN, override=True),
    ):
        with pytest.raises(ReviewConflict, match=r"claimed by ana until 2026-01-02T04:01:00"):
            use()
    assert desk.queue.get(ID) == claimed
    decided = desk.queue.approve(ID, by=ANA)
    assert (decided.state, decided.claim) == (S.DECIDED, None)


def test_a_claim_that_ran_out_is_free(desk: Desk) -> None:
    desk.queue.claim(ID, by=ANA, lease=60)
    desk.clock.move(60)
    assert desk.queue.claim(ID, by=BEN).claim == Claim(by="ben", until=desk.clock.after(300))
    with pytest.raises(ReviewConflict, match="by ben"):
        desk.queue.approve(ID, by=ANA)
    desk.clock.move(301)
    assert desk.queue.approve(ID, by=ANA).state is S.DECIDED


def test_the_role_may_pass_over_a_claim_if_it_says_so(desk: Desk) -> None:
    desk.queue.claim(ID, by=ANA)
    with pytest.raises(ReviewConflict, match="claimed by ana"):
        desk.queue.reject(ID, by=BOSS)
    assert desk.queue.claim(ID, by=BOSS, override=True).claim.by == "boss"
    assert desk.queue.release(ID, by=BOSS).state is S.PENDING
    desk.queue.claim(ID, by=ANA)
    assert desk.queue.reject(ID, by=BOSS, override=True).state is S.DECIDED


def test_release_gives_it_back(desk: Desk) -> None:
    desk.queue.claim(ID, by=ANA)
    released = desk.queue.release(ID, by=ANA)
    assert (released.state, released.claim) == (S.PENDING, None)
    assert desk.queue.release(ID, by=ANA) == released
    assert [event.note for event in released.history] == ["", "released"]
    assert desk.queue.approve(ID, by=BEN).state is S.DECIDED


def test_one_renews_ones_own(desk: Desk) -> None:
    first = desk.queue.claim(ID, by=ANA, lease=60)
    desk.clock.move(50)
    renewed = desk.queue.renew(ID, by=ANA, lease=60)
    assert renewed.claim == Claim(by="ana", until=desk.clock.after(60))
    assert renewed.history == first.history
    desk.clock.move(100)
    assert desk.queue.renew(ID, by=ANA).claim.until == desk.clock.after(300)
    with pytest.raises(ReviewConflict, match="claim it first"):
        desk.queue.renew(ID, by=BEN)
    desk.queue.release(ID, by=ANA)
    with pytest.raises(ReviewConflict, match="claim it first"):
        desk.queue.renew(ID, by=ANA)


@pytest.mark.parametrize("lease", [0, -1, 3601, float("nan"), float("inf")])
def test_a_lease_has_bounds(desk: Desk, lease: float) -> None:
    with pytest.raises(InvalidDecision, match="a claim lasts"):
        desk.queue.claim(ID, by=ANA, lease=lease)


def test_what_is_decided_cannot_be_claimed(desk: Desk) -> None:
    desk.queue.reject(ID, by=BEN)
    for use in (lambda: desk.queue.claim(ID, by=ANA), lambda: desk.queue.release(ID, by=ANA)):
        with pytest.raises(ReviewConflict, match="reject by ben"):
            use()


def test_a_claim_whose_end_cannot_be_read_holds_nobody_off(desk: Desk) -> None:
    claimed = desk.queue.claim(ID, by=ANA)
    desk.store.compare_and_set(replace(claimed, claim=Claim(by="ana", until="soon"), revision=claimed.revision + 1))
    assert desk.queue.approve(ID, by=BEN).state is S.DECIDED


def test_comments_are_kept_and_decide_nothing(desk: Desk) -> None:
    desk.queue.claim(ID, by=ANA)
    desk.queue.comment(ID, by=BEN, text="the customer called")
    desk.queue.approve(ID, by=ANA)
    after = desk.queue.comment(ID, by=BEN, text="thanks")
    assert [(one.by, one.text) for one in after.comments] == [("ben", "the customer called"), ("ben", "thanks")]
    assert after.state is S.DECIDED
    assert after.history[-1].note == "commented"


@pytest.mark.parametrize(("text", "said"), [(" \n", "needs words"), ("x" * 5001, "limit is 5000"), ("\ud800", "half")])
def test_a_comment_has_bounds(desk: Desk, text: str, said: str) -> None:
    with pytest.raises(InvalidDecision, match=said):
        desk.queue.comment(ID, by=ANA, text=text)


def test_a_review_takes_so_many_comments(desk: Desk) -> None:
    for n in range(200):
        desk.queue.comment(ID, by=ANA, text=str(n))
    with pytest.raises(InvalidDecision, match="takes no more"):
        desk.queue.comment(ID, by=ANA, text="one more")


def test_an_approval_is_of_what_was_seen(desk: Desk) -> None:
    for kind in (desk.queue.approve, desk.queue.reject):
        with pytest.raises(ReviewConflict, match="not the call that was shown"):
            kind(ID, by=ANA, seen_digest="another digest")
    assert desk.queue.approve(ID, by=ANA, seen_digest="digest of the call").state is S.DECIDED
