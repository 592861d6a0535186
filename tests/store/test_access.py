"""What is kept about access: changed by compare-and-set, told in the audit log, forgotten when it has expired."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from guardrail.errors import StoreError
from guardrail.store import Store
from guardrail.types import AccessEntry, AccessKind, AuditEntry

ONE = AccessEntry(kind=AccessKind.ACCOUNT, id="a1", tenant="acme", body='{"name": "Ana \\u0000"}')


def note(what: str = "account.added", subject: str = "a1") -> AuditEntry:
    return AuditEntry(
        tenant="acme", shard=0, number=0, at="", by="ada", what=what, subject=subject, body="", previous="", hash=""
    )


def test_what_is_put_is_there(store: Store) -> None:
    assert store.access(AccessKind.ACCOUNT, "a1") is None
    assert store.put_access(ONE)
    assert store.access(AccessKind.ACCOUNT, "a1") == ONE
    assert store.access(AccessKind.SESSION, "a1") is None


@pytest.mark.parametrize("revision", [0, 1, 3])
def test_only_the_next_revision_is_written(store: Store, revision: int) -> None:
    store.put_access(ONE)
    assert not store.put_access(replace(ONE, revision=revision, body="{}"))
    assert store.access(AccessKind.ACCOUNT, "a1") == ONE
    changed = replace(ONE, revision=2, body="{}", tenant="other", owner="o")
    assert store.put_access(changed)
    assert store.access(AccessKind.ACCOUNT, "a1") == changed


def test_nothing_that_is_not_there_is_changed(store: Store) -> None:
    assert not store.put_access(replace(ONE, revision=2))
    assert store.access(AccessKind.ACCOUNT, "a1") is None


def test_a_note_is_written_with_the_change_and_not_without(store: Store) -> None:
    store.put_access(ONE, note=note())
    store.put_access(ONE, note=note("account.added again"))
    store.drop_access(AccessKind.ACCOUNT, "nobody", note=note("account.removed"))
    assert [entry.what for entry in store.audit_entries(tenant="acme")] == ["account.added"]
    assert store.drop_access(AccessKind.ACCOUNT, "a1", note=note("account.removed"))
    told = sorted(entry.what for entry in store.audit_entries(tenant="acme"))
    assert told == ["account.added", "account.removed"]


def test_a_note_that_poses_as_the_stores_own_changes_nothing(store: Store) -> None:
    with pytest.raises(StoreError):
        store.put_access(ONE, note=note("review.decided"))
    assert store.access(AccessKind.ACCOUNT, "a1") is None


def test_entries_are_listed_by_tenant_and_owner_page_by_page(store: Store) -> None:
    for number in range(5):
        store.put_access(
            AccessEntry(
                kind=AccessKind.TOKEN, id=f"t{number}", tenant="acme" if number % 2 else "", owner="o", body="{}"
            )
        )
    store.put_access(ONE)
    ids = [entry.id for entry in store.accesses(AccessKind.TOKEN)]
    assert ids == ["t0", "t1", "t2", "t3", "t4"]
    assert [entry.id for entry in store.accesses(AccessKind.TOKEN, tenant="acme")] == ["t1", "t3"]
    assert [entry.id for entry in store.accesses(AccessKind.TOKEN, tenant="")] == ["t0", "t2", "t4"]
    assert [entry.id for entry in store.accesses(AccessKind.TOKEN, owner="o", after="t1", limit=2)] == ["t2", "t3"]
    assert store.accesses(AccessKind.TOKEN, owner="nobody") == []


def test_what_has_expired_is_forgotten_and_what_does_not_expire_stays(store: Store) -> None:
    for name, expires in (("old", "2026-01-01T00:00:00Z"), ("new", "2026-03-01T00:00:00Z"), ("ever", "")):
        store.put_access(AccessEntry(kind=AccessKind.SESSION, id=name, body="{}", expires=expires))
    assert store.forget_access("2026-02-01T01:00:00+01:00") == 1
    assert [entry.id for entry in store.accesses(AccessKind.SESSION)] == ["ever", "new"]


def test_of_many_that_change_one_entry_at_once_one_does(store: Store) -> None:
    store.put_access(ONE)
    with ThreadPoolExecutor(16) as threads:
        done = list(
            threads.map(
                lambda number: store.put_access(
                    replace(ONE, revision=2, body=str(number)), note=note("account.changed")
                ),
                range(16),
            )
        )
    assert done.count(True) == 1
    assert len(store.audit_entries(tenant="acme")) == 1


@pytest.mark.parametrize("text", ["'; DROP TABLE access; --", "a%", "_", "\u202e", "é", "a\x00b"])
def test_hostile_names_are_data(store: Store, text: str) -> None:
    store.put_access(AccessEntry(kind=AccessKind.ACCOUNT, id=text, tenant=text, owner=text, body=text))
    found = store.access(AccessKind.ACCOUNT, text)
    assert found is not None
    assert (found.id, found.tenant, found.owner, found.body) == (text, text, text, text)
    assert store.accesses(AccessKind.ACCOUNT, tenant=text, owner=text) == [found]
    assert store.accesses(AccessKind.ACCOUNT, tenant=text + "x") == []
