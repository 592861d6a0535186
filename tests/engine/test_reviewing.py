"""What the guard puts before people: by whom, until when, how urgent, and how many."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from guardrail import Guard
from guardrail.errors import NotFound, NotPermitted, TooManyReviews
from guardrail.policy import Policy
from guardrail.review import SUMMARY, Queue
from guardrail.sampling import ScriptedSampler
from guardrail.store import MemoryStore
from guardrail.types import PlanningStep, Principal, Review, ReviewFilter
from tests.engine.steps import GOOD, in_order, pay, step

RULES = {
    "tools": [
        {
            "match": "pay",
            "tier": "critical",
            "reviewers": {"roles": ["treasury"], "quorum": 2},
            "timeout": {"after": "15m", "escalate": "10m"},
        }
    ],
    "floods": {"open": 3},
}
NOW = datetime(2026, 1, 2, 4, tzinfo=UTC)


def _guard(store: MemoryStore, **more: str) -> Guard:
    sampler = ScriptedSampler(in_order([GOOD] * 100))
    return Guard(Policy.parse(RULES), sampler, store, now=lambda: NOW, **more)


def _asked(store: MemoryStore, one: PlanningStep, **more: str) -> Review:
    verdict = _guard(store, **more).assess(one)
    return store.review(verdict.verdicts[0].review_id)


def test_a_review_says_all_that_the_policy_asks_of_people() -> None:
    review = _asked(MemoryStore(), step(pay(10)), tenant="acme", requester="shop-bot")
    assert (review.tenant, review.requester, review.roles, review.quorum) == ("acme", "shop-bot", ("treasury",), 2)
    assert (review.due, review.escalate_at) == ("2026-01-02T04:15:00+00:00", "2026-01-02T04:10:00+00:00")
    assert review.rule == "tools[0]: pay"
    assert review.priority == 30


def test_without_a_word_in_the_policy_nothing_is_asked_of_people() -> None:
    store = MemoryStore()
    Guard(Policy.parse({"default": {"tier": "critical"}}), ScriptedSampler(in_order([GOOD] * 8)), store).assess(
        step(pay(10))
    )
    (review,) = store.reviews()
    assert (review.roles, review.quorum, review.due, review.escalate_at, review.tenant) == ((), 1, "", "", "")


def test_the_same_step_of_two_tenants_is_two_reviews() -> None:
    store = MemoryStore()
    ours = _asked(store, step(pay(10)), tenant="acme")
    theirs = _asked(MemoryStore(), step(pay(10)), tenant="other")
    assert ours.id != theirs.id
    assert ours.id != _asked(MemoryStore(), step(pay(10))).id
    with pytest.raises(NotFound):
        Queue(store, tenant="other").get(ours.id)


def test_an_agent_does_not_decide_on_its_own_calls() -> None:
    store = MemoryStore()
    review = _asked(store, step(pay(10)), requester="shop-bot")
    with pytest.raises(NotPermitted):
        Queue(store).approve(review.id, by=Principal(name="Shop-Bot", roles=("treasury",)))


def test_a_flood_stops_the_agent_and_leaves_people_one_entry() -> None:
    store = MemoryStore()
    for n in range(3):
        _asked(store, step(pay(10), id=f"m{n}"), requester="shop-bot")
    for n in range(3, 9):
        with pytest.raises(TooManyReviews, match="must not run: shop-bot has 3 calls before people"):
            _asked(store, step(pay(10), id=f"m{n}"), requester="shop-bot")
    assert [one.call.name for one in store.reviews()] == ["pay"] * 3 + [SUMMARY]
    assert len(store.records(limit=20)) == 9
    Queue(store).supersede(store.reviews()[0].id, by="guard", note="")
    assert _asked(store, step(pay(10), id="m8"), requester="shop-bot").requester == "shop-bot"


def test_a_step_over_the_limit_is_opened_by_none_of_its_calls() -> None:
    store = MemoryStore()
    calls = [pay(10, identity=f"c{n}") for n in range(4)]
    with pytest.raises(TooManyReviews):
        _asked(store, step(*calls), requester="shop-bot")
    assert store.find_reviews(ReviewFilter(requester="shop-bot")).reviews == ()
