"""An agent that asks for more decisions than it may is refused; people get one entry, and nobody else is held up."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from guardrail.errors import InvalidDecision, ReviewConflict, TooManyReviews
from guardrail.policy import Floods
from guardrail.review import SUMMARY, Queue
from guardrail.store import SQLiteStore
from guardrail.types import DecisionType, Review, ReviewFilter, ReviewState
from tests.review.queues import Desk
from tests.support.records import refund, review

THREE = Floods(open=3)


def _ask(queue: Queue, n: int, limits: Floods, *, requester: str = "bot", tenant: str = "") -> Review:
    asked = replace(review(f"rev-{requester}-{n:04}"), requester=requester, tenant=tenant)
    return queue.open(asked, floods=limits)


def _summaries(queue: Queue) -> list[Review]:
    return [one for one in queue.find().reviews if one.call.name == SUMMARY]


def test_so_many_wait_and_no_more() -> None:
    desk = Desk()
    for n in range(3):
        _ask(desk.queue, n, THREE)
    for n in range(3, 30):
        with pytest.raises(TooManyReviews, match=r"must not run: bot has 3 calls before people \(at most 3\)"):
            _ask(desk.queue, n, THREE)
    assert len(desk.queue.waiting()) == 4
    (summary,) = _summaries(desk.queue)
    assert "bot has 3 calls" in summary.why
    assert desk.queue.find().reviews[0] == summary
    desk.queue.reject("rev-bot-0000", by="ana")
    assert _ask(desk.queue, 3, THREE).state is ReviewState.PENDING


def test_a_review_that_is_there_is_not_counted_again() -> None:
    desk = Desk()
    for _ in range(3):
        for n in range(3):
            _ask(desk.queue, n, Floods(open=3, per_hour=3))
    assert len(desk.queue.waiting()) == 3


def test_others_are_not_held_up() -> None:
    desk = Desk()
    theirs = Queue(desk.store, tenant="other", clock=desk.clock)
    limits = Floods(open=1, per_hour=1)
    _ask(desk.queue, 0, limits)
    with pytest.raises(TooManyReviews):
        _ask(desk.queue, 1, limits)
    _ask(desk.queue, 0, limits, requester="")
    _ask(desk.queue, 0, limits, requester="another")
    _ask(theirs, 1, limits, tenant="other")
    assert _summaries(theirs) == []


def test_within_any_hour() -> None:
    desk = Desk()
    limits = Floods(per_hour=2)
    _ask(desk.queue, 0, limits)
    desk.clock.move(1800)
    _ask(desk.queue, 1, limits)
    desk.queue.reject("rev-bot-0001", by="ana")
    with pytest.raises(TooManyReviews, match="asked for 2 decisions within an hour"):
        _ask(desk.queue, 2, limits)
    desk.clock.move(1800)
    _ask(desk.queue, 2, limits)
    with pytest.raises(TooManyReviews):
        _ask(desk.queue, 3, limits)


def test_a_step_is_opened_whole_or_not() -> None:
    desk = Desk()
    step = [replace(review(f"rev-step-{n}"), requester="bot") for n in range(4)]
    for limits in (THREE, Floods(per_hour=3)):
        with pytest.raises(TooManyReviews):
            desk.queue.open_all(step, floods=limits)
        assert desk.queue.find(ReviewFilter(requester="bot")).reviews == ()
    assert len(desk.queue.open_all(step[:3], floods=Floods(open=3, per_hour=3))) == 3
    assert len(desk.queue.open_all(step)) == 4


def test_one_entry_an_hour_which_can_only_be_closed() -> None:
    desk = Desk()
    limits = Floods(open=1)
    _ask(desk.queue, 0, limits)
    for _ in range(3):
        for n in range(1, 5):
            with pytest.raises(TooManyReviews):
                _ask(desk.queue, n, limits)
        desk.clock.move(3600)
    first, *more = _summaries(desk.queue)
    assert len(more) == 2
    for use in (
        lambda: desk.queue.approve(first.id, by="ana"),
        lambda: desk.queue.edit(first.id, by="ana", arguments=refund().arguments),
    ):
        with pytest.raises(InvalidDecision, match="allowed: reject"):
            use()
    decided = desk.queue.reject(first.id, by="ana", message="stopped it")
    assert decided.decision.type is DecisionType.REJECT
    with pytest.raises(ReviewConflict):
        desk.queue.begin(first.id, digest=first.digest, by="worker")


def test_the_hour_is_exact_for_many_at_once(tmp_path) -> None:
    desk = Desk(store=SQLiteStore(tmp_path / "guardrail.db"))
    limits = Floods(per_hour=10)

    def ask(n: int) -> bool:
        try:
            _ask(desk.queue, n, limits)
        except TooManyReviews:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(24))) == 10
    assert len(desk.queue.find(ReviewFilter(requester="bot")).reviews) == 10
    desk.store.close()
