"""Encrypted values: kept beside their review, and gone with it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from guardrail.errors import StoreError
from guardrail.store import AsyncStore, Store
from guardrail.store.care import export
from guardrail.types import ReviewEvent, ReviewState, Sealed
from tests.support.records import review

OLD, NEW, BETWEEN = "2026-01-01T00:00:00Z", "2026-03-01T00:00:00Z", "2026-02-01T00:00:00Z"


def sealed(review_id: str, slot: str = "call", *, blob: str = "AAAA", at: str = OLD) -> Sealed:
    return Sealed(review_id=review_id, slot=slot, tenant="north", key_id="0011", at=at, blob=blob)


def test_the_first_value_of_a_review_and_slot_stays(store: Store) -> None:
    first, edit = sealed("rev-\x00one"), sealed("rev-\x00one", "edit 1", blob="BBBB")
    assert store.add_sealed(edit)
    assert store.add_sealed(first)
    assert not store.add_sealed(replace(first, blob="CCCC"))
    assert not store.add_sealed(first)
    assert store.sealed("rev-\x00one") == [first, edit]
    assert store.sealed("rev-") == store.sealed("") == []


def test_a_time_that_is_none_is_refused(store: Store) -> None:
    with pytest.raises(StoreError):
        store.add_sealed(sealed("rev-one", at="yesterday"))
    assert store.sealed("rev-one") == []


async def test_asynchronously(store: Store) -> None:
    waiting = AsyncStore(store)
    assert await waiting.add_sealed(sealed("rev-one"))
    assert await waiting.sealed("rev-one") == [sealed("rev-one")]


@pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
def test_retention_deletes_it_with_the_review_and_where_none_came(store: Store) -> None:
    done = ReviewEvent(at=OLD, by="ana", state=ReviewState.DONE)
    store.add_review(replace(review("rev-old", at=OLD), state=ReviewState.DONE, history=(done,)))
    store.add_review(review("rev-new", at=NEW))
    for one in (sealed("rev-old"), sealed("rev-old", "edit"), sealed("rev-new"), sealed("no-review")):
        store.add_sealed(one)
    store.add_sealed(sealed("not-yet-there", at=NEW))
    store.prune(BETWEEN, by="ana", dry_run=True)  # type: ignore[attr-defined]
    assert len(store.sealed("rev-old")) == 2
    assert store.sealed("no-review")
    store.prune(BETWEEN, by="ana")  # type: ignore[attr-defined]
    assert store.sealed("rev-old") == store.sealed("no-review") == []
    assert store.sealed("rev-new")
    assert store.sealed("not-yet-there")


@pytest.mark.parametrize("url", ["sqlite", "postgres"], indirect=True)
def test_an_export_has_it_as_it_is_kept(store: Store, tmp_path: Path) -> None:
    store.add_review(replace(review("rev-one"), tenant="north"))
    store.add_sealed(sealed("rev-one"))
    assert export(store, tmp_path / "out")["sealed"] == 1
    (line,) = (tmp_path / "out" / "sealed.jsonl").read_text().splitlines()
    assert json.loads(line)["blob"] == "AAAA"
