"""Who may do what, over every route there is: new ones cannot be forgotten, for they are found by walking."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from guardrail.types import Principal, PrincipalKind, Review, ReviewState
from tests.web.serving import ANA, BOSS, BOT, READER, STRANGER, Site

PUBLIC = {
    "/api/v1/openapi.json",
    "/healthz",
    "/readyz",
    "/",
    "/login",
    "/logout",
    "/welcome/{secret}",
    "/oidc/login",
    "/oidc/callback",
    "/theme",
}
"""Answered to anybody. What they show is the same for everybody, and they let nobody in without proof."""
DECIDING = {
    "/api/v1/reviews/{review_id}/claim": {},
    "/api/v1/reviews/{review_id}/renew": {},
    "/api/v1/reviews/{review_id}/release": {},
    "/api/v1/reviews/{review_id}/decide": {"type": "approve", "seen_digest": "DIGEST"},
    "/api/v1/reviews/{review_id}/comments": {"text": "hello"},
    "/api/v1/reviews/{review_id}/resolve": {"outcome": "ran"},
    "/api/v1/reviews/{review_id}/reveal": {},
    "/api/v1/reviews/decide-all": {"type": "approve", "reviews": [{"id": "ID", "seen_digest": "DIGEST"}]},
}
"""For people alone, each with a body that would be right."""
NO_SCOPE = replace(ANA, scopes=())


def routes(site: Site) -> Iterator[tuple[str, str]]:
    """Method and path of every route of the application, however its routers are nested."""
    from fastapi import routing

    walk = getattr(routing, "iter_route_contexts", iter)
    for route in walk(site.app.routes):
        path = getattr(route, "path", None)
        if path is None or path.startswith("/static"):
            continue
        for method in sorted((getattr(route, "methods", None) or {"GET"}) - {"HEAD"}):
            yield method, path


def filled(path: str, review: Review) -> str:
    return path.replace("{review_id}", review.id).replace("{record_id}", review.record_id)


def body(path: str, review: Review) -> Any:
    return _put(DECIDING.get(path, {}), review)


def _put(value: Any, review: Review) -> Any:
    if isinstance(value, dict):
        return {key: _put(inner, review) for key, inner in value.items()}
    if isinstance(value, list):
        return [_put(inner, review) for inner in value]
    return {"DIGEST": review.digest, "ID": review.id}.get(value, value)


def api_routes(site: Site) -> list[tuple[str, str]]:
    return [(method, path) for method, path in routes(site) if path.startswith("/api/") and path not in PUBLIC]


def test_the_walk_finds_the_routes(site: Site) -> None:
    found = set(routes(site))
    assert {("GET", "/api/v1/reviews"), ("POST", "/api/v1/reviews/{review_id}/decide"), ("GET", "/metrics")} <= found
    assert {path for method, path in found if method == "POST" and path.startswith("/api/")} == {*DECIDING}


def test_without_credentials_nothing_is_answered_but_what_is_public(site: Site) -> None:
    review = site.ask()
    for method, path in routes(site):
        if path in PUBLIC:
            continue
        answer = site.client(None).request(method, filled(path, review), json=body(path, review))
        if answer.status_code == 303:  # a way to another page, which does not answer either
            answer = site.client(None).get(answer.headers["location"])
        assert answer.status_code in (401, 403, 404, 422), (method, path, answer.status_code)
        if path.startswith("/api/") or path == "/metrics":
            assert answer.status_code == 401, (method, path)
        assert review.digest not in answer.text
    assert site.store.review(review.id) == review


def test_without_a_scope_nothing_is_answered(site: Site) -> None:
    review = site.ask()
    for method, path in api_routes(site):
        if path == "/api/v1/me":
            continue
        answer = site.client(NO_SCOPE).request(method, filled(path, review), json=body(path, review))
        assert answer.status_code == 403, (method, path, answer.text)
    assert site.store.review(review.id) == review


@pytest.mark.parametrize(
    "who",
    [
        BOT,
        replace(BOT, scopes=("reviews:read", "reviews:decide")),
        replace(BOSS, kind=PrincipalKind.SYSTEM),
        READER,
    ],
    ids=["agent", "agent with scopes", "system", "reader"],
)
def test_only_people_with_the_scope_decide(site: Site, who: Principal) -> None:
    review = site.ask(requester="somebody-else")
    site.queue.claim(review.id, by=ANA)
    before = site.store.review(review.id)
    for method, path in routes(site):
        if method == "GET":
            continue
        answer = site.client(who).request(
            method, filled(path, review), json=body(path, review), headers={"origin": site.settings.url}
        )
        if path in DECIDING:
            assert (answer.status_code, answer.json()["code"]) == (403, "not-permitted"), (method, path)
    assert site.store.review(review.id) == before


def test_the_requester_does_not_decide_on_its_own_call(site: Site) -> None:
    review = site.ask(requester="ana")
    answer = site.client(ANA).post(
        f"/api/v1/reviews/{review.id}/decide", json={"type": "approve", "seen_digest": review.digest}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "not-permitted")
    resolved = site.client(ANA).post(f"/api/v1/reviews/{review.id}/resolve", json={"outcome": "ran"})
    assert resolved.status_code == 403


def test_a_role_that_is_asked_for_is_needed(site: Site) -> None:
    review = site.ask(roles=("treasury",))
    said = {"type": "approve", "seen_digest": review.digest}
    assert site.client(ANA).post(f"/api/v1/reviews/{review.id}/decide", json=said).status_code == 403
    assert site.client(BOSS).post(f"/api/v1/reviews/{review.id}/decide", json=said).status_code == 200


def test_who_you_are_is_told(site: Site) -> None:
    assert site.client(READER).get("/api/v1/me").json() == {
        "name": "rita",
        "kind": "human",
        "tenant": "",
        "roles": [],
        "scopes": ["reviews:read"],
    }


def test_unknown_parameters_are_refused_on_every_route(site: Site) -> None:
    review = site.ask()
    for method, path in [*api_routes(site), ("GET", "/api/v1/openapi.json"), ("GET", "/healthz"), ("GET", "/metrics")]:
        where = f"{filled(path, review)}?nonsense=1"
        assert site.client(BOSS).request(method, where, json=body(path, review)).status_code == 422, (method, path)
    assert site.store.review(review.id).state is ReviewState.PENDING


def test_what_another_tenant_has_is_not_there_on_any_route(any_site: Site) -> None:
    ours, theirs = any_site.ask(tenant=""), any_site.ask_low(tenant="other")
    for who, own, other in ((BOSS, ours, theirs), (STRANGER, theirs, ours)):
        client = any_site.client(who)
        for method, path in api_routes(any_site):
            if path == "/api/v1/events":
                continue
            answer = client.request(method, filled(path, other), json=body(path, other))
            if "{" in path or method == "POST":
                assert answer.status_code == 404, (method, path, answer.text)
            else:
                assert answer.status_code in (200, 403, 422), (method, path)
            for secret in (other.digest, other.thread_id, other.record_id, "transfer" if who is STRANGER else "search"):
                assert secret not in answer.text, (method, path)
        assert client.get(f"/api/v1/reviews/{own.id}").status_code == 200
        assert client.get(f"/api/v1/records/{own.record_id}").status_code == 200
        assert [one["id"] for one in client.get("/api/v1/records").json()["records"]] == [own.record_id]
    assert any_site.store.review(ours.id) == ours
    assert any_site.store.review(theirs.id) == theirs


def test_records_are_listed_page_by_page_and_of_ones_own_tenant(any_site: Site) -> None:
    ours = [any_site.ask().record_id for _ in range(3)]
    theirs = [any_site.ask(tenant="other").record_id for _ in range(3)]
    for who, own in ((ANA, ours), (STRANGER, theirs)):
        client, found, after = any_site.client(who), [], ""
        while True:
            page = client.get("/api/v1/records", params={"limit": 2, "after": after}).json()
            found += [one["id"] for one in page["records"]]
            if not (after := page["after"]):
                break
            mine = after
        assert found == own[::-1]
        other = any_site.client(STRANGER if who is ANA else ANA)
        for forged in (mine, ours[0], theirs[0], f"{'0' * 12}{theirs[0]}", mine[:-1]):
            assert other.get("/api/v1/records", params={"after": forged}).status_code == 400
        assert client.get("/api/v1/records", params={"after": mine, "thread": "x"}).status_code == 400


def test_what_is_missing_and_what_is_anothers_are_told_alike(any_site: Site) -> None:
    theirs = any_site.ask(tenant="other")
    client = any_site.client(ANA)
    for kind, identity in (("reviews", theirs.id), ("records", theirs.record_id)):
        missing = client.get(f"/api/v1/{kind}/{'0' * 64}")
        other = client.get(f"/api/v1/{kind}/{identity}")
        assert missing.json() == other.json()
