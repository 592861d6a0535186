"""Time only ever rejects; before that it raises a review in the list."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from guardrail.errors import ReviewConflict
from guardrail.review import Queue, priority
from guardrail.review.deadlines import swept
from guardrail.store import MemoryStore, SQLiteStore
from guardrail.types import DecisionType, ReviewState, Tier
from tests.review.queues import ANA, BEN, DIGEST, ID, Desk
from tests.support.records import review

S = ReviewState


@pytest.fixture(params=["memory", "sqlite"])
def desk(request: pytest.FixtureRequest, tmp_path):
    store = MemoryStore() if request.param == "memory" else SQLiteStore(tmp_path / "guardrail.db")
    desk = Desk(store=store)
    desk.open(due=desk.clock.after(600), escalate_at=desk.clock.after(300), priority=20)
    yield desk
    store.close()


def test_a_deadline_rejects(desk: Desk) -> None:
    desk.clock.move(600)
    (expired,) = desk.queue.sweep()
    assert expired.state is S.EXPIRED
    assert expired.decision is not None
    assert (expired.decision.type, expired.decision.by) == (DecisionType.REJECT, "deadline")
    assert "which counts as a refusal" in expired.decision.message
    assert expired.history[-1].by == "deadline"
    assert desk.queue.sweep() == []
    assert desk.queue.get(ID) == expired
    assert desk.store.record("rec-000001").labels == ()
    with pytest.raises(ReviewConflict):
        desk.queue.begin(ID, digest=DIGEST, by="worker")
    assert desk.queue.finish(ID, by="worker").state is S.DONE


@pytest.mark.parametrize("act", ["approve", "reject", "claim"])
def test_nobody_decides_after_the_deadline_even_unswept(desk: Desk, act: str) -> None:
    desk.queue.claim(ID, by=ANA)
    desk.clock.move(600)
    with pytest.raises(ReviewConflict, match="it has expired, which is a reject"):
        getattr(desk.queue, act)(ID, by=ANA)
    assert desk.queue.get(ID).state is S.EXPIRED
    with pytest.raises(ReviewConflict, match="is expired since"):
        getattr(desk.queue, act)(ID, by=ANA)


def test_a_moment_before_is_in_time(desk: Desk) -> None:
    desk.clock.move(599.9)
    assert desk.queue.approve(ID, by=ANA).state is S.DECIDED
    desk.clock.move(10)
    assert desk.queue.sweep() == []
    assert desk.queue.begin(ID, digest=DIGEST, by="worker").state is S.EXECUTING


def test_escalation_comes_once_and_raises_it(desk: Desk) -> None:
    assert desk.queue.sweep() == []
    desk.queue.claim(ID, by=ANA, lease=600)
    desk.clock.move(300)
    (escalated,) = desk.queue.sweep()
    assert (escalated.escalated, escalated.state, escalated.priority) == (True, S.CLAIMED, 35)
    assert escalated.claim is not None
    assert swept(escalated, desk.clock.now) is None
    assert desk.queue.sweep() == []
    assert desk.queue.approve(ID, by=ANA).escalated


def test_what_nobody_swept_in_time_expires_at_once(desk: Desk) -> None:
    desk.clock.move(10_000)
    (expired,) = desk.queue.sweep()
    assert (expired.state, expired.escalated) == (S.EXPIRED, False)


def test_a_sweep_of_another_time(desk: Desk) -> None:
    at = desk.clock.now
    desk.clock.move(10_000)
    assert desk.queue.sweep(at) == []


def test_a_sweep_is_of_all_tenants_and_tells_of_its_own(desk: Desk) -> None:
    theirs = Queue(desk.store, tenant="other", clock=desk.clock)
    theirs.open(replace(review("rev-theirs"), tenant="other", due=desk.clock.after(600)))
    desk.clock.move(600)
    assert [one.id for one in theirs.sweep()] == ["rev-theirs"]
    assert desk.queue.get(ID).state is S.EXPIRED


def test_many_are_swept_and_those_without_a_deadline_stay(desk: Desk) -> None:
    for n in range(600):
        desk.open(f"rev-many-{n:04}", due=desk.clock.after(10 + n % 7) if n % 6 else "")
    assert len({one.id for one in desk.queue.waiting()}) == 601
    assert len(desk.queue.waiting(limit=550)) == 550
    desk.clock.move(60)
    assert len(desk.queue.sweep()) == 500
    assert len(desk.queue.waiting()) == 101


def test_several_sweep_at_once_and_each_review_changes_once(desk: Desk) -> None:
    for n in range(20):
        desk.open(f"rev-many-{n:04}", due=desk.clock.after(10))
    desk.clock.move(60)
    with ThreadPoolExecutor(8) as pool:
        changed = [one.id for found in pool.map(lambda _: desk.queue.sweep(), range(8)) for one in found]
    assert sorted(changed) == [f"rev-many-{n:04}" for n in range(20)]
    assert all(desk.queue.get(one).revision == 1 for one in changed)


def test_a_decision_and_the_deadline_race_and_one_of_them_wins(desk: Desk) -> None:
    for n in range(20):
        identity = f"rev-race-{n:04}"
        desk.open(identity, due=desk.clock.after(10))
        later = desk.clock.now.replace(minute=30)

        def decide(identity: str = identity) -> bool:
            try:
                desk.queue.approve(identity, by=BEN)
            except ReviewConflict:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            decided, sweeping = pool.submit(decide), pool.submit(desk.queue.sweep, later)
            won = decided.result()
            sweeping.result()
        assert (desk.queue.get(identity).state is S.DECIDED) is won


def test_the_list_is_by_stakes_then_age(desk: Desk) -> None:
    for identity, tier, at in (
        ("rev-low-01", Tier.LOW, "2026-01-01T00:00:00Z"),
        ("rev-high-2", Tier.HIGH, "2026-01-02T00:00:02Z"),
        ("rev-high-1", Tier.HIGH, "2026-01-02T00:00:01Z"),
        ("rev-crit-1", Tier.CRITICAL, "2026-01-02T00:00:03Z"),
    ):
        desk.queue.open(replace(review(identity, at=at), tier=tier, priority=priority(tier)))
    assert [one.id for one in desk.queue.find().reviews] == ["rev-crit-1", "rev-high-1", "rev-high-2", ID, "rev-low-01"]
    desk.clock.move(300)
    desk.queue.sweep()
    assert desk.queue.find().reviews[0].id == ID


def test_a_quorum_that_is_not_complete_expires(desk: Desk) -> None:
    desk.open("rev-two-01", due=desk.clock.after(10), quorum=2)
    desk.queue.approve("rev-two-01", by=ANA)
    desk.clock.move(10)
    (expired,) = desk.queue.sweep()
    assert expired.decision.type is DecisionType.REJECT
    with pytest.raises(ReviewConflict):
        desk.queue.approve("rev-two-01", by=BEN)


def test_an_approval_that_is_not_used_in_time_lets_nothing_run() -> None:
    desk = Desk()
    desk.open(use_within=60.0)
    desk.queue.approve(ID, by=ANA)
    desk.clock.move(60)
    with pytest.raises(ReviewConflict, match=r"had to be used before .* have the agent plan the call again"):
        desk.queue.begin(ID, digest=DIGEST, by="worker")
    closed = desk.queue.get(ID)
    assert (closed.state, closed.history[-1].by) == (S.SUPERSEDED, "deadline")
    with pytest.raises(ReviewConflict):
        desk.queue.begin(ID, digest=DIGEST, by="worker")


def test_an_approval_that_is_used_in_time_runs_and_may_take_as_long_as_it_takes() -> None:
    desk = Desk()
    desk.open(use_within=60.0)
    desk.queue.approve(ID, by=ANA)
    desk.clock.move(59.9)
    assert desk.queue.begin(ID, digest=DIGEST, by="worker").state is S.EXECUTING
    desk.clock.move(3600)
    assert desk.queue.finish(ID, by="worker").state is S.DONE


def test_an_approval_that_cannot_be_dated_lets_nothing_run() -> None:
    desk = Desk()
    desk.open(use_within=60.0)
    approved = desk.queue.approve(ID, by=ANA)
    assert approved.decision is not None
    desk.store.compare_and_set(
        replace(approved, decision=replace(approved.decision, at="soon"), revision=approved.revision + 1)
    )
    with pytest.raises(ReviewConflict, match="a time that cannot be read"):
        desk.queue.begin(ID, digest=DIGEST, by="worker")
