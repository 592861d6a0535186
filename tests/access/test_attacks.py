"""What is tried at the same time, or after one has been shut out."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from argon2 import PasswordHasher

from guardrail.access import Access, Passwords
from guardrail.errors import AccessError, NotPermitted, TooManyAttempts
from guardrail.types import Account
from tests.access.doors import CHEAP, PASSWORD, Door


def test_of_many_guesses_at_once_few_are_tried(any_door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    any_door.first()
    tried: list[str] = []
    fits = Passwords.fits
    monkeypatch.setattr(Passwords, "fits", lambda self, kept, said: bool(tried.append(said)) or fits(self, kept, said))

    def guess(number: int) -> type[Exception]:
        try:
            any_door.access.sign_in("root", f"a wrong phrase {number}")
        except AccessError as error:
            return type(error)
        raise AssertionError

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(guess, range(64)))
    assert found.count(TooManyAttempts) >= 64 - 5 - 8
    assert len(tried) <= 5 + 8


@pytest.mark.parametrize("name", ["ROOT", "r\u043eot", "ro\u200bot", " root", "r\u00f6ot", "\uff52oot"])
def test_a_name_written_otherwise_has_no_guesses_of_its_own(door: Door, name: str) -> None:
    door.first()
    for _ in range(5):
        with pytest.raises(AccessError, match="do not fit"):
            door.access.sign_in("root", "a wrong phrase")
    with pytest.raises(TooManyAttempts):
        door.access.sign_in(name, PASSWORD)


def test_signing_in_rightly_does_not_use_up_an_address(door: Door) -> None:
    door.first()
    for _ in range(60):  # people behind one address
        door.access.sign_in("root", PASSWORD, address="10.0.0.1")


@pytest.mark.parametrize("what", ["disable", "set_roles"])
def test_admins_who_shut_each_other_out_at_once_leave_one(any_door: Door, what: str) -> None:
    root = any_door.first()
    ana = any_door.invited("ana", "admin", by=root)

    def shut(pair: tuple[Account, Account]) -> bool:
        by, whom = pair
        change: tuple[Any, ...] = () if what == "disable" else ((),)
        try:
            getattr(any_door.access, what)(whom.id, *change, by=any_door.who(by))
        except NotPermitted:
            return False
        return True

    for _ in range(5):
        with ThreadPoolExecutor(2) as threads:
            list(threads.map(shut, [(root, ana), (ana, root)]))
        left = [any_door.access.account(one.id) for one in (root, ana)]
        ones = [one for one in left if one is not None and "admin" in one.roles and not one.disabled]
        assert ones
        for one in left:
            assert one is not None
            any_door.access.enable(one.id, by=any_door.who(ones[0]))
            any_door.access.set_roles(one.id, ("admin",), by=any_door.who(ones[0]))


def test_both_admins_past_the_check_take_it_back(door: Door, monkeypatch: pytest.MonkeyPatch) -> None:
    root = door.first()
    ana = door.invited("ana", "admin", by=root)
    monkeypatch.setattr(door.access, "_check_not_last", lambda account: None)  # as if each had looked before the other
    door.access.disable(ana.id, by=door.who(root))
    with pytest.raises(NotPermitted, match="last admin"):
        door.access.set_roles(root.id, (), by=door.who(ana))
    again = door.access.account(root.id)
    assert again is not None
    assert again.roles == ("admin",)


def test_links_of_somebody_who_may_not_make_them_any_more_are_worth_nothing(door: Door) -> None:
    root = door.first()
    ana = door.invited("ana", "admin", by=root)
    invitation = door.access.invite("eve", ("admin",), by=door.who(ana))
    reset = door.access.reset(root.id, by=door.who(ana))
    door.access.disable(ana.id, by=door.who(root))
    for secret in (invitation, reset):
        with pytest.raises(AccessError, match="has been used"):
            door.access.look(secret)
        with pytest.raises(AccessError, match="has been used"):
            door.access.accept(secret, password=PASSWORD)
    door.access.sign_in("root", PASSWORD)


def test_a_password_set_meanwhile_is_not_overwritten_by_the_old_one(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = door.first()
    dearer = Passwords(PasswordHasher(time_cost=2, memory_cost=16, parallelism=1))
    access = Access(door.store, clock=door.clock, passwords=dearer)
    again = dearer.again

    def meanwhile(password: str) -> str:
        door.access.change_password(root, old=PASSWORD, new="another long phrase")
        return again(password)

    monkeypatch.setattr(dearer, "again", meanwhile)
    with pytest.raises(AccessError, match="do not fit"):
        access.sign_in("root", PASSWORD)
    assert door.access.sign_in("root", "another long phrase").principal.name == "root"


def test_what_is_once_is_once(any_door: Door) -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: any_door.access.once("a state", timedelta(minutes=1)), range(16)))
    assert found.count(True) == 1
    assert any_door.access.once("another", timedelta(minutes=1))


def test_passwords_are_not_hashed_by_many_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    passwords, at_once, most, lock = Passwords(CHEAP), 0, 0, threading.Lock()
    kept, gate = passwords.again(PASSWORD), threading.Event()
    verify = CHEAP.verify

    class Counting:
        def verify(self, one: str, other: str) -> bool:
            nonlocal at_once, most
            with lock:
                at_once += 1
                most = max(most, at_once)
            gate.wait(0.05)
            with lock:
                at_once -= 1
            return verify(one, other)

    monkeypatch.setattr(passwords, "_hasher", Counting())
    with ThreadPoolExecutor(16) as threads:
        assert all(threads.map(lambda _: passwords.fits(kept, PASSWORD), range(32)))
    assert most <= 4
