"""The outbox of notifications. Each backend runs all of it."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from guardrail.errors import StoreError
from guardrail.store import Store, open_store
from guardrail.types import Notice, NoticeCount, NoticeEvent, NoticeState

NOW, THEN, LATER = (f"2026-01-02T00:0{minute}:00+00:00" for minute in (1, 2, 5))


def notice(number: int, *, channel: str = "ops", due: str = "2026-01-02T00:00:00+00:00", **more: object) -> Notice:
    given = {"id": f"notice-{number:04d}", "event": NoticeEvent.OPENED, "subject": f"review-{number}", **more}
    return Notice(channel=channel, at="2026-01-01T23:59:59+00:00", due=due, **given)


def claim(store: Store, *, channel: str = "ops", by: str = "me", now: str = NOW, most: int = 1) -> list[Notice]:
    return store.claim_notices(channel, by=by, now=now, until=THEN, most=most)


def settled(notices: list[Notice], state: NoticeState = NoticeState.SENT, **more: str) -> list[Notice]:
    return [replace(one, state=state, revision=one.revision + 1, **{"due": "", **more}) for one in notices]


def test_a_notice_is_kept_once_and_comes_back_unchanged(store: Store) -> None:
    hostile = notice(1, subject="' OR 1=1 --\x00\ud83d", tenant="null\x00byte")
    assert store.add_notices([hostile, notice(2), notice(2, tenant="other")]) == 2
    assert store.add_notices([notice(2, tenant="other"), notice(3)]) == 1
    assert store.add_notices([]) == 0
    assert store.notices() == [hostile, notice(2), notice(3)]


def test_a_claim_is_a_lease(store: Store) -> None:
    store.add_notices([notice(1)])
    (mine,) = claim(store)
    assert (mine.by, mine.due, mine.message, mine.attempts, mine.revision) == ("me", THEN, "notice-0001", 1, 1)
    assert claim(store, by="you") == []
    (again,) = claim(store, by="you", now=THEN)
    assert (again.by, again.message, again.attempts) == ("you", "notice-0001", 2)
    assert store.settle_notices(settled([mine])) is False, "the lease had run out, and somebody else has it"
    assert store.settle_notices(settled([again])) is True
    assert claim(store, now=LATER) == []


def test_notices_of_one_message_stay_together_however_often_it_is_tried(store: Store) -> None:
    store.add_notices([notice(number) for number in range(1, 6)])
    three = claim(store, most=3)
    assert [one.id for one in three] == ["notice-0001", "notice-0002", "notice-0003"]
    assert {one.message for one in three} == {"notice-0001"}
    assert [one.due for one in three] == [THEN, "", ""]
    two = claim(store, most=3)
    assert [one.id for one in two] == ["notice-0004", "notice-0005"]
    assert {one.message for one in two} == {"notice-0004"}
    assert claim(store, most=3) == []
    again = claim(store, now=LATER)
    assert [one.id for one in again] == [one.id for one in three], "most is about new messages"
    assert {one.message for one in again} == {"notice-0001"}
    some_dropped = [*settled(again[:1]), *settled(again[1:2], NoticeState.DROPPED), *settled(again[2:])]
    assert store.settle_notices(some_dropped) is True
    assert [one.id for one in claim(store, now=LATER)] == [one.id for one in two]


def test_settling_is_all_or_nothing(store: Store) -> None:
    store.add_notices([notice(1), notice(2)])
    both = claim(store, most=2)
    wrong = [settled(both)[0], replace(both[1], revision=9)]
    assert store.settle_notices(wrong) is False
    assert store.notices() == both


def test_a_failed_message_is_due_again_when_its_leader_says_so(store: Store) -> None:
    store.add_notices([notice(1), notice(2)])
    both = claim(store, most=2)
    failed = [replace(one, revision=one.revision + 1, error="500", due=LATER if one is both[0] else "") for one in both]
    assert store.settle_notices(failed) is True
    assert claim(store, now=THEN, most=2) == []
    assert [one.attempts for one in claim(store, now=LATER)] == [2, 2]


def test_channels_are_apart_and_the_oldest_comes_first(store: Store) -> None:
    store.add_notices([notice(1, due="2026-01-02T00:00:30Z"), notice(2), notice(3, channel="other")])
    assert [one.id for one in claim(store)] == ["notice-0002"]
    assert [one.id for one in claim(store)] == ["notice-0001"]
    assert [one.id for one in claim(store, channel="other")] == ["notice-0003"]
    assert claim(store, channel="none") == []


def test_what_is_due_is_counted(store: Store) -> None:
    store.add_notices([notice(number) for number in range(5)])
    store.add_notices([notice(7, due=LATER)])
    assert store.due_notices("ops", now=NOW) == 5
    assert store.due_notices("ops", now=NOW, limit=3) == 3
    claim(store, most=2)
    assert store.due_notices("ops", now=LATER) == 4, "a message that is tried again is none of them"
    assert store.due_notices("other", now=NOW) == 0


def test_lists_and_counts(store: Store) -> None:
    store.add_notices([notice(1), notice(2), notice(3, channel="other")])
    store.settle_notices(settled(claim(store), NoticeState.DEAD, error="410"))
    assert [one.id for one in store.notices(channel="ops")] == ["notice-0001", "notice-0002"]
    assert [one.id for one in store.notices(state=NoticeState.DEAD)] == ["notice-0001"]
    assert [one.id for one in store.notices(limit=1, after="notice-0001")] == ["notice-0002"]
    assert store.notices(after="nothing of that id") == []
    oldest = "2026-01-01T23:59:59.000000+00:00"
    assert store.count_notices() == [
        NoticeCount(channel="ops", state=NoticeState.DEAD, count=1, oldest=oldest),
        NoticeCount(channel="ops", state=NoticeState.OWED, count=1, oldest=oldest),
        NoticeCount(channel="other", state=NoticeState.OWED, count=1, oldest=oldest),
    ]


def test_what_is_owed_is_never_forgotten(store: Store) -> None:
    store.add_notices([notice(number) for number in range(4)])
    store.settle_notices(settled(claim(store, most=3)))
    assert store.forget_notices("2026-01-01T00:00:00Z") == 0
    assert store.forget_notices(LATER, limit=2) == 2
    assert store.forget_notices(LATER) == 1
    assert [one.id for one in store.notices()] == ["notice-0003"]


def test_what_makes_no_sense_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="no time"):
        store.add_notices([notice(1, due="tomorrow")])
    with pytest.raises(StoreError, match="at least 1"):
        claim(store, most=0)
    assert store.notices() == []


def test_of_many_that_claim_at_once_each_has_others(url: str) -> None:
    first = open_store(url)
    stores = [first] * 4 if url == "memory://" else [first, *(open_store(url) for _ in range(3))]
    first.add_notices([notice(number) for number in range(60)])
    start = threading.Barrier(4)

    def work(store: Store) -> list[list[str]]:
        start.wait()
        found = []
        while taken := claim(store, by=str(id(store)), most=4):
            found.append([one.id for one in taken])
        return found

    with ThreadPoolExecutor(4) as pool:
        messages = [message for found in pool.map(work, stores) for message in found]
    ids = [name for message in messages for name in message]
    assert sorted(ids) == sorted(set(ids)) == [f"notice-{number:04d}" for number in range(60)]
    by_message: dict[str, list[str]] = {}
    for one in first.notices(limit=100):
        by_message.setdefault(one.message, []).append(one.id)
    assert sorted(map(sorted, by_message.values())) == sorted(map(sorted, messages))
    for store in {id(one): one for one in stores}.values():
        store.close()
