"""Forms come from our own pages only: over every route that changes something."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.web.entrance import Entrance, csrf_of

SAFE = {"GET", "HEAD", "OPTIONS"}


def unsafe(routes: Any) -> Iterator[tuple[str, str]]:
    """Every method and path that may change something."""
    for route in routes:
        included = getattr(route, "original_router", None)
        yield from unsafe(getattr(route, "routes", None) or getattr(included, "routes", None) or ())
        for method in sorted((getattr(route, "methods", None) or set()) - SAFE):
            yield method, re.sub(r"\{[^}]*\}", "0" * 64, route.path)


@pytest.fixture
def entrance() -> Entrance:
    return Entrance()


@pytest.fixture
def browser(entrance: Entrance) -> TestClient:
    return entrance.signed_in()


def test_all_routes_are_tried(entrance: Entrance) -> None:
    found = set(unsafe(entrance.app.routes))
    for path in ("/login", "/logout", "/people/invite", "/account/password", "/theme", "/audits/answer"):
        assert ("POST", path) in found
    assert len([path for _, path in found if path.startswith("/api/v1/reviews/")]) >= 3
    assert len(found) >= 20


def test_no_route_takes_a_session_without_the_forms_token(entrance: Entrance, browser: TestClient) -> None:
    mark = entrance.store.change_mark()
    for method, path in unsafe(entrance.app.routes):
        for sent in ({"json": {}}, {"data": {"name": "eve"}}, {"data": {"csrf": "0" * 64}}):
            if path.startswith("/api/") and "data" in sent:
                continue
            answer = browser.request(method, path, **sent)  # type: ignore[arg-type]
            assert answer.status_code == 403, (method, path, answer.status_code)
    assert entrance.store.change_mark() == mark


def test_no_route_takes_a_form_of_another_site(entrance: Entrance, browser: TestClient) -> None:
    token = csrf_of(entrance.see(browser, "/account"))
    mark = entrance.store.change_mark()
    for method, path in unsafe(entrance.app.routes):
        for headers in (
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"origin": "http://127.0.0.1:8444"},
            {"origin": "https://127.0.0.1:8443"},
        ):
            answer = browser.request(method, path, json={}, headers={**headers, "x-csrf-token": token})
            assert answer.status_code == 403, (method, path, headers, answer.status_code)
    assert entrance.store.change_mark() == mark


def test_no_form_is_taken_of_a_browser_in_which_nobody_asked_for_it(entrance: Entrance) -> None:
    for method, path in unsafe(entrance.app.routes):
        answer = entrance.browser().request(method, path, json={})
        assert answer.status_code in (401, 403), (method, path, answer.status_code)


def test_the_token_of_somebody_elses_session_is_none(entrance: Entrance, browser: TestClient) -> None:
    entrance.add("ana")
    foreign = csrf_of(entrance.see(entrance.signed_in("ana"), "/account"))
    assert browser.post("/theme", data={"csrf": foreign, "theme": "dark"}).status_code == 403
    own = csrf_of(entrance.see(browser, "/account"))
    assert browser.post("/theme", data={"csrf": own, "theme": "dark"}).status_code == 303
    assert browser.post("/theme", data={"theme": "dark"}, headers={"x-csrf-token": own}).status_code == 303
    assert browser.post("/theme", params={"csrf": own}, data={"theme": "dark"}).status_code == 403


def test_the_form_to_sign_in_is_bound_to_the_browser_that_asked_for_it(entrance: Entrance) -> None:
    victim, mallory = entrance.browser(), entrance.browser()
    form = {"name": "root", "password": "a long enough phrase"}
    token = csrf_of(entrance.see(mallory, "/login"))
    assert victim.post("/login", data={**form, "csrf": token}).status_code == 403
    entrance.see(victim, "/login")
    assert victim.post("/login", data={**form, "csrf": token}).status_code == 403
    assert mallory.post("/login", data={**form, "csrf": token}).status_code == 303


def test_the_tokens_of_before_are_worth_nothing_after_signing_in(entrance: Entrance) -> None:
    browser = entrance.browser()
    before = csrf_of(entrance.see(browser, "/login"))
    browser = entrance.signed_in()
    assert browser.post("/theme", data={"csrf": before, "theme": "dark"}).status_code == 403


def test_the_api_takes_a_session_with_the_token_in_the_header(entrance: Entrance, browser: TestClient) -> None:
    review = entrance.ask()
    path = f"/api/v1/reviews/{review.id}/claim"
    assert browser.post(path, json={}).status_code == 403
    token = csrf_of(entrance.see(browser, "/account"))
    taken = browser.post(path, json={}, headers={"x-csrf-token": token, "sec-fetch-site": "same-origin"})
    assert taken.status_code == 200, taken.text


def test_looking_changes_nothing(entrance: Entrance, browser: TestClient) -> None:
    secret = entrance.access.invite("eve", (), by=entrance_admin(entrance))
    mark = entrance.store.change_mark()
    for path in ("/login", "/logout", "/account", "/people", "/people/invite", f"/welcome/{secret}", "/account/tokens"):
        for method in ("GET", "HEAD", "OPTIONS"):
            browser.request(method, path)
            entrance.browser().request(method, path)
    assert entrance.store.change_mark() == mark
    assert browser.get("/account").status_code == 200
    assert entrance.access.look(secret).name == "eve"


def entrance_admin(entrance: Entrance) -> Any:
    from guardrail.access import principal_of

    return principal_of(entrance.root)


async def test_half_a_form_is_none(entrance: Entrance, browser: TestClient) -> None:
    """The browser goes away in the middle of sending: what has arrived must not be taken for the whole."""
    page = entrance.see(browser, "/people")
    body = f"csrf={csrf_of(page)}&name=eve&roles=treasury".encode()
    waiting: list[dict[str, Any]] = [
        {"type": "http.request", "body": body, "more_body": True},
        {"type": "http.disconnect"},
    ]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    mark = entrance.store.change_mark()
    headers = {
        "host": "127.0.0.1:8443",
        "cookie": f"guardrail={browser.cookies['guardrail']}",
        "content-type": "application/x-www-form-urlencoded",
        "content-length": str(len(body) + 20),
    }
    scope = {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": "/people/invite",
        "raw_path": b"/people/invite", "query_string": b"", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8443), "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip
    await entrance.app(scope, receive, send)
    assert entrance.store.change_mark() == mark
    assert not [one for one in sent if one.get("status") == 200]
