"""The queue over HTTP: listed, looked at, decided."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from guardrail.types import DecisionType, Review, ReviewState
from tests.web.serving import ANA, BEN, BOSS, Site, transfer

API = "/api/v1"


def decision(review: Review, **more: Any) -> dict[str, Any]:
    return {"type": "approve", "seen_digest": review.digest, **more}


def decide(client: TestClient, review: Review, **more: Any) -> Any:
    return client.post(f"{API}/reviews/{review.id}/decide", json=decision(review, **more))


def ids(client: TestClient, query: str = "") -> list[str]:
    answer = client.get(f"{API}/reviews{query}")
    assert answer.status_code == 200, answer.text
    return [one["id"] for one in answer.json()["reviews"]]


def test_reviews_are_listed_by_everything_they_are_filtered_by(any_site: Site) -> None:
    pay = any_site.ask(thread="t-1", due="2026-01-02T05:00:00+00:00")
    look = any_site.ask_low(requester="other-bot")
    client = any_site.client()
    assert ids(client) == [pay.id, look.id]
    client.post(f"{API}/reviews/{look.id}/claim", json={})
    for query, found in {
        "?state=pending": [pay.id],
        "?state=pending&state=claimed": [pay.id, look.id],
        "?tier=low": [look.id],
        "?tool=transfer": [pay.id],
        "?thread=t-1": [pay.id],
        f"?record={look.record_id}": [look.id],
        "?requester=other-bot": [look.id],
        "?claimed_by=ana": [look.id],
        "?due_before=2026-01-02T06:00:00Z": [pay.id],
        "?due_before=2026-01-02T04:30:00Z": [],
        "?tool=transfer&tier=low": [],
    }.items():
        assert ids(client, query) == found, query


def test_pages_go_on_where_the_one_before_ended(any_site: Site) -> None:
    reviews = [any_site.ask() for _ in range(5)]
    client, found, after = any_site.client(), [], ""
    while True:
        page = client.get(f"{API}/reviews", params={"limit": 2, "after": after}).json()
        found += [one["id"] for one in page["reviews"]]
        if not (after := page["after"]):
            break
    assert found == [review.id for review in reviews]


def test_a_list_holds_no_arguments(site: Site) -> None:
    site.ask(transfer(memo="the secret memo"))
    assert "secret memo" not in site.client().get(f"{API}/reviews").text


def test_a_review_comes_with_its_call_and_the_evidence(any_site: Site) -> None:
    review = any_site.ask(transfer(250))
    told = any_site.client().get(f"{API}/reviews/{review.id}").json()
    assert told["review"]["call"] == {"name": "transfer", "arguments": {"to": "DE02", "amount": 250}, "id": "c1"}
    assert told["review"]["digest"] == review.digest
    (verdict,) = told["record"]["verdicts"]
    planned, other = sorted(verdict["meanings"], key=lambda one: not one["planned"])
    assert (planned["samples"], other["samples"]) == (4, 4)
    assert other["call"]["arguments"] == {"to": "DE02", "amount": 25}
    assert other["differs"] == ["amount"]
    assert {one["name"]: one["value"] for one in verdict["signals"]}["agreement"] == 0.5
    assert len(told["record"]["samples"]) == told["record"]["samples_in_all"] == 8
    assert told["record"]["conversation"][1]["text"]["text"].endswith("<script>alert(1)</script>")


def test_what_is_very_long_is_cut_in_the_evidence_and_whole_in_the_call(site: Site) -> None:
    long = "x" * 100_000
    review = site.ask(transfer(memo=long), others=[transfer(25, memo=long)] * 4)
    told = site.client().get(f"{API}/reviews/{review.id}").json()
    assert told["review"]["call"]["arguments"]["memo"] == long
    (verdict,) = told["record"]["verdicts"]
    assert verdict["call"]["cut"]
    assert verdict["call"]["arguments"] is None
    assert verdict["call"]["length"] > 100_000
    assert all(sample["calls"][0]["arguments"] is None for sample in told["record"]["samples"])


def test_a_shortened_id_is_none_here(site: Site) -> None:
    review = site.ask()
    assert site.client().get(f"{API}/reviews/{review.id[:12]}").status_code == 404
    assert decide(site.client(), review).status_code == 200


@pytest.mark.parametrize(
    ("said", "state"),
    [
        ({"type": "approve"}, "decided"),
        ({"type": "edit", "arguments": {"to": "DE02", "amount": 25}, "fault": "wrong"}, "decided"),
        ({"type": "reject", "message": "not today", "fault": "unwanted"}, "decided"),
        ({"type": "respond", "message": "ask me tomorrow"}, "decided"),
    ],
)
def test_a_decision_is_taken_once_and_again_is_the_same(any_site: Site, said: dict[str, Any], state: str) -> None:
    review, client = any_site.ask(), any_site.client()
    first = decide(client, review, **said)
    assert (first.status_code, first.json()["state"], first.json()["decided"]) == (200, state, said["type"])
    any_site.clock.move(5)
    again = decide(client, review, **said)
    assert (again.status_code, again.json()) == (200, first.json())
    other = decide(any_site.client(BEN), review, type="reject", message="no")
    assert (other.status_code, other.json()["code"]) == (409, "conflict")
    kept = any_site.store.review(review.id)
    assert kept.decision is not None
    assert (kept.decision.type, kept.decision.by) == (DecisionType(said["type"]), "ana")
    assert kept.decision.arguments == said.get("arguments")


def test_a_decision_is_about_what_was_shown(site: Site) -> None:
    review = site.ask()
    wrong = site.client().post(f"{API}/reviews/{review.id}/decide", json={"type": "approve", "seen_digest": "other"})
    assert wrong.status_code == 409
    missing = site.client().post(f"{API}/reviews/{review.id}/decide", json={"type": "approve"})
    assert missing.status_code == 422
    assert site.store.review(review.id).state is ReviewState.PENDING


def test_an_edit_has_to_fit_the_tool(site: Site) -> None:
    review = site.ask()
    for arguments in ({"to": "DE02"}, {"to": "DE02", "amount": "25"}, {"to": "DE02", "amount": 25, "more": 1}, None):
        answer = decide(site.client(), review, type="edit", arguments=arguments)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-decision"), arguments
    assert decide(site.client(), review, arguments={"to": "DE02", "amount": 25}).status_code == 422


def test_a_claim_keeps_others_away_until_it_ends(any_site: Site) -> None:
    review, mine, other = any_site.ask(), any_site.client(ANA), any_site.client(BEN)
    claim = f"{API}/reviews/{review.id}/claim"
    assert mine.post(claim, json={"lease_seconds": 60}).json()["claim"]["by"] == "ana"
    held = other.post(claim, json={})
    assert (held.status_code, held.json()["code"]) == (409, "conflict")
    assert "ana" in held.json()["detail"]
    assert decide(other, review).status_code == 409
    assert other.post(f"{API}/reviews/{review.id}/renew", json={}).status_code == 409
    assert other.post(f"{API}/reviews/{review.id}/release", json={}).status_code == 409
    assert mine.post(f"{API}/reviews/{review.id}/renew", json={"lease_seconds": 600}).status_code == 200
    any_site.clock.move(300)
    assert other.post(claim, json={}).status_code == 409
    assert mine.post(f"{API}/reviews/{review.id}/release", json={}).json()["state"] == "pending"
    assert decide(other, review).status_code == 200


def test_the_role_to_override_passes_over_a_claim(site: Site) -> None:
    review, boss = site.ask(), site.client(BOSS)
    site.client(ANA).post(f"{API}/reviews/{review.id}/claim", json={})
    assert decide(boss, review).status_code == 409
    assert decide(site.client(BEN), review, override=True).status_code == 409
    assert decide(boss, review, override=True).status_code == 200


def test_a_review_out_of_time_is_refused(any_site: Site) -> None:
    review = any_site.ask(due=any_site.clock.after(60))
    any_site.clock.move(61)
    late = decide(any_site.client(), review)
    assert (late.status_code, late.json()["code"]) == (409, "conflict")
    assert any_site.client().get(f"{API}/reviews/{review.id}").json()["review"]["state"] == "expired"


def test_four_eyes_are_counted(site: Site) -> None:
    review = site.ask(quorum=2)
    for _ in range(2):  # the same vote again is one vote
        first = decide(site.client(ANA), review).json()
        assert (first["state"], first["votes"]) == ("pending", 1)
    assert decide(site.client(BEN), review).json()["state"] == "decided"


def test_equal_low_calls_are_decided_together(any_site: Site) -> None:
    reviews = [any_site.ask_low() for _ in range(3)]
    client = any_site.client()
    decide(any_site.client(BEN), reviews[1], type="reject", message="no")
    asked = {"type": "approve", "reviews": [{"id": one.id, "seen_digest": one.digest} for one in reviews]}
    answer = client.post(f"{API}/reviews/decide-all", json=asked)
    assert answer.status_code == 200
    assert [one["status"] for one in answer.json()["outcomes"]] == [200, 409, 200]
    assert answer.json()["outcomes"][1]["code"] == "conflict"


def test_unequal_calls_are_not_decided_together(site: Site) -> None:
    different = [site.ask_low(), site.ask_low("another")]
    high = [site.ask(), site.ask()]
    for reviews in (different, high, [different[0]] * 2):
        asked = {"type": "approve", "reviews": [{"id": one.id, "seen_digest": one.digest} for one in reviews]}
        answer = site.client().post(f"{API}/reviews/decide-all", json=asked)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid-decision")
    assert {review.state for review in site.store.reviews()} == {ReviewState.PENDING}


def test_comments_and_history_tell_what_happened(any_site: Site) -> None:
    review, client = any_site.ask(), any_site.client()
    client.post(f"{API}/reviews/{review.id}/claim", json={})
    told = client.post(f"{API}/reviews/{review.id}/comments", json={"text": "who is DE02?"}).json()
    assert [one["text"] for one in told["comments"]] == ["who is DE02?"]
    decide(client, review)
    history = client.get(f"{API}/reviews/{review.id}/history").json()
    assert [one["note"] for one in history["history"]] == ["", "commented", "approve"]
    assert history["decision"]["type"] == "approve"


def test_the_audit_trail_is_of_this_review_alone(any_site: Site) -> None:
    reviews = [any_site.ask() for _ in range(20)]
    client = any_site.client()
    for review in reviews:
        decide(client, review)
    first = client.get(f"{API}/reviews/{reviews[3].id}/audit").json()
    assert [one["what"] for one in first["entries"]] == ["review.opened", "review.decided"]
    assert {one["subject"] for one in first["entries"]} == {reviews[3].id}
    assert not first["more"]
    page = client.get(f"{API}/reviews/{reviews[3].id}/audit?limit=1").json()
    assert page["more"]
    rest = client.get(f"{API}/reviews/{reviews[3].id}/audit?after={page['after']}").json()
    assert page["entries"] + rest["entries"] == first["entries"]


def test_an_outcome_that_nobody_knows_is_told_by_a_person(any_site: Site) -> None:
    review, client = any_site.ask(), any_site.client()
    path = f"{API}/reviews/{review.id}/resolve"
    assert client.post(path, json={"outcome": "ran"}).status_code == 409
    decide(client, review)
    any_site.queue.begin(review.id, digest=review.digest, by="worker")
    assert (
        client.post(path, json={"outcome": "unknown", "note": "the log is gone"}).json()["state"] == "outcome_unknown"
    )
    assert client.post(path, json={"outcome": "ran"}).status_code == 409


def test_a_refused_review_is_not_closed_by_resolving_it(site: Site) -> None:
    review, client = site.ask(), site.client()
    decide(client, review, type="reject", message="no")
    assert client.post(f"{API}/reviews/{review.id}/resolve", json={"outcome": "ran"}).status_code == 409
    assert site.store.review(review.id).state is ReviewState.DECIDED


def test_nothing_changes_on_get(site: Site) -> None:
    review, client = site.ask(), site.client()
    mark = site.store.change_mark()
    for path in ("claim", "renew", "release", "decide", "comments", "resolve"):
        assert client.get(f"{API}/reviews/{review.id}/{path}").status_code == 405
        assert client.head(f"{API}/reviews/{review.id}/{path}").status_code == 405
    assert client.get(f"{API}/reviews/decide-all").status_code == 404
    assert site.store.change_mark() == mark
