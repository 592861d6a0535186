"""Values that the policy hides: marks on the page, and a look at them that the audit log knows of."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail.engine import REVEAL, REVEALED
from guardrail.redaction import VARIABLE, new_key
from guardrail.store import MemoryStore
from guardrail.types import Principal, PrincipalKind, Review
from tests.web.reading import read, send
from tests.web.serving import ANA, CSRF, RULES, Site, transfer

SECRET = "DE89370400440532013000"
RULES_HIDING: dict[str, Any] = {**RULES, "redaction": {"paths": ["transfer.to"]}}
EVA = Principal(name="eva", roles=(REVEAL,))
EVA_ELSEWHERE = Principal(name="eva", roles=(REVEAL,), tenant="other")
EVA_BOT = Principal(name="eva", roles=(REVEAL,), kind=PrincipalKind.AGENT)


@pytest.fixture
def hiding(monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.setenv(VARIABLE, new_key())
    return Site(store=MemoryStore(), rules=RULES_HIDING)


def asked(site: Site) -> Review:
    review = site.ask(transfer(to=SECRET))
    assert review.hidden == ("/to",)
    return review


def test_a_hidden_value_is_on_no_page(hiding: Site) -> None:
    review = asked(hiding)
    for path in ("/reviews", f"/reviews/{review.id}?open=all&take=1", f"/records/{review.record_id}"):
        for who in (ANA, EVA):
            assert SECRET not in hiding.client(who).get(path).text
    page = read(hiding.client().get(f"/reviews/{review.id}").text)
    assert "1 value is hidden" in page.one(id="hidden").text
    assert "[hidden 1" in page.one("section", id="call").text
    assert not page.has("form", id="reveal")


def test_whoever_has_the_role_looks_at_it_and_the_log_says_so(hiding: Site) -> None:
    review = asked(hiding)
    client = hiding.client(EVA)
    page = read(client.get(f"/reviews/{review.id}").text)
    mark = hiding.store.change_mark()
    assert client.get(f"/reviews/{review.id}/reveal").headers["location"] == f"/reviews/{review.id}"
    assert hiding.store.change_mark() == mark
    answer = send(client, page, "reveal")
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert SECRET in read(answer.text).one(id="revealed").text
    told = [entry for entry in hiding.store.audit_entries(limit=500) if entry.what == REVEALED]
    assert [(entry.by, entry.subject) for entry in told] == [("eva", review.id)]


def test_nobody_else_does(hiding: Site) -> None:
    review = asked(hiding)
    for who, status in ((ANA, 403), (EVA_BOT, 403), (EVA_ELSEWHERE, 404)):
        answer = hiding.client(who).post(f"/reviews/{review.id}/reveal", data={"csrf": CSRF})
        assert answer.status_code == status, who
        assert SECRET not in answer.text
    assert not [entry for entry in hiding.store.audit_entries(limit=500) if entry.what == REVEALED]


def test_without_the_key_the_page_says_so(hiding: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    review = asked(hiding)
    client = hiding.client(EVA)
    page = read(client.get(f"/reviews/{review.id}").text)
    monkeypatch.delenv(VARIABLE)
    answer = send(client, page, "reveal")
    assert answer.status_code == 400
    assert VARIABLE in read(answer.text).one(id="problem").text


def test_an_edit_that_leaves_the_mark_keeps_what_was_planned(hiding: Site) -> None:
    review = asked(hiding)
    client = hiding.client()
    page = read(client.get(f"/reviews/{review.id}").text)
    amount = page.one("form", id="edit").all("input", value="250")[0].attributes["name"]
    answer = send(client, page, "edit", press="edit-button", **{amount: "25"})
    assert answer.status_code == 303, read(answer.text).one("form", id="edit").text
    made = hiding.store.review(review.id).decision
    assert made is not None
    assert made.arguments == {**review.call.arguments, "amount": 25}


def test_a_mark_that_was_changed_is_refused(hiding: Site) -> None:
    review = asked(hiding)
    client = hiding.client()
    page = read(client.get(f"/reviews/{review.id}").text)
    mark = review.call.arguments["to"]
    field = page.one("form", id="edit").all("input", value=mark)[0].attributes["name"]
    answer = send(client, page, "edit", press="edit-button", **{field: mark.replace("1", "2")})
    assert answer.status_code == 422
    assert hiding.store.review(review.id).decision is None
