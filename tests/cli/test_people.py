"""Accounts and tokens at the machine, through the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardrail.access import Access
from guardrail.cli.main import main
from guardrail.store import SQLiteStore
from guardrail.types import PrincipalKind

PASSWORD = "a long enough phrase"


@pytest.fixture
def store(tmp_path: Path) -> SQLiteStore:
    return SQLiteStore(tmp_path / "guardrail.db")


def run(store: SQLiteStore, *words: str, given: str | None = None) -> Result:
    return CliRunner().invoke(main, ["--store", store.url, *words], input=given)


def test_an_account_is_made_listed_changed_and_shut_out(store: SQLiteStore) -> None:
    access = Access(store)
    assert "no accounts yet" in run(store, "people", "list").output
    assert run(store, "people", "add", "ana", "--role", "admin", given=f"{PASSWORD}\n").exit_code == 0
    assert run(store, "people", "add", "ben", "--role", "ops", given=f"{PASSWORD}\n").exit_code == 0
    signed = access.sign_in("ben", PASSWORD)
    assert signed.principal.roles == ("ops",)
    assert run(store, "people", "roles", "ben", "treasury", "audit").output == "ben: audit, treasury\n"
    assert access.session(signed.cookie) is None
    assert run(store, "people", "disable", "ben").exit_code == 0
    listed = json.loads(run(store, "people", "list", "--json").output)
    assert [(one["name"], one["disabled"]) for one in listed] == [("ana", False), ("ben", True)]
    assert "argon2" not in run(store, "people", "list", "--json").output
    assert run(store, "people", "enable", "ben").exit_code == 0
    assert access.sign_in("ben", PASSWORD).principal.name == "ben"
    assert "treasury" in run(store, "people", "list").output
    assert any(entry.by.startswith("operator ") for entry in store.audit_entries(limit=100))


def test_a_link_is_printed_alone_and_works_once(store: SQLiteStore) -> None:
    made = run(store, "people", "invite", "ana", "--role", "admin", "--url", "https://reviews.example.com/")
    link = made.stdout.strip()
    assert link.startswith("https://reviews.example.com/welcome/")
    access = Access(store)
    account = access.accept(link.rpartition("/")[2], password=PASSWORD)
    assert account.roles == ("admin",)
    again = run(store, "people", "reset", "ana").stdout.strip()
    access.accept(again.rpartition("/")[2], password="another phrase for it")
    access.sign_in("ana", "another phrase for it")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["people", "disable", "nobody"], "no account of the name"),
        (["people", "disable", "ANA"], "ana is written so"),
        (["people", "disable", "ana"], "last admin"),
        (["people", "roles", "ana"], "last admin"),
        (["people", "invite", "Ana"], "looks the same"),
        (["people", "invite", "eve", "--url", "javascript:alert(1)"], "no address"),
        (["people", "add", "eve"], "12 to 1024 characters"),
        (["tokens", "create", "bot", "--scope", "reviews:decide"], "never decide"),
        (["tokens", "create", "bot", "--kind", "system", "--scope", "reviews:decide"], "never decide"),
        (["tokens", "create", "bot", "--scope", "all"], "scopes among"),
        (["tokens", "revoke", "0123"], "no such token"),
    ],
)
def test_what_cannot_be_done_is_told(store: SQLiteStore, words: list[str], said: str) -> None:
    run(store, "people", "add", "ana", "--role", "admin", given=f"{PASSWORD}\n")
    refused = run(store, *words, given="short\n")
    assert refused.exit_code == 2
    assert said in refused.stderr


def test_other_tenants_are_apart(store: SQLiteStore) -> None:
    run(store, "people", "add", "ana", "--role", "admin", given=f"{PASSWORD}\n")
    assert run(store, "people", "disable", "ana", "--tenant", "acme").exit_code == 2
    assert json.loads(run(store, "people", "list", "--json", "--tenant", "acme").output) == []


def test_an_agents_token_is_printed_alone_and_can_be_revoked(store: SQLiteStore) -> None:
    made = run(store, "tokens", "create", "shop-bot", "--scope", "reviews:read", "--days", "3")
    access = Access(store)
    who = access.token(made.stdout.strip())
    assert who is not None
    assert (who.name, who.kind, who.scopes) == ("shop-bot", PrincipalKind.AGENT, ("reviews:read",))
    (listed,) = json.loads(run(store, "tokens", "list", "--json").output)
    assert "secret" not in listed
    assert "shop-bot" in run(store, "tokens", "list").output
    assert run(store, "tokens", "revoke", listed["id"]).exit_code == 0
    assert access.token(made.stdout.strip()) is None
    assert "revoked" in run(store, "tokens", "list").output


def test_hidden_characters_of_a_name_are_shown(store: SQLiteStore) -> None:
    refused = run(store, "people", "disable", "a\u202ena")
    assert "\u202e" not in refused.output
