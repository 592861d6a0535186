"""What every store writes into the audit log, and that the log holds whoever writes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from guardrail.audit import SHARDS, draft, shard_of, verify
from guardrail.errors import StoreError
from guardrail.store import MemoryStore, Store
from guardrail.types import (
    Alarm,
    AuditDraw,
    AuditEntry,
    Claim,
    Comment,
    Decision,
    DecisionType,
    Review,
    ReviewEvent,
    ReviewState,
    Tier,
)
from tests.support.records import label, record, refund, review

AT = "2026-01-05T00:00:00+00:00"
ALARM = Alarm(id="alarm-0001", at=AT, tier=Tier.HIGH, alpha=0.1, delta=0.05, audits=40, wrong=12, e_value=31.5)
DRAW = AuditDraw(record_id="rec-000001", call_id="call_1", probability=0.25, batch="week 1", at=AT)


def _all(store: Store, tenant: str = "") -> list[AuditEntry]:
    entries = store.audit_entries(tenant=tenant, limit=10_000)
    assert [(entry.shard, entry.number) for entry in entries] == sorted((one.shard, one.number) for one in entries)
    return entries


def _of(store: Store, subject: str, tenant: str = "") -> list[tuple[str, str, str]]:
    found = [entry for entry in _all(store, tenant) if entry.subject == subject]
    assert {entry.shard for entry in found} <= {shard_of(subject)}
    return [(entry.what, entry.by, entry.at) for entry in found]


def _check(store: Store) -> None:
    for tenant in store.audit_tenants():
        heads = store.audit_heads(tenant=tenant)
        with store.audit_view(tenant=tenant) as view:
            assert verify(view.entries, heads, view.bodies) == []


def _event(state: ReviewState, by: str = "ana", note: str = "") -> ReviewEvent:
    return ReviewEvent(at=AT, by=by, state=state, note=note)


def _changed(before: Review, **change: Any) -> Review:
    return replace(before, revision=before.revision + 1, **change)


def test_every_change_of_a_review_is_told_by_what_it_was(store: Store) -> None:
    kept = replace(review(), requester="agent 7")
    store.add_review(kept)
    store.add_review(kept)
    vote = Decision(type=DecisionType.APPROVE, by="ana", at=AT)
    claim = Claim(by="ana", until="2026-01-06T00:00:00Z")
    pending, claimed, decided = ReviewState.PENDING, ReviewState.CLAIMED, ReviewState.DECIDED
    events: tuple[ReviewEvent, ...] = ()
    for change in (
        {"state": claimed, "claim": claim, "history": (events := (_event(claimed),))},
        {"claim": replace(claim, until="2026-01-07T00:00:00Z")},
        {"state": pending, "claim": None, "history": (events := (*events, _event(pending)))},
        {"comments": (Comment(at=AT, by="bo", text="hm"),)},
        {"escalated": True, "priority": 15, "history": (events := (*events, _event(pending, "deadline")))},
        {"state": claimed, "claim": replace(claim, by="cy"), "history": (events := (*events, _event(claimed, "cy")))},
        {"state": pending, "claim": None, "votes": (vote,), "history": (events := (*events, _event(pending)))},
        {"votes": (replace(vote, message="again"),)},
        {"why": "another"},
        {"state": decided, "decision": vote, "votes": (vote, vote), "history": (*events, _event(decided, "di"))},
    ):
        kept = _changed(kept, **change)
        assert store.compare_and_set(kept)
        assert not store.compare_and_set(kept)
    told = _of(store, kept.id)
    assert [(what, by) for what, by, _ in told] == [
        ("review.opened", "agent 7"),
        ("review.claimed", "ana"),
        ("review.claimed", "ana"),
        ("review.released", "ana"),
        ("review.commented", "bo"),
        ("review.escalated", "deadline"),
        ("review.claimed", "cy"),
        ("review.voted", "ana"),
        ("review.voted", "ana"),
        ("review.changed", ""),
        ("review.decided", "di"),
    ]
    assert told[0][2] == review().at
    assert told[-1][2] == AT
    _check(store)


def test_labels_draws_and_alarms_are_told_once_each(store: Store) -> None:
    store.add_record(record(labels=(label(), label())))
    store.add_record(record(labels=(label(note="never added"),)))
    for _ in range(2):
        store.add_label("rec-000001", label(correct=False))
        store.raise_alarm(ALARM)
        store.add_draws([DRAW, replace(DRAW, call_id="call_2"), replace(DRAW, batch="week 2")])
    store.add_draws([replace(DRAW, call_id="call_3")])
    for by in ("ana", "bo"):
        store.clear_alarm("alarm-0001", by=by, at="2026-01-06T00:00:00Z")
    store.raise_alarm(replace(ALARM, id="alarm-0002"))
    assert _of(store, "rec-000001") == [("label.added", "ana", label().at)] * 2
    assert _of(store, "week 1") == [("draws.added", "", AT)] * 2
    assert _of(store, "week 2") == [("draws.added", "", AT)]
    assert _of(store, "alarm-0001") == [
        ("alarm.raised", "", AT),
        ("alarm.cleared", "ana", "2026-01-06T00:00:00Z"),
    ]
    assert len(_all(store)) == 8
    _check(store)


def test_what_the_log_says_about_one_subject(store: Store) -> None:
    long = "s" * 150
    names = ["rev-000001", "rev-000002", "\ud83d\x00", f"{long}a", f"{long}b"]
    for at in ("first", "second"):
        for name in names:
            store.note(draft(what="looked", subject=name, body="", by="ana", at=at, tenant="a"))
    store.seal(by="ana", tenant="a")
    store.note(draft(what="looked", subject=names[0], body="", by="ana", at="third", tenant="b"))
    for name in names:
        found = store.audit_entries(tenant="a", subject=name)
        assert [(entry.subject, entry.at) for entry in found] == [(name, "first"), (name, "second")]
        later = store.audit_entries(tenant="a", subject=name, shard=found[0].shard, after=found[0].number)
        assert later == store.audit_entries(tenant="a", subject=name)[1:]
        assert store.audit_entries(tenant="a", subject=name, limit=1) == found[:1]
    assert len(store.audit_entries(tenant="a", subject="seal")) == SHARDS
    assert store.audit_entries(tenant="a", subject="none") == []


def test_what_was_refused_is_not_told(store: Store) -> None:
    store.add_review(review())
    with pytest.raises(StoreError):
        store.compare_and_set(replace(review(), revision=1, priority=2**40))
    with pytest.raises(StoreError):
        store.add_draws([DRAW, replace(DRAW, probability=float("nan"))])
    with pytest.raises(StoreError, match="another tenant"):
        store.compare_and_set(replace(review(), revision=1, tenant="b"))
    assert store.review("rev-000001") == review()
    assert [entry.what for entry in _all(store)] == ["review.opened"]
    _check(store)


def test_tenants_see_their_own_log(store: Store) -> None:
    store.add_review(review("rev-000001"))
    store.add_review(replace(review("rev-000002"), tenant="b"))
    hostile = "' OR 1=1 -- \u202e"
    store.add_review(replace(review("rev-000003"), tenant=hostile, requester=hostile))
    assert [entry.subject for entry in _all(store, "b")] == ["rev-000002"]
    assert _of(store, "rev-000003", hostile) == [("review.opened", hostile, review().at)]
    assert store.audit_tenants() == sorted(["", "b", hostile])
    assert {head.tenant for head in store.audit_heads(tenant="b")} == {"b"}
    assert _all(store, "none") == []
    _check(store)


def test_a_note_tells_of_what_happened_elsewhere(store: Store) -> None:
    made = draft(what="policy.adopted", subject="policy.yaml", body="digest", by="ana", at=AT, tenant="b")
    noted = store.note(replace(made, shard=99, number=7, previous="x", hash="y"))
    assert _all(store, "b") == [noted]
    assert (noted.number, noted.shard, noted.previous) == (1, shard_of("policy.yaml"), "")
    second = store.note(replace(made, at=""))
    assert (second.number, second.previous) == (2, noted.hash)
    assert second.at
    _check(store)


@pytest.mark.parametrize("what", ["seal", "review.decided", "label.added", "alarm.cleared", "draws.x", "review", ""])
def test_a_note_does_not_pose_as_the_stores_own_entry(store: Store, what: str) -> None:
    with pytest.raises(StoreError):
        store.note(draft(what=what, subject="rev-000001", body="d", by="ana", at=AT))
    assert _all(store) == []


def test_a_note_of_a_book_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="1000 characters"):
        store.note(draft(what="policy.adopted", subject="x" * 2000, body="d", by="ana", at=AT))


def test_a_seal_stands_in_every_chain(store: Store) -> None:
    for number in range(10):
        store.add_review(review(f"rev-{number:06}"))
    heads = store.seal(by="ana", at=AT)
    assert [head.shard for head in heads] == list(range(SHARDS))
    assert heads == store.audit_heads()
    sealed = [entry for entry in _all(store) if entry.what == "seal"]
    assert [(entry.by, entry.at) for entry in sealed] == [("ana", AT)] * SHARDS
    assert len({entry.body for entry in sealed}) == 1
    store.add_review(review("rev-000010"))
    store.seal(by="ana")
    assert store.audit_heads(tenant="b") == []
    _check(store)
    with store.audit_view() as view:
        rest = [entry for entry in view.entries if entry.shard != 3]
    assert {problem.flaw.value for problem in verify(rest)} == {"seal broken"}


def test_entries_come_in_pages_of_one_chain(store: Store) -> None:
    for number in range(40):
        store.add_review(review(f"rev-{number:06}"))
    every = _all(store)
    assert store.audit_entries(limit=3) == every[:3]
    for shard in range(SHARDS):
        chain = [entry for entry in every if entry.shard == shard]
        assert store.audit_entries(shard=shard) == chain
        assert store.audit_entries(shard=shard, after=1, limit=2) == chain[1:3]
        assert store.audit_entries(shard=shard, after=len(chain)) == []
    with pytest.raises(StoreError, match="which shard"):
        store.audit_entries(after=1)
    assert store.audit_entries(limit=0) == []


def test_the_same_values_give_the_same_digests_whatever_keeps_them(store: Store) -> None:
    odd = refund(note="cut \ud83d \u202e \x00", big=10**30, ratio=1e22, one=1.0)
    plain = MemoryStore()
    for one in (store, plain):
        one.add_review(review(call=odd))
        one.add_record(record(call=odd, labels=(label(note="cut \ud83d"),)))
    assert _all(store) == _all(plain)
    _check(store)


def test_threads_write_whole_chains(store: Store) -> None:
    for number in range(8):
        store.add_review(review(f"rev-{number:06}"))

    def work(thread: int) -> None:
        for number in range(6):
            kept = store.review(f"rev-{(thread + number) % 8:06}")
            store.compare_and_set(_changed(kept, why=f"thread {thread}"))
            store.note(draft(what="policy.adopted", subject=f"{thread} {number}", body="d", by="ana", at=AT))
        store.seal(by=f"thread {thread}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    _check(store)
    revisions = sum(store.review(f"rev-{number:06}").revision for number in range(8))
    assert len(_all(store)) == 8 + revisions + 48 + 8 * SHARDS
