"""Laws of access, whatever is done in whichever order."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from guardrail.access import SCOPES
from guardrail.access.credentials import new_token, read_token
from guardrail.errors import GuardrailError, NotPermitted
from guardrail.names import skeleton
from guardrail.types import Account, ApiToken, Decision, DecisionType, Principal, PrincipalKind
from tests.access.doors import PASSWORD, Door
from tests.web.serving import Site

ROLES = ("admin", "ops", "treasury")
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("roles"), st.sets(st.sampled_from(ROLES))),
        st.tuples(st.just("token"), st.sets(st.sampled_from(SCOPES), min_size=1)),
        st.tuples(st.just("disable"), st.none()),
        st.tuples(st.just("enable"), st.none()),
        st.tuples(st.just("revoke"), st.integers(0, 3)),
        st.tuples(st.just("move"), st.integers(0, 7200)),
        st.tuples(st.just("session"), st.none()),
        st.tuples(st.just("password"), st.none()),
    ),
    min_size=1,
    max_size=20,
)


class People:
    """One person, whose rights change, and all that was ever given to her."""

    def __init__(self) -> None:
        self.door = Door()
        self.root = self.door.first()
        self.id = self.door.invited("ana", "ops", by=self.root).id
        self.tokens: list[tuple[str, str, set[str], set[str]]] = []
        self.cookies: list[tuple[str, int]] = []
        self.revoked: set[str] = set()
        self.passwords = 0

    @property
    def ana(self) -> Account:
        found = self.door.access.account(self.id)
        assert found is not None
        return found

    def do(self, what: str, how: Any) -> None:
        access, by, ana = self.door.access, self.door.who(self.root), self.ana
        if what == "roles":
            access.set_roles(self.id, tuple(how), by=by)
        elif what == "token":
            try:
                token, text = access.create_token("ci", scopes=tuple(how), by=self.door.who(ana), owner=ana)
            except NotPermitted:
                assert ana.disabled
            else:
                self.tokens.append((token.id, text, set(how), set(ana.roles)))
        elif what in ("disable", "enable"):
            getattr(access, what)(self.id, by=by)
        elif what == "revoke" and how < len(self.tokens):
            access.revoke_token(self.tokens[how][0], by=by)
            self.revoked.add(self.tokens[how][0])
        elif what == "move":
            self.door.clock.move(how)
        elif what == "session" and not ana.disabled:
            self.cookies.append((access.begin(ana).cookie, ana.epoch))
        elif what == "password":
            old, self.passwords = self.passwords, self.passwords + 1
            access.change_password(ana, old=_password(old), new=_password(old + 1))


def _password(number: int) -> str:
    return PASSWORD if number == 0 else f"{PASSWORD} {number}"


@given(STEPS)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_nothing_that_was_given_is_worth_more_than_the_person_is_now(steps: list[tuple[str, Any]]) -> None:
    people = People()
    for what, how in steps:
        people.do(what, how)
        ana, access = people.ana, people.door.access
        for identity, text, scopes, roles in people.tokens:
            who = access.token(text)
            if ana.disabled or identity in people.revoked:
                assert who is None
            else:
                assert who is not None
                assert who.name == "ana"
                assert set(who.scopes or ()) == scopes
                assert set(who.roles) == roles & set(ana.roles)
                with pytest.raises(NotPermitted):
                    access.accounts(by=who)  # no token manages people
        for cookie, epoch in people.cookies:
            signed = access.session(cookie)
            if ana.disabled or epoch != ana.epoch:
                assert signed is None
            elif signed is not None:
                assert (signed.principal.name, signed.principal.roles) == ("ana", ana.roles)
        assert any(
            "admin" in one.roles and not one.disabled for one in access.accounts(by=people.door.who(people.root))
        )


@given(
    kind=st.sampled_from([PrincipalKind.AGENT, PrincipalKind.SYSTEM]),
    scopes=st.sets(st.sampled_from(SCOPES), min_size=1),
)
@settings(deadline=None, max_examples=20)
def test_no_token_of_a_program_decides(kind: PrincipalKind, scopes: set[str]) -> None:
    door = Door()
    root = door.first()
    try:
        _, text = door.access.create_token("bot", scopes=tuple(scopes), by=door.who(root), kind=kind)
    except NotPermitted:
        assert "reviews:decide" in scopes
        return
    who = door.access.token(text)
    assert who is not None
    assert "reviews:decide" not in (who.scopes or ())
    assert who.roles == ()


@pytest.mark.parametrize("kind", [PrincipalKind.AGENT, PrincipalKind.SYSTEM])
def test_a_token_that_says_that_it_may_decide_is_not_believed(kind: PrincipalKind) -> None:
    """As if somebody had written it into the store."""
    site = Site()
    door = Door(store=site.store, clock=site.clock)
    root = door.first()
    token, text = door.access.create_token("bot", scopes=("reviews:read",), by=door.who(root), kind=kind)
    door.access._change(
        ApiToken, token.id, lambda one: replace(one, scopes=("reviews:read", "reviews:decide"), roles=("admin",))
    )
    who = door.access.token(text)
    assert who is not None
    assert who.scopes == ("reviews:read",)
    review = site.ask()
    decision = Decision(type=DecisionType.APPROVE, by="bot", at=site.clock().isoformat())
    for by in (who, Principal(name="bot", kind=kind, roles=("admin",))):
        with pytest.raises(NotPermitted):
            site.queue.decide(review.id, decision, by=by, seen_digest=review.digest)
    with pytest.raises(NotPermitted):
        door.access.invite("eve", (), by=who)


@given(st.text(max_size=120))
@settings(deadline=None, max_examples=200)
def test_only_whole_tokens_are_tokens(text: str) -> None:
    assert read_token(text) is None


@given(st.integers(0, 120), st.sampled_from("0123456789abcdefg_A \n"))
def test_a_token_with_another_character_is_none(place: int, other: str) -> None:
    identity, secret, text = new_token()
    assert read_token(text) == (identity, secret)
    changed = text[:place] + other + text[place + 1 :]
    assert read_token(changed) in (None, (identity, secret) if changed == text else None)


@given(st.lists(st.text("aA\u0430\u00e4 \u200bB8\u03b1", max_size=4), max_size=8))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_no_two_accounts_have_names_that_look_the_same(names: list[str]) -> None:
    door = Door()
    root = door.first()
    for name in names:
        try:
            door.invited(name, by=root)
        except GuardrailError:
            continue
    there = [one.name for one in door.access.accounts(by=door.who(root))]
    assert len({skeleton(name) for name in there}) == len(there)
    assert all(skeleton(name) for name in there)
