"""Signing in and out, and what ends a session."""

from __future__ import annotations

import pytest
from argon2 import PasswordHasher
from hypothesis import given
from hypothesis import strategies as st

from guardrail.access import Access, Passwords
from guardrail.errors import AccessError, NotPermitted, TooManyAttempts
from guardrail.types import Principal, PrincipalKind
from tests.access.doors import PASSWORD, Door


def test_who_knows_the_password_has_a_session(any_door: Door) -> None:
    any_door.first()
    signed = any_door.access.sign_in("root", PASSWORD, address="10.0.0.1", agent="Firefox")
    found = any_door.access.session(signed.cookie)
    assert found is not None
    assert found.principal == Principal(name="root", roles=("admin",))
    assert found.csrf == signed.csrf
    assert [one.address for one in any_door.access.sessions(found.account)] == ["10.0.0.1"]
    any_door.access.sign_out(signed.cookie)
    assert any_door.access.session(signed.cookie) is None
    any_door.access.sign_out(signed.cookie)


def test_each_session_has_secrets_of_its_own(door: Door) -> None:
    door.first()
    one, other = door.access.sign_in("root", PASSWORD), door.access.sign_in("root", PASSWORD)
    assert one.cookie != other.cookie
    assert one.csrf != other.csrf


@pytest.mark.parametrize(("name", "password"), [("root", "wrong" * 4), ("nobody", PASSWORD), ("", ""), ("root", "")])
def test_all_failures_are_told_alike(door: Door, name: str, password: str) -> None:
    door.first()
    with pytest.raises(AccessError, match=r"^name and password do not fit each other$"):
        door.access.sign_in(name, password)


def test_an_unknown_name_costs_a_hash_too(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    door.first()
    seen: list[str] = []
    fits = Passwords.fits

    def counted(self: Passwords, kept: str, password: str) -> bool:
        seen.append(kept)
        return fits(self, kept, password)

    monkeypatch.setattr(Passwords, "fits", counted)
    with pytest.raises(AccessError):
        door.access.sign_in("nobody", PASSWORD)
    assert seen == [""]


@pytest.mark.parametrize("cookie", ["", "x", "y" * 500, "\ud800"])
def test_a_cookie_that_is_none_is_nobody(door: Door, cookie: str) -> None:
    assert door.access.session(cookie) is None


def test_a_session_ends_when_nobody_uses_it(door: Door) -> None:
    door.first()
    signed = door.access.sign_in("root", PASSWORD)
    for _ in range(5):
        door.clock.move(3600)
        assert door.access.session(signed.cookie) is not None
    door.clock.move(7200)
    assert door.access.session(signed.cookie) is None


def test_a_session_ends_however_much_it_is_used(door: Door) -> None:
    door.first()
    signed = door.access.sign_in("root", PASSWORD)
    for _ in range(11):
        door.clock.move(3600)
        assert door.access.session(signed.cookie) is not None
    door.clock.move(3600)
    assert door.access.session(signed.cookie) is None


def test_looking_at_pages_does_not_write_each_time(door: Door) -> None:
    door.first()
    signed = door.access.sign_in("root", PASSWORD)
    before = door.store.access("session", signed.session.id)  # type: ignore[arg-type]
    for _ in range(10):
        door.clock.move(5)
        door.access.session(signed.cookie)
    assert door.store.access("session", signed.session.id) == before  # type: ignore[arg-type]


def test_what_ends_all_sessions(door: Door) -> None:
    root = door.first()
    ana = door.invited("ana", "ops", by=root)
    who = door.who(root)

    def sign_in(password: str = PASSWORD) -> str:
        return door.access.sign_in("ana", password).cookie

    cookie = sign_in()
    door.access.set_roles(ana.id, ("ops", "treasury"), by=who)
    assert door.access.session(cookie) is None
    cookie = sign_in()
    door.access.set_roles(ana.id, ("treasury", "ops"), by=who)
    assert door.access.session(cookie) is not None, "the same roles change nothing"
    current = door.access.account(ana.id)
    assert current is not None
    door.access.change_password(current, old=PASSWORD, new="another long phrase")
    assert door.access.session(cookie) is None
    cookie = sign_in("another long phrase")
    door.access.disable(ana.id, by=who)
    assert door.access.session(cookie) is None
    with pytest.raises(AccessError):
        sign_in("another long phrase")
    door.access.enable(ana.id, by=who)
    assert door.access.session(cookie) is None, "an old session does not come back"
    assert door.access.session(sign_in("another long phrase")) is not None


def test_a_new_password_takes_the_old_one_or_a_link(door: Door) -> None:
    root = door.first()
    with pytest.raises(AccessError, match="present password is wrong"):
        door.access.change_password(root, old="something else", new="another long phrase")
    secret = door.access.reset(root.id, by=door.who(root))
    cookie = door.access.sign_in("root", PASSWORD).cookie
    door.access.accept(secret, password="another long phrase")
    assert door.access.session(cookie) is None
    assert door.access.session(door.access.sign_in("root", "another long phrase").cookie) is not None


def test_one_ends_ones_own_sessions_only(door: Door) -> None:
    root = door.first()
    ana = door.invited("ana", by=root)
    signed = door.access.sign_in("root", PASSWORD)
    door.access.end_session(signed.session.id, account=ana)
    assert door.access.session(signed.cookie) is not None
    door.access.end_session(signed.session.id, account=root)
    assert door.access.session(signed.cookie) is None


def test_failures_make_the_next_attempt_wait_whoever_makes_it(any_door: Door) -> None:
    any_door.first()
    for number in range(6):
        with pytest.raises(AccessError):
            any_door.access.sign_in("root", f"wrong password {number}", address=f"10.0.0.{number}")
    other = Access(any_door.store, clock=any_door.clock, passwords=any_door.access._passwords)
    with pytest.raises(TooManyAttempts) as waiting:
        other.sign_in("root", PASSWORD, address="10.0.0.99")
    assert 0 < waiting.value.seconds <= 60
    any_door.clock.move(waiting.value.seconds)
    assert other.sign_in("root", PASSWORD).principal.name == "root"
    with pytest.raises(AccessError, match="do not fit"):
        other.sign_in("root", "wrong again and again")


def test_nobody_is_locked_out_for_long_by_somebody_elses_failures(door: Door) -> None:
    door.first()
    for number in range(40):
        with pytest.raises(AccessError):
            door.access.sign_in("root", "wrong password", address=f"10.0.{number}.1")
        door.clock.move(61)
    door.clock.move(61)
    assert door.access.sign_in("root", PASSWORD, address="10.1.1.1")


def test_an_address_that_tries_many_names_waits(door: Door) -> None:
    door.first()
    with pytest.raises(TooManyAttempts):
        for number in range(30):
            try:
                door.access.sign_in(f"name{number}", "wrong password", address="10.0.0.1")
            except TooManyAttempts:
                raise
            except AccessError:
                continue
    assert door.access.sign_in("root", PASSWORD, address="10.0.0.2")


def test_a_hash_at_an_old_cost_is_made_anew(door: Door) -> None:
    door.first()
    dearer = Access(
        door.store, clock=door.clock, passwords=Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    )
    before = door.access.named("root")
    dearer.sign_in("root", PASSWORD)
    after = door.access.named("root")
    assert before is not None
    assert after is not None
    assert before.password != after.password
    assert "t=2" in after.password
    dearer.sign_in("root", PASSWORD)


def test_a_persons_token_is_never_more_than_the_person(door: Door) -> None:
    root = door.first()
    ana = door.invited("ana", "treasury", "ops", by=root)
    token, text = door.access.create_token("ci", scopes=("reviews:read",), by=door.who(ana), owner=ana)
    who = door.access.token(text)
    assert who == Principal(name="ana", roles=("ops", "treasury"), scopes=("reviews:read",))
    door.access.set_roles(ana.id, ("ops", "admin"), by=door.who(root))
    who = door.access.token(text)
    assert who is not None
    assert who.roles == ("ops",), "what the owner lost is lost, what the owner won is not won"
    door.access.disable(ana.id, by=door.who(root))
    assert door.access.token(text) is None
    door.access.enable(ana.id, by=door.who(root))
    assert door.access.token(text) is not None
    door.access.revoke_token(token.id, by=door.who(ana))
    assert door.access.token(text) is None


def test_an_agents_token_never_decides(door: Door) -> None:
    root = door.first()
    with pytest.raises(NotPermitted, match="never decide"):
        door.access.create_token("bot", scopes=("reviews:decide",), by=door.who(root), kind=PrincipalKind.AGENT)
    _, text = door.access.create_token("bot", scopes=("reviews:read",), by=door.who(root), kind=PrincipalKind.AGENT)
    who = door.access.token(text)
    assert who == Principal(name="bot", kind=PrincipalKind.AGENT, scopes=("reviews:read",))


@pytest.mark.parametrize("scopes", [(), ("everything",), ("reviews:read", "admin")])
def test_scopes_are_known_ones(door: Door, scopes: tuple[str, ...]) -> None:
    root = door.first()
    with pytest.raises(AccessError, match="needs scopes among"):
        door.access.create_token("ci", scopes=scopes, by=door.who(root), owner=root)


def test_a_token_expires_and_one_that_has_is_not_made(door: Door) -> None:
    root = door.first()
    with pytest.raises(AccessError, match="expired already"):
        door.access.create_token(
            "ci", scopes=("reviews:read",), by=door.who(root), owner=root, until=door.clock.after(0)
        )
    _, text = door.access.create_token(
        "ci", scopes=("reviews:read",), by=door.who(root), owner=root, until=door.clock.after(60)
    )
    assert door.access.token(text) is not None
    door.clock.move(60)
    assert door.access.token(text) is None


def test_nobody_makes_a_token_for_somebody_else_or_by_a_token(door: Door) -> None:
    root = door.first()
    ana = door.invited("ana", by=root)
    with pytest.raises(NotPermitted):
        door.access.create_token("ci", scopes=("reviews:read",), by=door.who(root), owner=ana)
    bound = Principal(name="ana", scopes=("reviews:read",))
    with pytest.raises(NotPermitted):
        door.access.create_token("ci", scopes=("reviews:read",), by=bound, owner=ana)
    with pytest.raises(NotPermitted):
        door.access.create_token("bot", scopes=("reviews:read",), by=door.who(ana), kind=PrincipalKind.AGENT)


def test_tokens_are_revoked_by_their_owner_or_an_admin(door: Door) -> None:
    root = door.first()
    ana, ben = door.invited("ana", by=root), door.invited("ben", by=root)
    token, text = door.access.create_token("ci", scopes=("reviews:read",), by=door.who(ana), owner=ana)
    for by in (door.who(ben), Principal(name="sam", tenant="other", roles=("admin",))):
        with pytest.raises(AccessError, match="no such token"):
            door.access.revoke_token(token.id, by=by)
    assert door.access.token(text) is not None
    door.access.revoke_token(token.id, by=door.who(root))
    assert door.access.token(text) is None
    assert [one.revoked != "" for one in door.access.tokens_of(ana)] == [True]


@given(st.integers(0, 92), st.sampled_from("0123456789abcdefgx_"))
def test_a_token_that_was_changed_in_any_place_is_none(place: int, other: str) -> None:
    door = Door()
    root = door.first()
    _, text = door.access.create_token("ci", scopes=("reviews:read",), by=door.who(root), owner=root)
    if other != text[place]:
        assert door.access.token(text[:place] + other + text[place + 1 :]) is None
    assert door.access.token(text + "0") is None
    assert door.access.token(text[:-1]) is None
    assert door.access.token(text) is not None
