"""Doors show marks: the page, the API, notifications; and who may, sees what is hidden, never unlogged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from guardrail import open_store
from guardrail.cli.main import main
from guardrail.engine import REVEAL, REVEALED, reveal
from guardrail.errors import ConfigError, NotFound, NotPermitted, ReviewError, StoreError
from guardrail.redaction import VARIABLE, Vault, new_key
from guardrail.store import MemoryStore, Store
from guardrail.types import Principal, PrincipalKind, Turn
from tests.web.serving import ANA, CSRF, STRANGER, Site, transfer

PASSWORD, TOKEN = "hunter2-Zq9", "ghp_abcdefghij0123456789ABCDEFGHIJ012345"
TYPED = "github_pat_" + "z9" * 20
CALL = transfer(memo=f"log in with {TOKEN}", password=PASSWORD)
TALK = (Turn(role="user", text=f"use {PASSWORD} and {TOKEN}"),)
EVE = Principal(name="eve", roles=(REVEAL,))


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    made = new_key()
    monkeypatch.setenv(VARIABLE, made)
    return made


def nowhere(text: str) -> None:
    assert PASSWORD not in text
    assert TOKEN not in text


@pytest.mark.usefixtures("key")
def test_pages_and_api_show_marks() -> None:
    site = Site()
    review = site.ask(CALL, conversation=TALK)
    client = site.client(ANA)
    for path in (
        "/reviews",
        f"/reviews/{review.id}",
        f"/records/{review.record_id}",
        "/log",
        "/dashboard",
        "/api/v1/reviews",
        f"/api/v1/reviews/{review.id}",
    ):
        answer = client.get(path)
        assert answer.status_code == 200, path
        nowhere(answer.text)
    assert "[hidden 2: password]" in client.get(f"/api/v1/reviews/{review.id}").text
    assert "[hidden 2: password]" in client.get(f"/reviews/{review.id}").text


@pytest.mark.usefixtures("key")
def test_the_api_reveals_by_post_alone_and_to_who_may() -> None:
    site = Site()
    review = site.ask(CALL)
    path = f"/api/v1/reviews/{review.id}/reveal"
    headers = {"X-CSRF-Token": CSRF, "Sec-Fetch-Site": "same-origin"}
    answer = site.client(EVE).post(path, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["arguments"] == CALL.arguments
    assert "no-store" in answer.headers["cache-control"]
    refused = site.client(ANA).post(path, headers=headers)
    assert refused.status_code == 403
    nowhere(refused.text)
    for client in (site.client(EVE), site.client(ANA)):
        looked = client.get(path)
        assert looked.status_code in (404, 405)
        nowhere(looked.text)
        nowhere(client.get(f"/reviews/{review.id}/reveal").text)
    assert [one.by for one in site.store.audit_entries() if one.what == REVEALED] == ["eve"]


class TestReveal:
    @pytest.fixture
    def site(self, key: str) -> Site:
        return Site()

    def test_who_has_the_role_sees_it_and_the_log_says_so(self, site: Site) -> None:
        review = site.ask(CALL)
        before = len(site.store.audit_entries())
        found = reveal(site.store, review.id[:12], by=EVE)
        assert found.arguments == CALL.arguments
        assert found.edited is None
        nowhere(repr(found))
        entries = site.store.audit_entries()
        assert len(entries) == before + 1
        (entry,) = [one for one in entries if one.what == REVEALED]
        assert (entry.by, entry.subject) == ("eve", review.id)

    def test_what_a_reviewer_typed_is_revealed_too(self, site: Site) -> None:
        review = site.ask(CALL)
        with pytest.raises(ReviewError, match="not an argument") as told:
            site.queue.edit(review.id, by=ANA, arguments={**review.call.arguments, "password": TYPED})
        assert TYPED not in str(told.value)
        memo = {name: value for name, value in review.call.arguments.items() if name != "password"}
        typed = {**memo, "memo": f"now with {TYPED}"}
        decided = site.queue.edit(review.id, by=ANA, arguments=typed)
        assert decided.decision is not None
        assert TYPED not in str(decided)
        assert reveal(site.store, review.id, by=EVE).edited == typed

    @pytest.mark.parametrize(
        "who",
        [
            ANA,
            replace(EVE, kind=PrincipalKind.AGENT),
            replace(EVE, kind=PrincipalKind.SYSTEM),
            replace(EVE, scopes=("reviews:decide",)),
        ],
    )
    def test_nobody_else_does(self, site: Site, who: Principal) -> None:
        review = site.ask(CALL)
        with pytest.raises(NotPermitted):
            reveal(site.store, review.id, by=who)
        assert all(one.what != REVEALED for one in site.store.audit_entries())

    def test_another_tenant_finds_nothing(self, site: Site) -> None:
        review = site.ask(CALL)
        with pytest.raises(NotFound):
            reveal(site.store, review.id, by=replace(STRANGER, roles=(REVEAL,)))

    def test_nothing_is_shown_that_the_log_does_not_have(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        review = site.ask(CALL)

        def full(*_: Any) -> None:
            raise StoreError("the disk is full")

        monkeypatch.setattr(site.store, "note", full)
        with pytest.raises(StoreError):
            reveal(site.store, review.id, by=EVE)

    def test_without_the_key_or_with_another(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        review = site.ask(CALL)
        monkeypatch.delenv(VARIABLE)
        with pytest.raises(ConfigError, match=VARIABLE):
            reveal(site.store, review.id, by=EVE)
        monkeypatch.setenv(VARIABLE, new_key())
        with pytest.raises(ConfigError, match="put that key behind"):
            reveal(site.store, review.id, by=EVE)

    def test_a_swapped_blob_opens_nothing(self, site: Site) -> None:
        one, other = (
            site.ask(CALL, thread="a"),
            site.ask(replace(CALL, arguments={**CALL.arguments, "password": "b-Secret9"}), thread="b"),
        )
        store = site.store
        assert isinstance(store, MemoryStore)
        (mine,), (theirs,) = store.sealed(one.id), store.sealed(other.id)
        store._sealed[one.id, "call"] = replace(theirs, review_id=one.id)
        with pytest.raises(ReviewError, match="another review"):
            reveal(store, one.id, by=EVE)
        store._sealed[one.id, "call"] = mine
        assert reveal(store, one.id, by=EVE).arguments == CALL.arguments

    def test_what_was_sealed_for_another_call_of_that_name(self, site: Site) -> None:
        review = site.ask(CALL)
        vault = Vault.from_environment()
        assert vault is not None
        bound = {"review_id": review.id, "tenant": "", "slot": "call"}
        store = site.store
        assert isinstance(store, MemoryStore)
        store._sealed[review.id, "call"] = vault.seal({"to": "other"}, at=review.at, **bound)
        with pytest.raises(ReviewError, match="not the call"):
            reveal(store, review.id, by=EVE)
        assert all(one.what != REVEALED for one in store.audit_entries())

    def test_where_nothing_is_hidden_or_kept(self, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(NotFound, match="nothing of it is hidden"):
            reveal(site.store, site.ask().id, by=EVE)
        monkeypatch.delenv(VARIABLE)
        with pytest.raises(NotFound, match="not kept"):
            reveal(site.store, site.ask(CALL, thread="later").id, by=EVE)


def test_the_command_line_reveals_with_the_key_alone(key: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"sqlite:///{tmp_path / 'guardrail.db'}"
    store: Store = open_store(url)
    review = Site(store=store).ask(CALL)
    store.close()

    def run(*command: str) -> str:
        return CliRunner().invoke(main, ["--store", url, "reviews", *command]).output

    looked = run("show", review.id)
    nowhere(looked)
    assert f"guardrail reviews reveal {review.id[:12]}" in looked
    assert PASSWORD in run("reveal", review.id, "--by", "eve")
    monkeypatch.delenv(VARIABLE)
    refused = run("reveal", review.id, "--by", "eve")
    nowhere(refused)
    assert VARIABLE in refused
    monkeypatch.setenv(VARIABLE, f"{run('new-key').strip()},{key}")
    assert PASSWORD in run("reveal", review.id, "--by", "eve")


@pytest.mark.parametrize("sealed", ["keep", None, "drop"])
def test_a_policy_that_keeps_without_a_key_starts_nothing(sealed: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    rules = {"redaction": {"secrets": True, **({"sealed": sealed} if sealed else {})}, "default": {"tier": "critical"}}
    site = Site(rules=rules)
    if sealed == "keep":
        with pytest.raises(ConfigError, match=VARIABLE):
            site.ask(CALL)
        return
    assert site.ask(CALL).sealed is False


def test_a_policy_that_drops_keeps_nothing_although_there_is_a_key(key: str) -> None:
    site = Site(rules={"redaction": {"sealed": "drop"}, "default": {"tier": "critical"}})
    review = site.ask(CALL)
    assert review.hidden
    assert (review.sealed, site.store.sealed(review.id)) == (False, [])
    memo = {"to": "DE02", "amount": 1, "memo": f"use {TYPED}"}
    with pytest.raises(ReviewError, match="the policy keeps nothing"):
        site.queue.edit(review.id, by=ANA, arguments=memo)


def test_a_key_that_is_none_starts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "no key")
    with pytest.raises(ConfigError, match=VARIABLE):
        Site().ask(CALL)
