"""The API through its real door: tokens, sessions, and what each may do."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from guardrail.access import principal_of
from guardrail.types import Review, ReviewState
from tests.web.entrance import Entrance
from tests.web.test_api_access import DECIDING, PUBLIC, api_routes, body, filled

READ, DECIDE = "reviews:read", "reviews:decide"


@pytest.fixture
def entrance() -> Entrance:
    return Entrance()


def decide(client: TestClient, review: Review, **headers: str) -> int:
    said = {"type": "approve", "seen_digest": review.digest}
    return client.post(f"/api/v1/reviews/{review.id}/decide", json=said, headers=headers).status_code


def test_a_person_decides_by_a_token_of_theirs(entrance: Entrance) -> None:
    review = entrance.ask()
    program = entrance.program(entrance.token(entrance.add("ana"), READ, DECIDE))
    assert program.get("/api/v1/me").json()["name"] == "ana"
    assert decide(program, review) == 200
    kept = entrance.store.review(review.id).decision
    assert kept is not None
    assert kept.by == "ana"


def test_a_token_is_for_its_scopes_alone(entrance: Entrance) -> None:
    review = entrance.ask()
    ana = entrance.add("ana")
    assert decide(entrance.program(entrance.token(ana, READ)), review) == 403
    deaf = entrance.program(entrance.token(ana, "metrics:read"))
    assert deaf.get("/api/v1/reviews").status_code == 403
    assert entrance.store.review(review.id).state is ReviewState.PENDING


def test_an_agents_token_reads_and_never_decides(entrance: Entrance) -> None:
    review = entrance.ask(requester="somebody-else")
    agent = entrance.program(entrance.agent_token(READ))
    assert agent.get(f"/api/v1/reviews/{review.id}").status_code == 200
    for path in DECIDING:
        answer = agent.post(filled(path, review), json=body(path, review))
        assert (answer.status_code, answer.json()["code"]) == (403, "not-permitted"), path
    assert entrance.store.review(review.id) == review


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Bearer grd_0000000000000000_" + "0" * 72, "Basic cm9vdDpyb290", "bearer x", "Token x"],
)
def test_what_is_no_token_opens_nothing(entrance: Entrance, header: str) -> None:
    review = entrance.ask()
    client = TestClient(entrance.app, base_url=entrance.settings.url)
    for method, path in api_routes(entrance):
        headers = {"authorization": header} if header else {}
        answer = client.request(method, filled(path, review), json=body(path, review), headers=headers)
        assert answer.status_code == 401, (method, path, answer.text)
    assert entrance.store.review(review.id) == review


def test_a_token_that_is_revoked_or_over_is_worth_nothing(entrance: Entrance) -> None:
    ana = entrance.add("ana")
    until = entrance.clock.after(3600)
    token, text = entrance.access.create_token("a", scopes=(READ,), by=principal_of(ana), owner=ana, until=until)
    program = entrance.program(text)
    assert program.get("/api/v1/reviews").status_code == 200
    entrance.clock.move(3601)
    assert program.get("/api/v1/reviews").status_code == 401
    token, text = entrance.access.create_token("b", scopes=(READ,), by=principal_of(ana), owner=ana)
    program = entrance.program(text)
    assert program.get("/api/v1/reviews").status_code == 200
    entrance.access.revoke_token(token.id, by=principal_of(ana))
    assert program.get("/api/v1/reviews").status_code == 401


def test_whoever_is_shut_out_decides_no_more(entrance: Entrance) -> None:
    review, ana = entrance.ask(), entrance.add("ana")
    program, browser = entrance.program(entrance.token(ana, READ, DECIDE)), entrance.signed_in("ana")
    entrance.access.disable(ana.id, by=principal_of(entrance.root))
    assert decide(program, review) == 401
    assert browser.get("/api/v1/reviews").status_code == 401


def test_a_session_decides_with_the_form_token_from_our_own_pages_alone(entrance: Entrance) -> None:
    review = entrance.ask()
    entrance.add("ana")
    browser = entrance.signed_in("ana")
    signed = entrance.access.session(browser.cookies["guardrail"])
    assert signed is not None
    own, evil = {"origin": entrance.settings.url}, {"origin": "https://evil.example"}
    token = {"x-csrf-token": signed.csrf}
    assert browser.get("/api/v1/reviews").status_code == 200
    assert decide(browser, review) == 403
    assert decide(browser, review, **own) == 403
    assert decide(browser, review, **token, **evil) == 403
    assert decide(browser, review, **token, **{"sec-fetch-site": "cross-site"}) == 403
    assert decide(browser, review, **{"x-csrf-token": "0" * 64}, **own) == 403
    assert entrance.store.review(review.id).state is ReviewState.PENDING
    assert decide(browser, review, **token, **own) == 200


def test_every_route_that_changes_something_needs_the_form_token_in_a_session(entrance: Entrance) -> None:
    review = entrance.ask()
    browser = entrance.signed_in()
    for method, path in api_routes(entrance):
        if method != "GET":
            answer = browser.request(method, filled(path, review), json=body(path, review))
            assert answer.status_code == 403, (method, path)
    assert entrance.store.review(review.id) == review


def test_what_is_public_knows_nobody(entrance: Entrance) -> None:
    review = entrance.ask()
    client = TestClient(entrance.app, base_url=entrance.settings.url, follow_redirects=False)
    for path in PUBLIC:
        answer = client.get(path.replace("{secret}", "nothing"))
        assert answer.status_code < 500, path
        assert review.id not in answer.text


def test_what_is_hidden_is_revealed_to_people_with_the_role_and_written_down(
    entrance: Entrance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from guardrail.redaction import VARIABLE, new_key
    from tests.web.serving import transfer

    monkeypatch.setenv(VARIABLE, new_key())
    secret = "sk-proj-" + "a1B2c3D4e5F6g7H8" * 3
    review = entrance.ask(transfer(memo=f"use {secret}"))
    assert review.hidden
    assert review.sealed
    seer, other = entrance.add("seer", "reviews:reveal"), entrance.add("other")
    path = f"/api/v1/reviews/{review.id}/reveal"
    for program, status in (
        (entrance.program(entrance.token(other, READ, DECIDE)), 403),
        (entrance.program(entrance.token(seer, DECIDE)), 403),
        (entrance.program(entrance.agent_token(READ)), 403),
        (entrance.program(entrance.token(seer, READ)), 200),
    ):
        assert secret not in program.get(f"/api/v1/reviews/{review.id}").text
        assert program.get(path).status_code == 405
        answer = program.post(path)
        assert answer.status_code == status
        assert (secret in answer.text) == (status == 200)
    entries = [one for one in entrance.store.audit_entries(limit=10_000) if one.what == "hidden.revealed"]
    assert [(one.subject, one.by) for one in entries] == [(review.id, "seer")]
    monkeypatch.delenv(VARIABLE)
    assert entrance.program(entrance.token(seer, READ)).post(path).status_code == 503
