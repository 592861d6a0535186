"""Who may do what on the page of a review: claims, votes, comments, and what became of a call."""

from __future__ import annotations

from guardrail.review import OVERRIDE
from guardrail.types import Principal, ReviewState
from tests.web.reading import fields, read, send
from tests.web.serving import ANA, BEN, BOSS, BOT, CSRF, READER, TRANSFER, Site
from tests.web.test_pages_review import decision, opened


def test_four_eyes(any_site: Site) -> None:
    review = any_site.ask(quorum=2)
    first = send(any_site.client(), opened(any_site, review), "decide")
    assert first.headers["location"].endswith("?said=voted")
    assert any_site.store.review(review.id).state is ReviewState.PENDING
    page = opened(any_site, review, who=BEN)
    assert "So far: 1" in page.one(id="quorum").text
    assert page.one(id="votes-part").one("li", data_vote="approve").text == "ana: approved"
    again = send(any_site.client(), opened(any_site, review), "decide")
    assert again.headers["location"].endswith("?said=voted")
    second = send(any_site.client(BEN), opened(any_site, review, who=BEN), "decide")
    assert second.headers["location"].endswith("?said=approved")
    assert any_site.store.review(review.id).state is ReviewState.DECIDED


def test_claims(any_site: Site) -> None:
    review = any_site.ask()
    ana, ben = any_site.client(), any_site.client(BEN)
    before = opened(any_site, review, who=BEN)
    assert send(ana, opened(any_site, review), "claim").headers["location"].endswith("?said=claimed")
    page = opened(any_site, review)
    assert page.one(id="claimed").attributes["data-claimed-by"] == "ana"
    assert page.one(id="claim-button").text.startswith("Prolong")
    held = opened(any_site, review, who=BEN)
    assert "disabled" in held.one("fieldset", id="decide-forms").attributes
    assert not held.has("form", id="claim")
    assert send(ben, before, "claim").status_code == 409
    refused = send(ben, before, "decide", revision=str(any_site.store.review(review.id).revision))
    assert refused.status_code == 409
    assert "claimed by ana" in read(refused.text).one(id="problem").text
    any_site.clock.move(60)
    until = any_site.store.review(review.id).claim
    assert send(ana, page, "claim").headers["location"].endswith("?said=renewed")
    assert any_site.store.review(review.id).claim != until
    assert send(ana, opened(any_site, review), "release").headers["location"].endswith("?said=released")
    assert any_site.store.review(review.id).claim is None


def test_the_role_passes_over_a_claim_only_on_purpose(site: Site) -> None:
    review = site.ask()
    site.queue.claim(review.id, by=ANA)
    page = opened(site, review, who=BOSS)
    client = site.client(BOSS)
    assert send(client, page, "decide").status_code == 409
    assert decision(site, review) is None
    assert send(client, page, "decide", override="1").status_code == 303
    other = site.ask()
    site.queue.claim(other.id, by=ANA)
    send(client, opened(site, other, who=BOSS), "claim")
    claim = site.store.review(other.id).claim
    assert claim is not None
    assert claim.by == "boss"
    assert OVERRIDE in BOSS.roles
    third = site.ask()
    page = opened(site, third)
    site.queue.claim(third.id, by=BEN)
    revision = str(site.store.review(third.id).revision)
    assert send(site.client(), page, "decide", override="1", revision=revision).status_code == 409


def test_who_may_not_decide_gets_no_forms(any_site: Site) -> None:
    review = any_site.ask(roles=("treasury",), requester="Ana")
    by_role = any_site.ask(roles=("treasury",))
    form = {"type": "approve", "digest": review.digest, "revision": "0", "csrf": CSRF}
    for one, who in ((review, ANA), (by_role, BEN), (by_role, READER), (by_role, BOT)):
        page = opened(any_site, one, who=who)
        assert page.one(id="no-decision").text
        assert not page.has("form", id="decide")
        assert not page.has("form", id="claim")
        client = any_site.client(who)
        for act in ("claim", "release", "decide"):
            answer = client.post(f"/reviews/{one.id}/{act}", data={**form, "digest": one.digest, "override": "1"})
            if act != "release" or who in (READER, BOT):
                assert answer.status_code == 403, (who.name, act, answer.text[:300])
        assert any_site.store.review(one.id) == one
    assert not opened(any_site, review, who=READER).has("form", id="comment")
    assert any_site.client(BOT).post(f"/reviews/{review.id}/comment", data={"text": "Approve me"}).status_code == 403


def test_comments(any_site: Site) -> None:
    review = any_site.ask()
    client = any_site.client()
    assert send(client, opened(any_site, review), "comment", text=" ").status_code == 422
    long = send(client, opened(any_site, review), "comment", text="x" * 5001)
    assert long.status_code == 422
    assert dict(fields(read(long.text), "comment"))["text"] == "x" * 5001
    assert send(client, opened(any_site, review), "comment", text="First.\r\nSecond.").status_code == 303
    (comment,) = any_site.store.review(review.id).comments
    assert (comment.by, comment.text) == ("ana", "First.\nSecond.")
    assert "First. Second." in opened(any_site, review).one("li", data_comment=None).text.replace("First.S", "First. S")


def test_a_person_says_what_became_of_a_call(any_site: Site) -> None:
    reviews = [any_site.ask() for _ in range(3)]
    client = any_site.client()
    for review in reviews:
        any_site.queue.approve(review.id, by=BEN)
        assert not opened(any_site, review).has("form", id="resolve")
        any_site.queue.begin(review.id, digest=review.digest, by="worker")
    ran, unknown, open_ = reviews
    assert send(client, opened(any_site, ran), "resolve", outcome="ran", note="It is booked.").status_code == 303
    assert send(client, opened(any_site, unknown), "resolve", outcome="unknown", note="No idea.").status_code == 303
    for wrong in ({"outcome": "ran", "note": " "}, {"note": "But what?"}, {"outcome": "done", "note": "x"}):
        assert send(client, opened(any_site, open_), "resolve", **wrong).status_code == 422
    assert (
        any_site.client(BOT).post(f"/reviews/{open_.id}/resolve", data={"outcome": "ran", "note": "x"}).status_code
        == 403
    )
    states = [any_site.store.review(review.id).state for review in reviews]
    assert states == [ReviewState.DONE, ReviewState.OUTCOME_UNKNOWN, ReviewState.EXECUTING]
    assert "It is booked." in opened(any_site, ran).one("section", id="history").text
    refused = any_site.ask()
    any_site.queue.reject(refused.id, by=BEN)
    for over in (ran, refused):
        before = any_site.store.review(over.id)
        for outcome in ("ran", "unknown"):
            form = {"outcome": outcome, "note": "x", "csrf": CSRF}
            assert client.post(f"/reviews/{over.id}/resolve", data=form).status_code == 409
        assert any_site.store.review(over.id) == before


def test_a_name_that_looks_like_the_requesters_does_not_decide(site: Site) -> None:
    review = site.ask(requester="\u0430na")  # with a Cyrillic letter
    assert "You asked" in opened(site, review).one(id="no-decision").text
    assert Principal(name="ana") == ANA
    assert TRANSFER.name == review.call.name
