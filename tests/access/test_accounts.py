"""Accounts: made by one-time links, kept apart by tenant, changed by admins, and never without the last of them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from guardrail.errors import AccessError, GuardrailError, NotPermitted
from guardrail.types import Account, Principal, PrincipalKind
from tests.access.doors import PASSWORD, Door


def test_the_first_link_makes_an_admin_and_there_is_no_second(any_door: Door) -> None:
    root = any_door.first()
    assert (root.name, root.roles, root.disabled) == ("root", ("admin",), False)
    assert any_door.access.first_run() is None
    assert any_door.access.named("root") == root


def test_of_first_links_only_the_last_one_counts(door: Door) -> None:
    old, new = door.access.first_run(), door.access.first_run()
    assert old is not None
    assert new is not None
    with pytest.raises(AccessError, match="has been used, has expired"):
        door.access.accept(old, name="mallory", password=PASSWORD)
    door.access.accept(new, name="root", password=PASSWORD)
    with pytest.raises(AccessError):
        door.access.accept(new, name="mallory", password=PASSWORD)


def test_a_link_expires(door: Door) -> None:
    secret = door.access.first_run()
    assert secret is not None
    door.clock.move(3599)
    assert door.access.look(secret).roles == ("admin",)
    door.clock.move(1)
    with pytest.raises(AccessError):
        door.access.look(secret)


def test_looking_at_a_link_does_not_use_it(door: Door) -> None:
    secret = door.access.first_run()
    assert secret is not None
    mark = door.store.change_mark()
    for _ in range(3):
        door.access.look(secret)
    assert door.store.change_mark() == mark
    door.access.accept(secret, name="root", password=PASSWORD)


@pytest.mark.parametrize("secret", ["", "x", "a" * 300, "'; DROP TABLE access; --", "\ud800"])
def test_what_is_no_link_is_none(door: Door, secret: str) -> None:
    door.access.first_run()
    with pytest.raises(AccessError):
        door.access.look(secret)


def test_of_many_who_use_a_link_at_once_one_does(any_door: Door) -> None:
    root = any_door.first()
    secret = any_door.access.invite("ana", (), by=any_door.who(root))

    def use(_: int) -> bool:
        try:
            any_door.access.accept(secret, password=PASSWORD)
        except GuardrailError:
            return False
        return True

    with ThreadPoolExecutor(16) as threads:
        assert list(threads.map(use, range(32))).count(True) == 1


def test_of_many_who_use_the_first_link_with_other_names_one_does(any_door: Door) -> None:
    secret = any_door.access.first_run()
    assert secret is not None

    def use(number: int) -> bool:
        try:
            any_door.access.accept(secret, name=f"root{chr(97 + number)}", password=PASSWORD)
        except GuardrailError:
            return False
        return True

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(use, range(8))).count(True) == 1


@pytest.mark.parametrize(
    "name", ["Ana", "ana ", "\uff41\uff4e\uff41", "\u0430na", "an\u200ba", "", " ", "\u202e", "a" * 101, "a\nb"]
)
def test_a_name_that_looks_like_another_or_like_nothing_is_refused(door: Door, name: str) -> None:
    root = door.first()
    door.invited("ana", by=root)
    with pytest.raises(AccessError):
        door.access.invite(name, (), by=door.who(root))


@pytest.mark.parametrize(
    "password", ["short", "a" * 12, "Password1234", "passwordpassword", "root", "x" * 1025, "half \ud800 a character"]
)
def test_a_weak_password_is_refused_and_the_link_still_holds(door: Door, password: str) -> None:
    secret = door.access.first_run()
    assert secret is not None
    with pytest.raises(AccessError):
        door.access.accept(secret, name="root", password=password)
    door.access.accept(secret, name="root", password=PASSWORD)


def test_the_name_is_no_password(door: Door) -> None:
    secret = door.access.first_run()
    assert secret is not None
    with pytest.raises(AccessError, match="the password is the name"):
        door.access.accept(secret, name="Ana Maria Torres", password="ana maria torres1")


STRANGERS = [
    Principal(name="ben"),
    Principal(name="bot", kind=PrincipalKind.AGENT, roles=("admin",)),
    Principal(name="token", roles=("admin",), scopes=("reviews:read",)),
]


@pytest.mark.parametrize("by", STRANGERS)
def test_only_admins_in_a_session_manage_people(door: Door, by: Principal) -> None:
    root = door.first()
    for act in (
        lambda: door.access.invite("eve", (), by=by),
        lambda: door.access.set_roles(root.id, (), by=by),
        lambda: door.access.disable(root.id, by=by),
        lambda: door.access.enable(root.id, by=by),
        lambda: door.access.reset(root.id, by=by),
        lambda: door.access.accounts(by=by),
        lambda: door.access.tokens(by=by),
    ):
        with pytest.raises(NotPermitted):
            act()


def test_people_of_another_tenant_are_not_there(door: Door) -> None:
    root = door.first()
    stranger = Principal(name="sam", tenant="other", roles=("admin",))
    for act in (
        lambda: door.access.set_roles(root.id, ("x",), by=stranger),
        lambda: door.access.disable(root.id, by=stranger),
        lambda: door.access.reset(root.id, by=stranger),
    ):
        with pytest.raises(AccessError, match="no such account"):
            act()
    assert door.access.accounts(by=stranger) == []


def test_the_last_admin_stays_one(door: Door) -> None:
    root = door.first()
    who = door.who(root)
    with pytest.raises(NotPermitted, match="last admin"):
        door.access.set_roles(root.id, ("treasury",), by=who)
    with pytest.raises(NotPermitted, match="last admin"):
        door.access.disable(root.id, by=who)
    second = door.invited("ana", "admin", by=root)
    door.access.disable(second.id, by=who)
    with pytest.raises(NotPermitted, match="last admin"):
        door.access.disable(root.id, by=who)


@pytest.mark.parametrize("role", ["", " a", "rôle", "a\nb", "x" * 101])
def test_a_role_is_a_word(door: Door, role: str) -> None:
    root = door.first()
    with pytest.raises(AccessError):
        door.access.invite("ana", (role,), by=door.who(root))


def test_who_comes_by_a_provider_is_known_by_issuer_and_subject_alone(any_door: Door) -> None:
    made = any_door.access.provision("https://id.example", "s-1", name="ana", tenant="", roles=("ops",))
    assert any_door.access.of_subject("https://id.example", "s-1") == made
    assert any_door.access.of_subject("https://other.example", "s-1") is None
    again = any_door.access.provision("https://id.example", "s-1", name="renamed", tenant="", roles=("treasury",))
    assert (again.id, again.name, again.roles) == (made.id, "ana", ("treasury",))
    with pytest.raises(AccessError, match="looks the same"):
        any_door.access.provision("https://id.example", "s-2", name="Ana", tenant="", roles=())
    with pytest.raises(NotPermitted):
        any_door.access.provision("https://id.example", "s-3", name="eve", tenant="", roles=(), make=False)


def test_a_disabled_person_does_not_come_in_by_a_provider(door: Door) -> None:
    root = door.first()
    made = door.access.provision("https://id.example", "s-1", name="ana", tenant="", roles=())
    door.access.disable(made.id, by=door.who(root))
    with pytest.raises(NotPermitted, match="disabled"):
        door.access.provision("https://id.example", "s-1", name="ana", tenant="", roles=())


def test_every_change_is_in_the_audit_log_and_no_secret_is_kept(tmp_path, door: Door) -> None:
    from guardrail.store import SQLiteStore

    door = Door(store=SQLiteStore(tmp_path / "guardrail.db"))
    secret = door.access.first_run()
    assert secret is not None
    root = door.access.accept(secret, name="root", password=PASSWORD)
    signed = door.access.sign_in("root", PASSWORD)
    _, text = door.access.create_token("ci", scopes=("reviews:read",), by=door.who(root), owner=root)
    told = [entry.what for entry in door.store.audit_entries(limit=100)]
    for what in ("invitation.first-run", "invitation.used", "account.added", "session.began", "token.created"):
        assert what in told
    kept = b"".join(file.read_bytes() for file in tmp_path.iterdir())
    for hidden in (secret, PASSWORD, signed.cookie, signed.csrf, text, text.split("_")[2][:64]):
        assert hidden.encode() not in kept


def account_names(found: list[Account]) -> list[str]:
    return [one.name for one in found]


def test_people_are_listed_by_name(door: Door) -> None:
    root = door.first()
    door.invited("zoe", by=root)
    door.invited("Ben", by=root)
    assert account_names(door.access.accounts(by=door.who(root))) == ["Ben", "root", "zoe"]
