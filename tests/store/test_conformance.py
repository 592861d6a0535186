"""What every store does. Each backend runs all of it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.errors import NotFound, StoreError
from guardrail.store import Store
from guardrail.types import ReviewState, ToolCall
from tests.support.records import label, record, refund, review

HOSTILE = [
    "' OR 1=1 --",
    "x'); DROP TABLE records; --",
    '"; DELETE FROM reviews',
    "%%%%%%%%",
    "________",
    "*?[a-z]*",
    "null\x00byte",
    "\u202efdp.exe",
    "zero\u200bwidth",
    "e\u0301 and \u00e9",
    "😀" * 8,
]


def test_a_record_comes_back_unchanged(store: Store) -> None:
    kept = record(labels=(label(), label(correct=False, note="second look")))
    assert store.add_record(kept) is True
    assert store.record(kept.id) == kept
    assert store.records() == [kept]


def test_a_record_is_never_overwritten(store: Store) -> None:
    store.add_record(record())
    assert store.add_record(record(thread_id="another", labels=(label(),))) is False
    assert store.record("rec-000001") == record()


def test_later_changes_to_a_kept_value_do_not_reach_the_store(store: Store) -> None:
    call = refund()
    store.add_record(record(call=call))
    store.add_review(review(call=call))
    call.arguments["amount"] = 1_000_000
    store.review("rev-000001").call.arguments["amount"] = 1_000_000
    assert store.record("rec-000001").verdict.verdicts[0].call == refund()
    assert store.review("rev-000001").call == refund()


def test_records_are_listed_newest_first_whatever_notation_their_time_has(store: Store) -> None:
    times = {
        "rec-second": "2026-01-01T12:00:00.5Z",
        "rec-first1": "2026-01-01T12:00:00Z",
        "rec-fourth": "2026-01-01T11:00:02-01:00",
        "rec-third1": "2026-01-01T13:00:01+01:00",
    }
    for identity, at in times.items():
        store.add_record(record(identity, at=at))
    assert [kept.id for kept in store.records()] == ["rec-fourth", "rec-third1", "rec-second", "rec-first1"]


def test_a_time_without_a_zone_is_utc(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        store.add_record(record("rec-older1", at="2026-01-01T12:00:00"))
        store.add_record(record("rec-newer1", at="2026-01-01T12:00:01Z"))
        store.add_record(record("rec-oldest", at="2026-01-01T11:59:59Z"))
        assert [kept.id for kept in store.records()] == ["rec-newer1", "rec-older1", "rec-oldest"]
    finally:
        monkeypatch.undo()
        time.tzset()


def test_records_of_one_moment_are_listed_last_added_first(store: Store) -> None:
    added = [f"rec-{n * 7919 % 100:06}" for n in range(12)]
    for identity in added:
        store.add_record(record(identity))
    assert [kept.id for kept in store.records()] == added[::-1]


def test_pages_of_records_meet_without_gap_or_repetition(store: Store) -> None:
    for n in range(10):
        store.add_record(record(f"rec-{n:06}", at=f"2026-01-01T00:00:0{n // 4}Z", thread_id=f"t{n % 2}"))
    pages: list[str] = []
    before = None
    while page := store.records(limit=3, before=before):
        pages += [kept.id for kept in page]
        before = pages[-1]
    assert pages == [kept.id for kept in store.records()]
    assert len(set(pages)) == 10
    in_thread = [kept.id for kept in store.records(thread_id="t1", limit=2, before="rec-000007")]
    assert in_thread == ["rec-000005", "rec-000003"]
    assert store.records(limit=0) == []


def test_listing_before_an_unknown_record_is_an_error(store: Store) -> None:
    with pytest.raises(NotFound):
        store.records(before="rec-000001")


@pytest.mark.parametrize("bad", ["yesterday", "", "2026-13-01", "' OR 1=1 --"])
def test_a_time_that_is_none_is_refused(store: Store, bad: str) -> None:
    with pytest.raises(StoreError, match="ISO 8601"):
        store.add_record(record(at=bad))
    with pytest.raises(StoreError, match="ISO 8601"):
        store.add_review(review(at=bad))
    assert store.records() == []


def test_ids_may_be_shortened_to_six_characters_where_unique(store: Store) -> None:
    for identity in ("abcdef111", "abcdef222", "abcdefg", "abcdef\U0001f600", "ABCDEF9"):
        store.add_record(record(identity))
        store.add_review(review(identity))
    for find in (store.record, store.review):
        assert find("abcdef1").id == "abcdef111"
        assert find("abcdefg").id == "abcdefg"
        assert find("ABCDEF").id == "ABCDEF9"
        with pytest.raises(NotFound, match="several"):
            find("abcdef")
        with pytest.raises(NotFound, match="6 characters"):
            find("abcde")
        with pytest.raises(NotFound, match="6 characters"):
            find("")
        with pytest.raises(NotFound, match="there is no"):
            find("abcdef3")


def test_ids_beyond_ascii_may_be_shortened(store: Store) -> None:
    store.add_record(record("añ日本語😀1"))
    assert store.record("añ日本語😀").id == "añ日本語😀1"
    with pytest.raises(NotFound):
        store.record("añ日本語z")


def test_a_whole_id_wins_over_longer_ones_that_begin_with_it(store: Store) -> None:
    for identity in ("abcdef", "abcdef1", "ab"):
        store.add_record(record(identity))
    assert store.record("abcdef").id == "abcdef"
    assert store.record("ab").id == "ab"


@pytest.mark.parametrize("wild", ["______", "%%%%%%", "rec-%%", "rec-__", "*******", "rec-0000?", "rec-00000[0-9]"])
def test_wildcards_in_an_id_are_plain_characters(store: Store, wild: str) -> None:
    store.add_record(record())
    with pytest.raises(NotFound):
        store.record(wild)


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_ids_and_thread_ids_are_data(store: Store, hostile: str) -> None:
    store.add_record(record())
    store.add_review(review())
    store.add_record(record(hostile, thread_id=hostile))
    store.add_review(review(hostile, thread_id=hostile, record_id=hostile))
    assert store.record(hostile).thread_id == hostile
    assert store.review(hostile).thread_id == hostile
    assert [kept.id for kept in store.records(thread_id=hostile)] == [hostile]
    assert [kept.id for kept in store.reviews(thread_id=hostile)] == [hostile]
    assert store.add_label(hostile, label(note=hostile)).labels == (label(note=hostile),)
    assert store.record("rec-000001") == record()
    assert len(store.records()) == len(store.reviews()) == 2


def test_lone_surrogates_are_kept_in_texts_and_told_apart_in_thread_ids(store: Store) -> None:
    broken = "cut \ud83d"
    kept = record(thread_id=broken, text=broken, call=refund(note=broken))
    store.add_record(kept)
    store.add_record(record("rec-000002", thread_id="cut \\ud83d"))
    assert store.records(thread_id=broken) == [kept]


@pytest.mark.parametrize("bad", ["", "\ud83d lone surrogate"])
def test_an_id_that_nobody_could_look_up_is_refused(store: Store, bad: str) -> None:
    with pytest.raises(StoreError, match="cannot be an id"):
        store.add_record(record(bad))
    with pytest.raises(StoreError, match="cannot be an id"):
        store.add_review(review(bad))
    with pytest.raises(NotFound):
        store.record(bad)


def test_a_value_that_is_no_json_is_refused_and_nothing_is_kept(store: Store) -> None:
    deep: list[object] = []
    for _ in range(100_000):
        deep = [deep]
    for bad in (object(), deep):
        call = ToolCall(name="refund", arguments={"x": bad})
        with pytest.raises(StoreError, match="no JSON"):
            store.add_record(record(call=call))
        with pytest.raises(StoreError, match="no JSON"):
            store.add_review(review(call=call))
    assert store.records() == []
    assert store.reviews() == []


def test_big_values_come_back(store: Store) -> None:
    kept = record(call=refund(note="x" * 3_000_000, items=list(range(20_000))))
    store.add_record(kept)
    assert store.record(kept.id) == kept


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(arguments=st.dictionaries(st.text(), _json, max_size=4))
def test_any_json_arguments_come_back_unchanged(store: Store, arguments: dict[str, object]) -> None:
    identity = f"rev-{len(store.reviews(limit=10_000)):06}"
    kept = review(identity, call=ToolCall(name="t", arguments=arguments))
    assert store.add_review(kept) == kept == store.review(identity)


def test_labels_are_kept_in_order_and_the_same_one_only_once(store: Store) -> None:
    store.add_record(record())
    first, second = label(), label(correct=False)
    store.add_label("rec-000001", first)
    store.add_label("rec-000", second)
    assert store.add_label("rec-000001", first).labels == (first, second)
    assert store.records()[0].labels == (first, second)


def test_the_labels_a_record_comes_with_are_kept_once(store: Store) -> None:
    store.add_record(record(labels=(label(), label(correct=False), label())))
    assert store.record("rec-000001").labels == (label(), label(correct=False))


def test_a_label_for_no_record_is_an_error(store: Store) -> None:
    with pytest.raises(NotFound):
        store.add_label("rec-000001", label())


def test_a_review_is_added_once_and_keeps_what_was_decided_since(store: Store) -> None:
    store.add_review(review())
    claimed = replace(review(), state=ReviewState.CLAIMED, revision=1)
    assert store.compare_and_set(claimed)
    assert store.add_review(review()) == claimed
    assert store.reviews() == [claimed]


def test_reviews_are_listed_oldest_first_by_state_and_thread(store: Store) -> None:
    for n, state in enumerate(ReviewState):
        store.add_review(
            replace(review(f"rev-{n:06}", at=f"2026-01-01T00:00:{50 - n // 2}Z", thread_id=f"t{n % 2}"), state=state)
        )
    order = sorted(range(8), key=lambda n: (50 - n // 2, n))
    assert [kept.id for kept in store.reviews()] == [f"rev-{n:06}" for n in order]
    waiting = frozenset({ReviewState.PENDING, ReviewState.CLAIMED})
    assert [kept.id for kept in store.reviews(states=waiting)] == ["rev-000000", "rev-000001"]
    assert [kept.id for kept in store.reviews(states=waiting, thread_id="t1")] == ["rev-000001"]
    assert [kept.id for kept in store.reviews(states=waiting, limit=1)] == ["rev-000000"]
    assert store.reviews(states=frozenset()) == []
    store.add_review(review("rev-another", record_id="rec-000002"))
    assert [kept.id for kept in store.reviews(record_id="rec-000002")] == ["rev-another"]
    assert store.reviews(record_id="rec-00") == []


def test_a_review_changes_only_from_the_revision_it_was_read_at(store: Store) -> None:
    store.add_review(review())
    claimed = replace(review(), state=ReviewState.CLAIMED, revision=1)
    assert store.compare_and_set(replace(claimed, revision=2)) is False
    assert store.compare_and_set(replace(claimed, revision=0)) is False
    assert store.review("rev-000001") == review()
    assert store.compare_and_set(claimed) is True
    assert store.compare_and_set(claimed) is False
    assert store.review("rev-000001") == claimed
    assert [kept.id for kept in store.reviews(states=frozenset({ReviewState.CLAIMED}))] == ["rev-000001"]


def test_a_review_that_was_never_added_cannot_be_changed_into_being(store: Store) -> None:
    assert store.compare_and_set(replace(review(), revision=1)) is False
    assert store.reviews() == []


def test_of_many_threads_exactly_one_changes_a_review(store: Store) -> None:
    store.add_review(review())
    for revision in range(1, 6):
        start = threading.Barrier(8)

        def change(n: int, revision: int = revision, start: threading.Barrier = start) -> bool:
            start.wait()
            return store.compare_and_set(replace(review(), why=f"thread {n}", revision=revision))

        with ThreadPoolExecutor(8) as pool:
            won = list(pool.map(change, range(8)))
        assert won.count(True) == 1
        assert store.review("rev-000001").why == f"thread {won.index(True)}"


def test_threads_write_and_read_together(store: Store) -> None:
    def work(n: int) -> None:
        for m in range(5):
            assert store.add_record(record(f"rec-{n}-{m:04}"))
            store.add_label(f"rec-{n}-{m:04}", label())
            assert store.records(limit=3)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(store.records(limit=100)) == 40
    assert all(kept.labels for kept in store.records(limit=100))


def test_of_many_threads_exactly_one_adds_a_record(store: Store) -> None:
    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda n: store.add_record(record(thread_id=f"t{n}")), range(8)))
    assert added.count(True) == 1
    assert store.record("rec-000001").thread_id == f"t{added.index(True)}"


def test_a_closed_store_says_so_and_closes_twice(store: Store) -> None:
    store.add_record(record())
    store.close()
    store.close()
    for use in (
        lambda: store.record("rec-000001"),
        store.records,
        lambda: store.add_record(record()),
        lambda: store.add_label("rec-000001", label()),
        lambda: store.add_review(review()),
        lambda: store.review("rev-000001"),
        store.reviews,
        lambda: store.compare_and_set(review()),
    ):
        with pytest.raises(StoreError, match="closed"):
            use()
