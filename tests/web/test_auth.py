"""Signing in and out in a browser: cookies, one-time links, and what is tried at the door."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from starlette.testclient import TestClient

from guardrail.access import principal_of
from guardrail.store import Store
from guardrail.web import Settings
from guardrail.web.auth import Authenticated, first_run
from tests.access.doors import PASSWORD
from tests.web.entrance import Entrance, Loud, csrf_of
from tests.web.reading import read, send
from tests.web.serving import Site

HTTPS = "https://reviews.example.com"


@pytest.fixture
def entrance() -> Entrance:
    return Entrance()


def sign_in(entrance: Entrance, browser: TestClient, **changes: Any) -> Any:
    return send(browser, entrance.see(browser, "/login"), "login", **{"name": "root", "password": PASSWORD, **changes})


def cookie(answer: Any, name: str) -> str:
    (found,) = [one for one in answer.headers.get_list("set-cookie") if one.startswith(f"{name}=")]
    return str(found)


def test_somebody_signs_in_works_and_signs_out(store: Store) -> None:
    entrance = Entrance(store=store)
    browser = entrance.signed_in()
    page = entrance.see(browser, "/account")
    assert page.one("h1").text == "root"
    kept = browser.cookies["guardrail"]
    assert browser.post("/logout", data={"csrf": csrf_of(page)}).headers["location"] == "/login"
    assert "guardrail" not in browser.cookies
    browser.cookies.set("guardrail", kept)
    assert browser.get("/account").headers["location"] == "/login?next=%2Faccount"


def test_cookies_are_for_this_server_and_no_script(entrance: Entrance) -> None:
    plain = cookie(sign_in(entrance, entrance.browser()), "guardrail")
    assert {"HttpOnly", "Path=/", "SameSite=lax"} <= set(plain.split("; "))
    assert "Domain" not in plain
    secure = Entrance(settings=Settings(url=HTTPS))
    browser = secure.browser()
    before = cookie(browser.get("/login"), "__Host-guardrail-before")
    after = cookie(sign_in(secure, browser), "__Host-guardrail")
    for one in (before, after):
        assert {"HttpOnly", "Path=/", "Secure"} <= set(one.split("; "))
        assert "samesite=lax" in one.lower()
        assert "domain" not in one.lower()


def test_a_session_that_somebody_planted_is_not_taken_over(entrance: Entrance) -> None:
    browser = entrance.browser()
    browser.cookies.set("guardrail", "planted" * 6)
    answer = sign_in(entrance, browser)
    assert answer.status_code == 303
    assert "planted" not in cookie(answer, "guardrail")
    assert entrance.access.session("planted" * 6) is None


def test_signing_in_again_ends_the_session_before(entrance: Entrance) -> None:
    entrance.add("ana")
    browser = entrance.signed_in()
    old = browser.cookies["guardrail"]
    form = {"name": "ana", "password": PASSWORD, "csrf": csrf_of(entrance.see(browser, "/account"))}
    assert browser.post("/login", data=form).status_code == 303
    assert entrance.access.session(old) is None
    assert entrance.see(browser, "/account").one("h1").text == "ana"


def test_two_cookies_of_one_name_are_none(entrance: Entrance) -> None:
    kept = entrance.signed_in().cookies["guardrail"]
    for sent in (f"guardrail={kept}; guardrail=planted", f"guardrail=planted; guardrail={kept}"):
        assert entrance.browser(cookie=sent).get("/account").status_code == 303
    assert entrance.browser(cookie=f"theme=dark; guardrail={kept}").get("/account").status_code == 200


@pytest.mark.parametrize("value", ["", "x", "a" * 5000, "%00", "' OR 1=1 --", "\xff\xfe", "guardrail=x"])
def test_a_cookie_that_is_none_is_nobody(entrance: Entrance, value: str) -> None:
    answer = entrance.browser(cookie=f"guardrail={value}".encode("latin-1")).get("/account")  # type: ignore[arg-type]
    assert answer.status_code == 303


@pytest.mark.parametrize(
    "there",
    ["//evil.example", "https://evil.example", "/\\evil.example", "\\\\evil.example", "evil.example", "/\t/evil.example",
     "javascript:alert(1)", "/a\r\nset-cookie: x=y", "/\u2028", ""],
)  # fmt: skip
def test_after_signing_in_one_stays_on_this_server(entrance: Entrance, there: str) -> None:
    answer = sign_in(entrance, entrance.browser(), next=there)
    assert answer.headers["location"] == "/"
    assert entrance.signed_in().get("/login", params={"next": there}).headers["location"] == "/"


def test_after_signing_in_one_is_where_one_wanted_to_be(entrance: Entrance) -> None:
    browser = entrance.browser()
    asked = browser.get("/reviews?state=all&tool=transfer")
    page = entrance.see(browser, asked.headers["location"])
    answer = send(browser, page, "login", name="root", password=PASSWORD)
    assert answer.headers["location"] == "/reviews?state=all&tool=transfer"


def test_who_fails_is_not_told_why(entrance: Entrance) -> None:
    gone = entrance.add("ana")
    entrance.access.disable(gone.id, by=principal_of(entrance.root))
    answers = [
        sign_in(entrance, entrance.browser(), name=name, password=password)
        for name, password in [("root", "wrong" * 4), ("nobody", PASSWORD), ("ana", PASSWORD), ("", ""), ("root", "")]
    ]
    assert {answer.status_code for answer in answers} == {403}
    told = {entrance_problem(answer.text) for answer in answers}
    assert told == {"Name and password do not fit."}
    assert all("guardrail=" not in str(answer.headers.get_list("set-cookie")) for answer in answers)


def entrance_problem(text: str) -> str:
    return read(text).one("p", id="problem").text


def test_what_was_typed_comes_back_as_text(entrance: Entrance) -> None:
    hostile = '"><script>alert(1)</script>\u202e\u200b'
    answer = sign_in(entrance, entrance.browser(), name=hostile)
    page = read(answer.text)
    assert page.one("input", id="name").attributes["value"] == hostile
    assert not [one for one in page.all("script") if "src" not in one.attributes]


def test_guessing_is_slowed_down_by_name_however_it_is_written(entrance: Entrance) -> None:
    for name in ("root", "ROOT", "r\u043eot", "ro\u200bot", " root"):
        assert sign_in(entrance, entrance.browser(), name=name, password="wrong" * 4).status_code == 403
    answer = sign_in(entrance, entrance.browser())
    assert answer.status_code == 429
    assert int(answer.headers["retry-after"]) >= 1
    entrance.clock.move(60)
    assert sign_in(entrance, entrance.browser()).status_code == 303


def test_guessing_is_slowed_down_by_address(entrance: Entrance) -> None:
    codes = [
        sign_in(entrance, entrance.browser(), name=f"name{chr(97 + number)}", password="wrong" * 4).status_code
        for number in range(22)
    ]
    assert codes[:20] == [403] * 20
    assert codes[-1] == 429


def test_who_finds_a_browser_open_cannot_guess_the_password_there(entrance: Entrance) -> None:
    browser = entrance.signed_in()
    form = {"old": "wrong" * 4, "new": "another long phrase", "again": "another long phrase"}
    answers = [
        browser.post("/account/password", data={**form, "csrf": csrf_of(entrance.see(browser, "/account"))})
        for _ in range(6)
    ]
    assert [answer.status_code for answer in answers] == [422] * 6
    assert "too many attempts" in answers[-1].text


def test_a_new_password_ends_all_sessions_but_gives_this_browser_a_new_one(entrance: Entrance) -> None:
    browser, other = entrance.signed_in(), entrance.signed_in()
    old = browser.cookies["guardrail"]
    page = entrance.see(browser, "/account")
    new = "another long phrase"
    assert send(browser, page, "change-password", old=PASSWORD, new=new, again=new).status_code == 303
    assert browser.get("/account").status_code == 200
    assert other.get("/account").status_code == 303
    assert browser.cookies["guardrail"] != old
    assert sign_in(entrance, entrance.browser()).status_code == 403
    assert sign_in(entrance, entrance.browser(), password=new).status_code == 303


def test_a_session_ends_when_it_is_idle_and_when_it_is_old(entrance: Entrance) -> None:
    browser = entrance.signed_in()
    entrance.clock.move(2 * 3600 + 1)
    assert browser.get("/account").status_code == 303
    browser = entrance.signed_in()
    for _ in range(11):
        entrance.clock.move(3600)
        assert browser.get("/account").status_code == 200
    entrance.clock.move(3600)
    assert browser.get("/account").status_code == 303


def test_one_ends_other_sessions_of_ones_own_only(entrance: Entrance) -> None:
    entrance.add("ana")
    browser, other, foreign = entrance.signed_in(), entrance.signed_in(), entrance.signed_in("ana")
    foreign_id = entrance.access.sessions(entrance.access.named("ana") or entrance.root)[0].id
    page = entrance.see(browser, "/account")
    (path,) = [
        one.attributes["action"] for one in page.all("form", method="post") if "/sessions/" in one.attributes["action"]
    ]
    assert browser.post(path, data={"csrf": csrf_of(page)}).status_code == 303
    assert other.get("/account").status_code == 303
    browser.post(f"/account/sessions/{foreign_id}/end", data={"csrf": csrf_of(page)})
    assert foreign.get("/account").status_code == 200
    assert browser.get("/account").status_code == 200


def test_the_first_link_makes_the_first_account_and_nothing_else_does(store: Store) -> None:
    site = Site(store=store, door=Authenticated)
    browser = TestClient(Loud(site.app), base_url=site.settings.url, follow_redirects=False)
    for name in ("admin", "root", "guardrail", ""):
        token = csrf_of_text(browser.get("/login").text)
        form = {"name": name, "password": name or "admin", "csrf": token}
        assert browser.post("/login", data=form).status_code == 403
    link = first_run(store, site.settings)
    assert link is not None
    path = link.removeprefix(site.settings.url)
    form = {"name": "root", "password": PASSWORD, "again": PASSWORD, "csrf": csrf_of_text(browser.get(path).text)}
    assert browser.post(path, data={**form, "again": "another"}).status_code == 422
    assert browser.post(path, data={**form, "password": "short", "again": "short"}).status_code == 422
    assert browser.post(path, data=form).status_code == 303
    assert browser.get("/people").status_code == 200
    assert browser.get(path).status_code == 410
    assert first_run(store, site.settings) is None


def csrf_of_text(text: str) -> str:
    return csrf_of(read(text))


def test_a_link_leads_nowhere_by_looking_and_once_by_using(entrance: Entrance) -> None:
    path = f"/welcome/{entrance.access.invite('ana', ('treasury',), by=principal_of(entrance.root))}"
    for _ in range(3):  # mail scanners and previews
        assert entrance.browser().get(path).status_code == 200
        entrance.browser().head(path)
    browser = entrance.browser()
    page = entrance.see(browser, path)
    assert page.one("input", id="name").attributes["value"] == "ana"
    form = {"name": "root", "password": PASSWORD, "again": PASSWORD, "csrf": csrf_of(page)}
    assert browser.post(path, data=form).status_code == 303
    assert entrance.see(browser, "/account").one("h1").text == "ana"  # whatever name is sent
    again = entrance.browser()
    token = csrf_of(entrance.see(again, "/login"))
    assert again.post(path, data={**form, "csrf": token}).status_code == 410


@pytest.mark.parametrize("secret", ["x", "a" * 43, "..%2f..", "%00", "\u00e9" * 43, "a" * 3000])
def test_a_link_that_is_none_is_told_so(entrance: Entrance, secret: str) -> None:
    assert entrance.browser().get(f"/welcome/{secret}").status_code in (404, 410)


def test_links_of_an_admin_who_was_shut_out_hold_no_more(entrance: Entrance) -> None:
    bad = entrance.add("eve", "admin")
    secret = entrance.access.invite("accomplice", ("admin",), by=principal_of(bad))
    entrance.access.set_roles(bad.id, (), by=principal_of(entrance.root))
    assert entrance.browser().get(f"/welcome/{secret}").status_code == 410


def test_no_secret_is_logged(entrance: Entrance, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    secret = entrance.access.invite("ana", (), by=principal_of(entrance.root))
    text = entrance.token(entrance.root, "reviews:read")
    browser = entrance.signed_in()
    browser.get(f"/welcome/{secret}")
    sign_in(entrance, entrance.browser(), password="a wrong long phrase")
    entrance.program(text).get("/api/v1/reviews")
    said = "\n".join(str(one.__dict__) for one in caplog.records if one.name.startswith("guardrail"))
    for hidden in (secret, PASSWORD, "a wrong long phrase", text, browser.cookies["guardrail"]):
        assert hidden not in said


def test_pages_with_secrets_are_kept_by_nobody(entrance: Entrance) -> None:
    path = f"/welcome/{entrance.access.invite('ana', (), by=principal_of(entrance.root))}"
    for answer in (
        entrance.browser().get(path),
        entrance.browser().get("/login"),
        entrance.signed_in().get("/account"),
    ):
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["referrer-policy"] == "same-origin"
