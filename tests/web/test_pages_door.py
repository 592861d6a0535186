"""The reviewers' page behind the real door: only its own forms, of who is signed in, change anything."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail.types import DecisionType, Review, ToolCall
from tests.web.entrance import Entrance
from tests.web.reading import fields, send
from tests.web.serving import CSRF

ELSEWHERE = {"origin": "https://evil.example"}
ACTS = ("decide", "claim", "release", "comment", "resolve", "reveal")


@pytest.fixture
def entrance() -> Entrance:
    made = Entrance()
    made.add("ana")
    return made


def form(review: Review, **more: str) -> dict[str, Any]:
    said = {"type": "approve", "digest": review.digest, "revision": str(review.revision)}
    return {**said, "text": "x", "outcome": "ran", "note": "x", **more}


def test_the_forms_of_a_page_are_taken(entrance: Entrance) -> None:
    review = entrance.ask()
    ana = entrance.signed_in("ana")
    page = entrance.see(ana, f"/reviews/{review.id}")
    assert send(ana, page, "decide").status_code == 303
    made = entrance.store.review(review.id).decision
    assert made is not None
    assert (made.type, made.by) == (DecisionType.APPROVE, "ana")


@pytest.mark.parametrize("token", [None, "", "x", CSRF])
def test_a_form_without_the_token_of_the_session_is_refused(entrance: Entrance, token: str | None) -> None:
    review, low = entrance.ask(), entrance.ask_low()
    ana = entrance.signed_in("ana")
    said = form(review) if token is None else form(review, csrf=token)
    together = {**said, "id": low.id, "chosen": f"{low.id}:{low.digest}"}
    for path, sent in (*((f"/reviews/{review.id}/{act}", said) for act in ACTS), ("/reviews/together", together)):
        assert ana.post(path, data=sent).status_code == 403, path
    assert entrance.store.review(review.id) == review
    assert entrance.store.review(low.id) == low


@pytest.mark.parametrize("headers", [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, ELSEWHERE])
def test_a_form_from_elsewhere_is_refused(entrance: Entrance, headers: dict[str, str]) -> None:
    review = entrance.ask()
    ana = entrance.signed_in("ana")
    said = dict(fields(entrance.see(ana, f"/reviews/{review.id}"), "decide"))
    for act in ACTS:
        answer = ana.post(f"/reviews/{review.id}/{act}", data={**form(review), **said}, headers=headers)
        assert answer.status_code == 403, act
    assert entrance.store.review(review.id) == review


def test_a_token_of_somebody_elses_session_is_none(entrance: Entrance) -> None:
    review = entrance.ask()
    page = entrance.see(entrance.signed_in("root"), f"/reviews/{review.id}")
    assert send(entrance.signed_in("ana"), page, "decide").status_code == 403
    assert entrance.store.review(review.id) == review


def test_what_was_opened_in_one_session_was_not_in_another(entrance: Entrance) -> None:
    call = {"to": "DE02", "amount": 250, "memo": "x" * 9000}
    review = entrance.ask(ToolCall(name="transfer", arguments=call, id="c1"))
    root, ana = entrance.signed_in("root"), entrance.signed_in("ana")
    theirs = fields(entrance.see(root, f"/reviews/{review.id}?open=all"), "decide")
    token = next(value for name, value in theirs if name == "opened")
    page = entrance.see(ana, f"/reviews/{review.id}")
    assert send(ana, page, "decide", opened=token).status_code == 422
    assert send(root, entrance.see(root, f"/reviews/{review.id}?open=all"), "decide").status_code == 303


def test_an_agents_token_decides_nothing_here(entrance: Entrance) -> None:
    review = entrance.ask()
    agent = entrance.program(entrance.agent_token("reviews:read"), accept="text/html")
    assert 'action="/reviews' not in agent.get(f"/reviews/{review.id}").text
    for act in ACTS:
        assert agent.post(f"/reviews/{review.id}/{act}", data=form(review)).status_code in (403, 409), act
    assert entrance.store.review(review.id) == review


def test_who_is_not_signed_in_is_led_to_the_door_and_back(entrance: Entrance) -> None:
    review = entrance.ask()
    answer = entrance.browser().get(f"/reviews/{review.id}")
    assert answer.status_code == 303
    assert answer.headers["location"] == f"/login?next=%2Freviews%2F{review.id}"
    for act in ACTS:
        assert entrance.browser().post(f"/reviews/{review.id}/{act}", data=form(review)).status_code in (303, 401, 403)
    assert entrance.store.review(review.id) == review


def test_the_error_pages_are_pages(entrance: Entrance) -> None:
    ana = entrance.signed_in("ana")
    assert entrance.see(ana, "/reviews/nothing", status=404).has("nav")
    assert entrance.see(ana, "/nothing/at/all", status=404).one("h1").text
