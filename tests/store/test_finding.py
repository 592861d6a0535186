"""Lists of reviews by filter and page, and by deadline: what every store does."""

from __future__ import annotations

import base64
from dataclasses import replace
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.errors import StoreError
from guardrail.store import SQLiteStore, Store, sqlite_lists
from guardrail.store.sqlite_lists import statement
from guardrail.types import Claim, Review, ReviewFilter, ReviewState, Tier, ToolCall
from tests.support.records import refund, review

WAITING = frozenset({ReviewState.PENDING, ReviewState.CLAIMED})


def _walk(store: Store, wanted: ReviewFilter, limit: int) -> list[str]:
    found: list[str] = []
    after = ""
    while True:
        page = store.find_reviews(wanted, limit=limit, after=after)
        assert len(page.reviews) <= limit
        found += [one.id for one in page.reviews]
        if not page.after:
            return found
        assert len(page.reviews) == limit
        after = page.after


def _ids(store: Store, **wanted: Any) -> list[str]:
    return [one.id for one in store.find_reviews(ReviewFilter(**wanted)).reviews]


def test_the_highest_priority_comes_first_and_then_the_oldest_and_then_the_first_added(store: Store) -> None:
    for identity, priority, at in (
        ("rev-000001", 0, "2026-01-01T00:00:00Z"),
        ("rev-000002", 5, "2026-01-01T00:00:02Z"),
        ("rev-000003", 5, "2026-01-01T01:00:01+01:00"),
        ("rev-000005", 0, "2026-01-01T00:00:00Z"),
        ("rev-000004", 0, "2026-01-01T00:00:00Z"),
        ("rev-000006", -1, "2025-01-01T00:00:00Z"),
    ):
        store.add_review(replace(review(identity, at=at), priority=priority))
    assert _ids(store) == ["rev-000003", "rev-000002", "rev-000001", "rev-000005", "rev-000004", "rev-000006"]


def _various(number: int) -> Review:
    """Reviews that differ in everything that a list may ask for."""
    state = [*ReviewState][number % 8]
    return replace(
        review(
            f"rev-{number:06}",
            thread_id=f"t{number % 3}",
            record_id=f"rec-{number % 4:06}",
            at=f"2026-01-01T00:00:{number * 7 % 60:02}Z",
            call=replace(refund(), name=("refund", "pay", "cut \ud83d")[number % 3]),
        ),
        state=state,
        tier=[*Tier][number // 3 % 4],
        tenant="b" if number % 5 == 0 else "",
        requester=f"agent {number % 2}",
        claim=Claim(by=("ana", "bo")[number % 2], until="2026-01-01T01:00:00Z") if number % 4 else None,
        due=f"2026-01-01T0{number % 7}:00:00+01:00" if number % 3 else "",
        priority=number % 4 - 1,
    )


_optional = {
    "states": st.sets(st.sampled_from(ReviewState)).map(frozenset),
    "tiers": st.sets(st.sampled_from(Tier)).map(frozenset),
    "tool": st.sampled_from(["refund", "pay", "cut \ud83d", "cut \\ud83d", "' OR 1=1 --"]),
    "thread_id": st.sampled_from(["t0", "t1", "%"]),
    "record_id": st.sampled_from(["rec-000000", "rec-000003", "rec-"]),
    "requester": st.sampled_from(["agent 0", "agent 1", ""]),
    "claimed_by": st.sampled_from(["ana", "bo", ""]),
    "due_before": st.sampled_from(["2026-01-01T02:00:00Z", "2026-01-01T05:00:00+01:00", "2027-01-01", "2025-01-01"]),
}


def _expected(reviews: list[Review], wanted: ReviewFilter) -> list[str]:
    def holds(one: Review) -> bool:
        hour = int(one.due[11:13]) - 1 if one.due else 99
        end = {"2026-01-01T02:00:00Z": 2, "2026-01-01T05:00:00+01:00": 4, "2027-01-01": 24, "2025-01-01": -9}
        return (
            one.tenant == wanted.tenant
            and (wanted.states is None or one.state in wanted.states)
            and (wanted.tiers is None or one.tier in wanted.tiers)
            and (wanted.tool is None or one.call.name == wanted.tool)
            and (wanted.thread_id is None or one.thread_id == wanted.thread_id)
            and (wanted.record_id is None or one.record_id == wanted.record_id)
            and (wanted.requester is None or one.requester == wanted.requester)
            and (wanted.claimed_by is None or (one.claim is not None and one.claim.by == wanted.claimed_by))
            and (wanted.due_before is None or hour < end[wanted.due_before])
        )

    order = sorted(range(len(reviews)), key=lambda number: (-reviews[number].priority, reviews[number].at, number))
    return [reviews[number].id for number in order if holds(reviews[number])]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    asked=st.fixed_dictionaries({}, optional=_optional), tenant=st.sampled_from(["", "b", "c"]), limit=st.integers(1, 9)
)
def test_pages_have_exactly_what_is_wanted_in_order(
    store: Store, asked: dict[str, Any], tenant: str, limit: int
) -> None:
    reviews = [_various(number) for number in range(48)]
    if not store.find_reviews(ReviewFilter(), limit=1).reviews:
        for one in reviews:
            store.add_review(one)
    wanted = ReviewFilter(tenant=tenant, **asked)
    assert _walk(store, wanted, limit) == _expected(reviews, wanted)


def test_a_list_follows_every_change(store: Store) -> None:
    store.add_review(review())
    claimed = replace(
        review(),
        state=ReviewState.CLAIMED,
        revision=1,
        claim=Claim(by="ana", until="2026-01-02T04:00:00Z"),
        priority=7,
        due="2026-01-03T00:00:00Z",
    )
    store.compare_and_set(claimed)
    assert store.find_reviews(ReviewFilter(states=frozenset({ReviewState.PENDING}))).reviews == ()
    for wanted in (
        ReviewFilter(states=frozenset({ReviewState.CLAIMED})),
        ReviewFilter(claimed_by="ana"),
        ReviewFilter(due_before="2026-01-03T00:00:01Z"),
    ):
        assert store.find_reviews(wanted).reviews == (claimed,)
    assert store.find_reviews(ReviewFilter(due_before="2026-01-03T00:00:00Z")).reviews == ()


def test_what_is_added_while_somebody_pages_neither_repeats_nor_hides_anything(store: Store) -> None:
    for number in range(6):
        store.add_review(review(f"rev-{number:06}"))
    first = store.find_reviews(ReviewFilter(), limit=3)
    store.add_review(replace(review("rev-urgent"), priority=9))
    store.add_review(review("rev-later1"))
    rest = store.find_reviews(ReviewFilter(), limit=9, after=first.after)
    assert [one.id for one in rest.reviews] == ["rev-000003", "rev-000004", "rev-000005", "rev-later1"]


def test_a_page_of_nothing_has_no_end(store: Store) -> None:
    store.add_review(review())
    for limit in (0, -1):
        assert store.find_reviews(ReviewFilter(), limit=limit) == store.find_reviews(ReviewFilter(tenant="none"))


@pytest.mark.parametrize("bad", ["x", "AAAA", "é", "\ud83d", "' OR 1=1", "A" * 4000, "=", "bnVsbA"])
def test_a_place_that_no_page_named_is_refused(store: Store, bad: str) -> None:
    with pytest.raises(StoreError, match="no place in this list"):
        store.find_reviews(ReviewFilter(), after=bad)


def test_a_place_of_another_list_or_one_that_was_changed_is_refused(store: Store) -> None:
    for number in range(3):
        store.add_review(review(f"rev-{number:06}"))
    wanted = ReviewFilter(states=WAITING, tiers=frozenset(Tier))
    after = store.find_reviews(wanted, limit=1).after
    assert store.find_reviews(replace(wanted, states=frozenset(sorted(WAITING))), limit=1, after=after).reviews
    for other in (ReviewFilter(), replace(wanted, tenant="b"), replace(wanted, tool="refund")):
        with pytest.raises(StoreError, match="no place in this list"):
            store.find_reviews(other, limit=1, after=after)
    text = base64.urlsafe_b64decode(after + "=" * (-len(after) % 4))
    changed = base64.urlsafe_b64encode(text.replace(b"[0,", b"[1,")).decode().rstrip("=")
    with pytest.raises(StoreError, match="no place in this list"):
        store.find_reviews(wanted, limit=1, after=changed)


@pytest.mark.parametrize("change", [{"priority": 2**31}, {"priority": -(2**40)}, {"due": "soon"}, {"escalate_at": "x"}])
def test_what_no_list_could_order_is_refused(store: Store, change: dict[str, Any]) -> None:
    with pytest.raises(StoreError, match=r"priority|ISO 8601"):
        store.add_review(replace(review(), **change))
    store.add_review(review())
    with pytest.raises(StoreError, match=r"priority|ISO 8601"):
        store.compare_and_set(replace(review(), revision=1, **change))
    assert store.reviews() == [review()]


def test_due_reviews_are_those_that_time_does_something_to(store: Store) -> None:
    for identity, change in {
        "rev-never1": {},
        "rev-second": {"due": "2026-01-01T02:00:00Z", "tenant": "b"},
        "rev-first1": {"due": "2026-01-01T09:00:00Z", "escalate_at": "2026-01-01T02:00:00+01:00"},
        "rev-escal1": {"due": "2026-01-01T05:00:00Z", "escalate_at": "2026-01-01T01:00:00Z", "escalated": True},
        "rev-done01": {"due": "2026-01-01T01:00:00Z", "state": ReviewState.DONE},
        "rev-claim1": {"due": "2026-01-01T03:00:00Z", "state": ReviewState.CLAIMED},
    }.items():
        store.add_review(replace(review(identity), **change))
    due = [one.id for one in store.due_reviews("2026-01-01T03:00:00Z")]
    assert due == ["rev-first1", "rev-second", "rev-claim1"]
    assert [one.id for one in store.due_reviews("2026-01-02")] == [*due, "rev-escal1"]
    assert [one.id for one in store.due_reviews("2026-01-02", limit=1)] == ["rev-first1"]
    assert store.due_reviews("2026-01-01T00:59:59Z") == []


def test_due_reviews_follow_every_change(store: Store) -> None:
    store.add_review(replace(review(), due="2026-01-01T02:00:00Z", escalate_at="2026-01-01T01:00:00Z"))
    escalated = replace(store.review("rev-000001"), escalated=True, revision=1)
    store.compare_and_set(escalated)
    assert store.due_reviews("2026-01-01T01:30:00Z") == []
    assert store.due_reviews("2026-01-01T02:00:00Z") == [escalated]
    store.compare_and_set(replace(escalated, state=ReviewState.EXPIRED, revision=2))
    assert store.due_reviews("2027-01-01") == []


def test_no_list_reads_the_whole_table(path: Any) -> None:
    store = SQLiteStore(path)
    for number in range(40):
        store.add_review(_various(number))
    states = (None, WAITING, frozenset({ReviewState.DECIDED}))
    others = {
        "tool": (None, "pay"),
        "requester": (None, "agent 1"),
        "claimed_by": (None, "ana"),
        "thread_id": (None, "t1"),
        "record_id": (None, "rec-000001"),
        "due_before": (None, "2026-01-01T03:00:00Z"),
    }
    with store._database.read() as connection:
        for some, tiers, *rest in product(states, (None, frozenset({Tier.LOW})), *others.values()):
            wanted = ReviewFilter(states=some, tiers=tiers, **dict(zip(others, rest, strict=True)))
            query, given = statement(connection, wanted, None)
            plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", {**given, "limit": 51}).fetchall()
            steps = [step for *_, step in plan if "json_each" not in step]
            assert [step for step in steps if step.startswith("SCAN")] == ["SCAN found"], wanted
            few = {"thread_id", "record_id", "due_before"} & {
                n for n, value in vars(wanted).items() if value is not None
            }
            sorts = sum("TEMP B-TREE" in step for step in steps)
            assert few or sorts == 1, (wanted, steps)  # the page itself
    store.close()


def test_the_deadline_of_many_does_not_sort_them_all(path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_lists, "_FEW", 50)
    store = SQLiteStore(path)
    wanted = ReviewFilter(states=frozenset({ReviewState.PENDING, ReviewState.DONE}), due_before="2027-01-01")
    for number in range(62):
        state = ReviewState.PENDING if number < 60 else ReviewState.DONE
        store.add_review(replace(review(f"rev-{number:06}"), due="2026-01-01T00:00:00Z", state=state))
    with store._database.read() as connection:
        query, given = statement(connection, wanted, None)
        plan = connection.execute(f"EXPLAIN QUERY PLAN {query}", {**given, "limit": 51}).fetchall()
    for index in ("reviews_in_order", "reviews_by_due"):
        assert sum(index in step for *_, step in plan) == 1, plan  # of the other states and tiers nothing is due
    assert _walk(store, wanted, 7) == [f"rev-{number:06}" for number in range(62)]
    store.close()


def test_a_call_of_a_tool_without_a_name_is_listed(store: Store) -> None:
    store.add_review(review(call=ToolCall(name="", arguments={})))
    assert _ids(store, tool="") == ["rev-000001"]
