"""People and tokens, by their pages: who may make whom, and what a token is worth."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from guardrail.access import principal_of
from guardrail.store import Store
from guardrail.types import Principal, PrincipalKind, ReviewState
from tests.access.doors import PASSWORD
from tests.web.entrance import Entrance, csrf_of
from tests.web.reading import Element, read, send


@pytest.fixture
def entrance() -> Entrance:
    return Entrance()


def post(entrance: Entrance, browser: TestClient, path: str, **form: str | list[str]) -> Any:
    token = csrf_of(entrance.see(browser, "/account"))
    return browser.post(path, data={**form, "csrf": token})


def row(page: Element, name: str) -> Element:
    return page.one("tr", data_person=name)


def test_an_admin_invites_somebody_who_then_signs_in(store: Store) -> None:
    entrance = Entrance(store=store)
    admin = entrance.signed_in()
    made = send(admin, entrance.see(admin, "/people"), "invite", name="ana", roles="treasury, ops")
    link = read(made.text).one("input", id="link").attributes["value"]
    assert link.startswith(f"{entrance.settings.url}/welcome/")
    assert "/welcome/" not in admin.get("/people").text
    browser = entrance.browser()
    path = link.removeprefix(entrance.settings.url)
    form = {"password": PASSWORD, "again": PASSWORD, "csrf": csrf_of(entrance.see(browser, path))}
    assert browser.post(path, data=form).status_code == 303
    assert "ops, treasury" in entrance.see(browser, "/account").text
    assert browser.get("/people").status_code == 403
    assert row(entrance.see(admin, "/people"), "ana").one("input", name="roles").attributes["value"] == "ops treasury"


def test_roles_change_and_the_old_session_goes(entrance: Entrance) -> None:
    ana = entrance.add("ana", "ops")
    admin, browser = entrance.signed_in(), entrance.signed_in("ana")
    assert post(entrance, admin, f"/people/{ana.id}/roles", roles="treasury").status_code == 303
    assert browser.get("/account").status_code == 303
    assert entrance.see(entrance.signed_in("ana"), "/account").text.count("treasury") == 1


def test_who_is_shut_out_is_out_at_once_with_tokens_and_sessions(entrance: Entrance) -> None:
    ana = entrance.add("ana")
    admin, browser = entrance.signed_in(), entrance.signed_in("ana")
    program = entrance.program(entrance.token(ana, "reviews:read"))
    assert program.get("/api/v1/reviews").status_code == 200
    assert post(entrance, admin, f"/people/{ana.id}/disable").status_code == 303
    assert browser.get("/account").status_code == 303
    assert program.get("/api/v1/reviews").status_code == 401
    assert post(entrance, admin, f"/people/{ana.id}/enable").status_code == 303
    assert browser.get("/account").status_code == 303
    assert program.get("/api/v1/reviews").status_code == 200


def test_a_forgotten_password_is_set_by_a_link(entrance: Entrance) -> None:
    ana = entrance.add("ana")
    admin, old = entrance.signed_in(), entrance.signed_in("ana")
    made = post(entrance, admin, f"/people/{ana.id}/reset")
    path = read(made.text).one("input", id="link").attributes["value"].removeprefix(entrance.settings.url)
    browser = entrance.browser()
    new = "yet another phrase"
    form = {"password": new, "again": new, "csrf": csrf_of(entrance.see(browser, path))}
    assert browser.post(path, data=form).status_code == 303
    assert old.get("/account").status_code == 303
    entrance.signed_in("ana", new)


@pytest.mark.parametrize("name", ["root", "ROOT", "r\u043eot", "ro\u200bot", "\u202e", "", "a" * 101])
def test_a_name_that_is_taken_or_none_is_told(entrance: Entrance, name: str) -> None:
    answer = post(entrance, entrance.signed_in(), "/people/invite", name=name, roles="")
    assert answer.status_code == 422
    assert read(answer.text).one("input", id="invite-name").attributes["value"] == name


PEOPLES = ["invite", "{root}/roles", "{root}/disable", "{root}/enable", "{root}/reset", "tokens", "tokens/0123/revoke"]


@pytest.mark.parametrize("path", PEOPLES)
def test_only_admins_manage_people(entrance: Entrance, path: str) -> None:
    entrance.add("ana", "treasury", "reviews:override")
    browser = entrance.signed_in("ana")
    where = f"/people/{path.format(root=entrance.root.id)}"
    token = csrf_of(entrance.see(browser, "/account"))
    mark = entrance.store.change_mark()
    answer = browser.post(where, data={"name": "eve", "roles": "admin", "scope": "reviews:read", "csrf": token})
    assert answer.status_code in (403, 422)
    assert entrance.store.change_mark() == mark


def test_tokens_manage_nobody(entrance: Entrance) -> None:
    program = entrance.program(entrance.token(entrance.root, "reviews:read", "reviews:decide"), accept="text/html")
    assert program.get("/people").status_code == 303  # to sign in
    assert program.get("/account").status_code == 303
    for path in ("/people/invite", "/people/tokens", "/account/tokens", "/account/password"):
        assert program.post(path, data={"name": "eve", "scope": "reviews:read"}).status_code in (303, 401, 403)
    assert len(entrance.access.accounts(by=principal_of(entrance.root))) == 1


def test_people_of_another_tenant_are_not_there(entrance: Entrance) -> None:
    operator = Principal(name="operator", kind=PrincipalKind.SYSTEM, roles=("admin",), tenant="acme")
    secret = entrance.access.invite("root", ("admin",), by=operator)  # names are a tenant's own
    entrance.access.accept(secret, password="another long phrase")
    browser = entrance.browser()
    given = {"name": "root", "password": "another long phrase"}
    assert send(browser, entrance.see(browser, "/login"), "login", **given).status_code == 403
    assert send(browser, entrance.see(browser, "/login"), "login", tenant="acme", **given).status_code == 303
    entrance.add("ana")
    page = entrance.see(browser, "/people")
    assert not page.has("tr", data_person="ana")
    for what in ("disable", "reset", "roles"):
        answer = post(entrance, browser, f"/people/{entrance.root.id}/{what}", roles="x")
        assert answer.status_code == 422
        assert "no such account" in answer.text
    review = entrance.ask()
    assert browser.get(f"/reviews/{review.id}").status_code == 404


def test_the_last_admin_stays(entrance: Entrance) -> None:
    admin = entrance.signed_in()
    for path, form in (("disable", {}), ("roles", {"roles": "treasury"})):
        answer = post(entrance, admin, f"/people/{entrance.root.id}/{path}", **form)
        assert answer.status_code == 422
        assert "last admin" in answer.text
    assert admin.get("/people").status_code == 200


def test_a_token_is_shown_once_does_what_it_is_for_and_can_be_revoked(entrance: Entrance) -> None:
    browser = entrance.signed_in()
    made = post(entrance, browser, "/account/tokens", name="ci", scope=["reviews:read"], days="30")
    text = read(made.text).one("input", id="token").attributes["value"]
    assert text.startswith("grd_")
    page = entrance.see(browser, "/account")
    assert text not in page.raw
    program = entrance.program(text)
    review = entrance.ask()
    assert program.get(f"/api/v1/reviews/{review.id}").status_code == 200
    assert program.post(f"/api/v1/reviews/{review.id}/claim", json={}).status_code == 403
    (path,) = [one.attributes["action"] for one in page.all("form") if one.attributes["action"].endswith("/revoke")]
    assert post(entrance, browser, path).status_code == 303
    answer = program.get("/api/v1/reviews")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_token_expires(entrance: Entrance) -> None:
    browser = entrance.signed_in()
    made = post(entrance, browser, "/account/tokens", name="ci", scope=["reviews:read"], days="1")
    program = entrance.program(read(made.text).one("input", id="token").attributes["value"])
    assert program.get("/api/v1/reviews").status_code == 200
    entrance.clock.move(24 * 3600)
    assert program.get("/api/v1/reviews").status_code == 401


@pytest.mark.parametrize(
    "form",
    [
        {"days": "-1"},
        {"days": "x"},
        {"days": "99999"},
        {"days": "\u0661"},
        {"scope": []},
        {"scope": ["all"]},
        {"name": ""},
    ],
)
def test_a_token_that_cannot_be_made_is_told(entrance: Entrance, form: dict[str, Any]) -> None:
    given = {"name": "ci", "scope": ["reviews:read"], "days": "1", **form}
    assert post(entrance, entrance.signed_in(), "/account/tokens", **given).status_code == 422
    assert entrance.access.tokens(by=principal_of(entrance.root)) == []


def test_an_agents_token_never_decides_whatever_is_asked_for(entrance: Entrance) -> None:
    admin = entrance.signed_in()
    for kind in ("agent", "system", "human", ""):
        refused = post(
            entrance, admin, "/people/tokens", name="bot", kind=kind, scope=["reviews:read", "reviews:decide"]
        )
        assert refused.status_code == 422
        assert "never decide" in refused.text
    made = post(entrance, admin, "/people/tokens", name="bot", kind="agent", scope=["reviews:read"])
    program = entrance.program(read(made.text).one("input", id="token").attributes["value"])
    review = entrance.ask()
    assert program.get(f"/api/v1/reviews/{review.id}").status_code == 200
    for path in ("claim", "release", "decide", "comments", "reveal"):
        answer = program.post(f"/api/v1/reviews/{review.id}/{path}", json={"type": "approve", "digest": review.digest})
        assert answer.status_code in (401, 403, 404, 405, 422), (path, answer.text)
    for path in ("claim", "decide", "release"):
        program.post(f"/reviews/{review.id}/{path}", data={"type": "approve", "digest": review.digest, "revision": "0"})
    assert entrance.store.review(review.id).state is ReviewState.PENDING
    assert entrance.store.review(review.id).votes == ()


@pytest.mark.parametrize(
    "text", ["", "x", "grd_", "grd_0123456789abcdef_" + "0" * 72, "bearer", "grd_\u00e9", "a" * 9000]
)
def test_what_is_no_token_is_told_so(entrance: Entrance, text: str) -> None:
    program = entrance.browser(authorization=f"Bearer {text}".encode("latin-1"), accept="application/json")  # type: ignore[arg-type]
    assert program.get("/api/v1/reviews").status_code == 401


def test_a_session_and_a_token_at_once_are_refused(entrance: Entrance) -> None:
    browser = entrance.signed_in()
    text = entrance.token(entrance.root, "reviews:read")
    answer = browser.get("/api/v1/reviews", headers={"authorization": f"Bearer {text}"})
    assert answer.status_code == 400
    two = [("authorization", f"Bearer {text}"), ("authorization", "Bearer x")]
    assert entrance.browser().get("/api/v1/reviews", headers=two).status_code == 400


def test_a_token_of_one_letter_less_is_none(entrance: Entrance) -> None:
    text = entrance.token(entrance.root, "reviews:read")
    for other in (text[:-1], text + "0", text[:-1] + ("0" if text[-1] != "0" else "1"), text.upper(), f" {text[1:]}"):
        assert entrance.program(other).get("/api/v1/reviews").status_code == 401
    assert entrance.program(text).get("/api/v1/reviews").status_code == 200


def test_every_change_is_in_the_audit_log_by_who_made_it(entrance: Entrance) -> None:
    admin = entrance.signed_in()
    post(entrance, admin, "/people/invite", name="ana", roles="")
    post(entrance, admin, "/account/tokens", name="ci", scope=["reviews:read"], days="1")
    told = [(entry.by, entry.what) for entry in entrance.store.audit_entries(limit=100)]
    assert ("root", "session.began") in told
    assert ("root", "invitation.invite") in told
    assert ("root", "token.created") in told


def test_hostile_names_are_text(entrance: Entrance) -> None:
    name = '"><img src=x onerror=alert(1)>'
    entrance.add(name, "treasury")
    admin = entrance.signed_in()
    page = entrance.see(admin, "/people")
    assert row(page, name).one("td", data_name="Name").text == name
    assert not page.all("img")
    assert entrance.see(entrance.signed_in(name), "/account").one("h1").text == name
