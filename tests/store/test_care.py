"""Backup, export, size and retention of every store that lasts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from guardrail import audit
from guardrail.errors import NotFound, StoreError
from guardrail.store import open_store
from guardrail.store.care import LastingStore, Pruned, export
from guardrail.types import AuditDraw, Review, ReviewEvent, ReviewState
from tests.support.records import label, record, review

OLD, NEW, BETWEEN = "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"


@pytest.fixture(params=["sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return request.getfixturevalue("server").fresh_url() if request.param == "postgres" else str(tmp_path / "guard.db")


@pytest.fixture
def store(url: str) -> Iterator[LastingStore]:
    opened = open_store(url)
    yield opened
    opened.close()


def _closed(identity: str, *, state: ReviewState = ReviewState.DONE, last: str = OLD, **more: str) -> Review:
    event = ReviewEvent(at=last, by="ana", state=state)
    return replace(review(identity, at=OLD, **more), state=state, history=(event,))


def _is_whole(store: LastingStore) -> bool:
    with store.audit_view() as view:
        return audit.verify(view.entries, bodies=view.bodies) == []


def _filled(store: LastingStore) -> None:
    for number in range(5):
        store.add_record(record(f"rec-{number:06}", at=OLD, labels=(label(note=f"\x00 {number}"),)))
        store.add_review(_closed(f"rev-{number:06}", record_id=f"rec-{number:06}"))
    store.add_draws([AuditDraw(record_id="rec-000004", call_id="call_1", probability=0.5, batch="b", at=OLD)])
    store.add_record(record("rec-newest", at=NEW, labels=(label(),)))
    store.add_review(review("rev-newest", record_id="rec-newest", at=NEW))


def test_the_uses_of_calls_go_with_their_record(store: LastingStore) -> None:
    _filled(store)
    gone, kept = "rec-000000", ("rec-000004", "rec-newest", "rec-00000", "rec-0000000")
    others = (f"ran/{gone}", f"ran/{gone}x/k", f"runs/{gone}/k", "upkeep/k")
    for key in (f"ran/{gone}/a", f"ran/{gone}/b", *(f"ran/{one}/k" for one in kept), *others):
        assert store.put_state(key, "now", revision=0)
    store.prune(BETWEEN, by="ana", dry_run=True)
    assert store.state(f"ran/{gone}/a") is not None
    store.prune(BETWEEN, by="ana")
    assert [store.state(f"ran/{gone}/{key}") for key in ("a", "b")] == [None, None]
    assert all(store.state(key) is not None for key in (*(f"ran/{one}/k" for one in kept), *others))


def test_what_is_old_and_closed_is_deleted_and_the_log_says_so(store: LastingStore) -> None:
    _filled(store)
    marks = store.change_mark()
    expected = Pruned(reviews=5, records=4, labels=4)  # the fifth record was drawn to be judged
    assert store.prune(BETWEEN, by="ana", dry_run=True) == expected
    assert store.change_mark() == marks
    assert len(store.reviews()) == len(store.records()) == 6
    assert store.prune(BETWEEN, by="ana") == expected
    assert [one.id for one in store.records()] == ["rec-newest", "rec-000004"]
    assert [one.id for one in store.reviews()] == ["rev-newest"]
    assert [name for _, name, _ in store.labelled()] == ["rec-000004", "rec-newest"]
    with pytest.raises(NotFound):
        store.review("rev-000001")
    purged = [entry for entry in store.audit_entries() if entry.what.endswith("purged")]
    assert {entry.by for entry in purged} == {"ana"}
    assert len(purged) == 9
    assert _is_whole(store)
    assert store.prune(BETWEEN, by="ana") == Pruned()


@pytest.mark.parametrize(
    "kept",
    [
        review("rev-000001", at=OLD),
        _closed("rev-000001", state=ReviewState.CLAIMED),
        _closed("rev-000001", state=ReviewState.DECIDED),
        _closed("rev-000001", state=ReviewState.EXECUTING),
        _closed("rev-000001", state=ReviewState.OUTCOME_UNKNOWN),
        _closed("rev-000001", last=NEW),
    ],
    ids=lambda one: f"{one.state} {one.history[-1].at if one.history else ''}",
)
def test_what_waits_or_was_touched_since_stays_with_its_record(store: LastingStore, kept: Review) -> None:
    store.add_record(record("rec-000001", at=OLD))
    store.add_review(kept)
    store.add_record(record("rec-newest", at=NEW))
    store.add_review(review("rev-newest", at=NEW))
    assert store.prune(BETWEEN, by="ana") == Pruned()
    assert store.review("rev-000001") == kept


@pytest.mark.parametrize("state", [ReviewState.DONE, ReviewState.EXPIRED, ReviewState.SUPERSEDED])
def test_hundreds_are_deleted_of_every_tenant(store: LastingStore, state: ReviewState) -> None:
    for number in range(210):
        store.add_review(replace(_closed(f"rev-{number:06}", state=state), tenant=f"t{number % 2}"))
    store.add_review(review("rev-newest", at=NEW))
    assert store.prune(BETWEEN, by="ana").reviews == 210
    for tenant in store.audit_tenants():
        with store.audit_view(tenant=tenant) as view:
            assert audit.verify(view.entries, bodies=view.bodies) == []


def test_numbers_of_labels_are_never_given_twice(store: LastingStore) -> None:
    store.add_record(record("rec-000001", at=OLD, labels=(label(),)))
    store.add_record(record("rec-newest", at=NEW))
    ((last, _, _),) = store.labelled()
    store.prune(BETWEEN, by="ana")
    store.add_label("rec-newest", label())
    assert [name for _, name, _ in store.labelled(after=last)] == ["rec-newest"]


def test_a_moment_that_is_none_is_refused(store: LastingStore) -> None:
    with pytest.raises(StoreError, match="ISO 8601"):
        store.prune("last year", by="ana")


def test_a_backup_holds_everything_and_becomes_a_store_again(
    store: LastingStore, url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    _filled(store)
    store.put_state("key \x00", "text \ud83d", revision=0)
    file = tmp_path / "backup"
    store.backup(file)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(StoreError, match="there already"):
        store.backup(file)
    if url.startswith("postgresql"):
        again = open_store(request.getfixturevalue("server").fresh_url())
        assert again.restore(file) == sum(store.info().rows.values()) + len(store.audit_heads())
        with pytest.raises(StoreError, match="not empty"):
            again.restore(file)
    else:
        again = open_store(f"sqlite:///{file}", create=False)
    assert again.records() == store.records()
    assert again.reviews() == store.reviews()
    assert again.labelled() == store.labelled()
    assert again.state("key \x00") == (1, "text \ud83d")
    assert again.audit_heads() == store.audit_heads()
    again.add_review(review("rev-another"))  # the chains and numbers go on
    again.add_label("rec-newest", label(note="more"))
    assert _is_whole(again)
    again.close()


@pytest.mark.parametrize("lines", [0, 1, 3, -1])
def test_half_a_backup_is_not_restored(server: object, tmp_path: Path, lines: int) -> None:
    store = open_store(server.fresh_url())
    _filled(store)
    store.backup(tmp_path / "whole")
    (tmp_path / "half").write_text("".join((tmp_path / "whole").read_text().splitlines(keepends=True)[:lines]))
    again = open_store(server.fresh_url())
    with pytest.raises(StoreError, match="no whole backup"):
        again.restore(tmp_path / "half")
    assert sum(again.info().rows.values()) == 0
    for one in (store, again):
        one.close()


def test_a_backup_that_cannot_be_written_leaves_nothing(store: LastingStore, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot be written"):
        store.backup(tmp_path / "missing" / "backup")
    assert not (tmp_path / "missing").exists()


def test_an_export_is_json_lines_for_other_programs(store: LastingStore, tmp_path: Path) -> None:
    _filled(store)
    store.add_review(replace(review("rev-other1"), tenant="other"))
    folder = tmp_path / "out" / "here"
    counts = export(store, folder)
    assert counts == {"records": 6, "reviews": 7, "sealed": 0, "draws": 1, "alarms": 0, "audit": 14}
    assert {one: len((folder / f"{one}.jsonl").read_text().splitlines()) for one in counts} == counts
    first = json.loads((folder / "records.jsonl").read_text().splitlines()[0])
    assert (first["id"], len(first["labels"])) == ("rec-newest", 1)
    with pytest.raises(StoreError, match="there already"):
        export(store, folder)


def test_a_store_says_what_it_holds(store: LastingStore) -> None:
    _filled(store)
    found = store.info()
    assert found.url == store.url
    assert found.bytes > 10_000
    assert found.rows == {
        "records": 6,
        "labels": 6,
        "reviews": 6,
        "draws": 1,
        "alarms": 0,
        "states": 0,
        "spendings": 0,
        "audit_log": 13,
        "notices": 0,
        "sealed": 0,
        "access": 0,
    }


def test_a_backup_is_taken_while_others_write(store: LastingStore, tmp_path: Path) -> None:
    _filled(store)
    other = open_store(f"sqlite:///{store.path}") if hasattr(store, "path") else store
    with other.audit_view() as view:
        next(view.entries)
        store.backup(tmp_path / "backup")
    assert (tmp_path / "backup").stat().st_size > 1000
    if other is not store:
        other.close()
