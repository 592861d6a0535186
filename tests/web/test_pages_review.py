"""The page of one review: what it shows, and that a decision is on what was shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guardrail.review import OVERRIDE
from guardrail.types import Decision, DecisionType, Fault, Principal, Review, ReviewState
from tests.web.reading import Element, fields, read, send
from tests.web.serving import ANA, BEN, BOSS, BOT, CSRF, READER, TRANSFER, Site, search, transfer


def opened(site: Site, review: Review, query: str = "", who: Any = ANA) -> Element:
    answer = site.client(who).get(f"/reviews/{review.id}{query}")
    assert answer.status_code == 200, answer.text[:300]
    return read(answer.text)


def decision(site: Site, review: Review) -> Decision | None:
    return site.store.review(review.id).decision


def test_it_shows_the_call_why_it_was_stopped_and_what_else_was_planned(any_site: Site) -> None:
    review = any_site.ask(due=any_site.clock.after(900))
    page = opened(any_site, review)
    call = page.one("section", id="call").text
    assert "transfer" in call
    assert '"DE02"' in call
    assert "250" in call
    assert page.one(id="why-text").text == review.why
    assert "critical" in page.one("section", id="why").text
    assert page.one("tr", data_signal="agreement").one("td", data_name="Value").text == "50%"
    meanings = page.one("section", id="meanings")
    assert "4 of 8" in meanings.text
    assert meanings.one("a", data_take=None).attributes["href"] == f"/reviews/{review.id}?take=1#edit"
    assert "<script>alert(1)</script>" in page.one("section", id="conversation").text
    assert "Untrusted" in page.one(id="untrusted").text
    assert page.one("time", data_main=None).text == "in 15 min"
    assert page.one(id="requester").text == "shop-bot"
    assert review.digest.startswith(page.one("section", id="call").all("code")[-1].text)


def test_approving_takes_a_form_of_its_own(any_site: Site) -> None:
    review = any_site.ask()
    client = any_site.client()
    answer = send(client, opened(any_site, review), "decide")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/reviews/{review.id}?said=approved")
    made = decision(any_site, review)
    assert made is not None
    assert (made.type, made.by, made.arguments) == (DecisionType.APPROVE, "ana", None)
    after = read(client.get(answer.headers["location"]).text)
    assert "Approved" in after.one(id="said").text
    assert after.one("section", id="decision").attributes["data-decision"] == "approve"
    assert not after.has("form", id="decide")


@pytest.mark.parametrize(
    ("reason", "fault", "says"),
    [
        ("target", Fault.WRONG, "target"),
        ("wrong", Fault.WRONG, ""),
        ("now", Fault.UNWANTED, "not run now"),
        ("unwanted", Fault.UNWANTED, ""),
        ("none", None, ""),
        (None, None, ""),
    ],
)
def test_rejecting_says_what_is_wrong(site: Site, reason: str | None, fault: Fault | None, says: str) -> None:
    review = site.ask()
    answer = send(site.client(), opened(site, review), "reject", reason=reason, message="To DE03,\r\nplease.")
    assert answer.headers["location"].endswith("?said=rejected")
    made = decision(site, review)
    assert made is not None
    assert made.fault is fault
    assert made.message.endswith("To DE03,\nplease.")
    assert says in made.message
    (label,) = site.record(review).labels
    assert (label.correct, label.fault) == (False, fault)


def test_responding_needs_words(site: Site) -> None:
    review = site.ask()
    client = site.client()
    answer = send(client, opened(site, review), "respond", message="  ")
    assert answer.status_code == 422
    assert decision(site, review) is None
    answer = send(client, read(answer.text), "respond", message="It was paid yesterday.")
    assert answer.headers["location"].endswith("?said=answered")
    made = decision(site, review)
    assert made is not None
    assert made.message == "It was paid yesterday."


def test_an_alternative_is_taken_over_as_an_edit(site: Site) -> None:
    review = site.ask()
    take = opened(site, review).one("a", data_take=None).attributes["href"]
    client = site.client()
    page = read(client.get(take).text)
    assert page.has(id="taken")
    assert site.store.review(review.id) == review
    answer = send(client, page, "edit", press="edit-button", reason="unwanted")
    assert answer.headers["location"].endswith("?said=edited"), answer.text[:500]
    made = decision(site, review)
    assert made is not None
    assert made.arguments == {"to": "DE02", "amount": 25}
    assert type(made.arguments["amount"]) is int
    assert made.fault is Fault.UNWANTED
    after = opened(site, review)
    assert "25" in after.one("section", id="decision").text


def test_an_edit_that_was_not_touched_is_what_was_planned(site: Site) -> None:
    review = site.ask(transfer(250, urgent=True, tags=["a", "b"]))
    send(site.client(), opened(site, review), "edit", press="edit-button")
    made = decision(site, review)
    assert made is not None
    assert made.arguments == review.call.arguments


def test_an_edit_that_does_not_fit_keeps_what_was_typed(site: Site) -> None:
    review = site.ask()
    client = site.client()
    page = opened(site, review)
    amount = page.one("form", id="edit").all("input", value="250")[0].attributes["name"]
    answer = send(client, page, "edit", press="edit-button", **{amount: "-a lot"})
    told = read(answer.text)
    assert answer.status_code == 422
    assert decision(site, review) is None
    assert dict(fields(told, "edit"))[amount] == "-a lot"
    assert "open" in told.one("details", data_choice="edit").attributes
    assert told.one("form", id="edit").has(aria_invalid="true")


def test_enter_in_a_field_of_a_form_decides_nothing(site: Site) -> None:
    review = site.ask()
    page = opened(site, review)
    for form in ("decide", "edit", "reject", "respond"):
        first = page.one("form", id=form).all("button")[0]
        answer = send(site.client(), page, form, do=first.attributes["value"], reason="now", message="Typed.")
        assert answer.status_code == 200
        told = read(answer.text)
        if form in ("reject", "respond"):
            assert dict(fields(told, form))["message"] == "Typed."
    assert site.store.review(review.id) == review


def test_what_somebody_said_meanwhile_has_to_be_read_first(any_site: Site) -> None:
    review = any_site.ask()
    client = any_site.client()
    page = opened(any_site, review)
    any_site.queue.comment(review.id, by=BEN, text="They called: do not pay.")
    answer = send(client, page, "reject", reason="rules", message="My words.")
    told = read(answer.text)
    assert answer.status_code == 409
    assert told.one(id="problem").attributes["data-problem"] == "ReviewConflict"
    assert "commented by ben" in told.one(id="problem").text
    assert "do not pay" in told.one("section", id="comments").text
    assert decision(any_site, review) is None
    typed = dict(fields(told, "reject"))
    assert (typed["reason"], typed["message"]) == ("rules", "My words.")
    assert send(client, told, "reject").headers["location"].endswith("?said=rejected")


def test_the_second_of_two_decisions_is_told_of_the_first(any_site: Site) -> None:
    review = any_site.ask()
    page = opened(any_site, review)
    any_site.queue.reject(review.id, by=BEN, message="No.")
    answer = send(any_site.client(), page, "decide")
    told = read(answer.text)
    assert answer.status_code == 409
    assert "reject by ben" in told.one(id="problem").text
    assert not told.has("form", id="decide")
    assert decision(any_site, review).type is DecisionType.REJECT  # type: ignore[union-attr]


def test_a_second_click_does_no_harm(site: Site) -> None:
    review = site.ask()
    page = opened(site, review)
    answers = [send(site.client(), page, "decide") for _ in range(2)]
    assert [answer.headers["location"] for answer in answers] == [f"/reviews/{review.id}?said=approved"] * 2


@pytest.mark.parametrize("name", ["digest", "revision"])
@pytest.mark.parametrize("value", [None, "", "0" * 64, "-1", "9" * 30, "\u00b2"])
def test_a_form_that_does_not_say_what_was_shown_decides_nothing(site: Site, name: str, value: str | None) -> None:
    review = site.ask()
    site.queue.comment(review.id, by=BEN, text="so that the revision is not 0")
    answer = send(site.client(), opened(site, review), "decide", **{name: value})
    assert answer.status_code == 409
    assert decision(site, review) is None


@pytest.mark.parametrize("kind", ["", "Approve", "approve ", "delete"])
def test_a_form_without_a_decision_decides_nothing(site: Site, kind: str) -> None:
    review = site.ask()
    answer = send(site.client(), opened(site, review), "decide", type=kind)
    assert answer.status_code == 422
    assert decision(site, review) is None


def test_only_what_the_policy_allows_has_a_form(site: Site) -> None:
    review = site.ask(decisions=(DecisionType.REJECT, DecisionType.RESPOND))
    page = opened(site, review)
    assert [one.attributes["data-choice"] for one in page.all("details", data_choice=None)] == ["reject", "respond"]
    assert not page.has("a", data_take=None)
    approve = {"type": "approve", "digest": review.digest, "revision": str(review.revision), "csrf": CSRF}
    assert site.client().post(f"/reviews/{review.id}/decide", data=approve).status_code == 422
    assert decision(site, review) is None


def test_out_of_time_nobody_decides_and_looking_changes_nothing(any_site: Site) -> None:
    review = any_site.ask(due=any_site.clock.after(60))
    page = opened(any_site, review)
    any_site.clock.move(61)
    late = opened(any_site, review)
    assert "deadline has passed" in late.one(id="no-decision").text
    assert not late.has("form", id="decide")
    assert any_site.store.review(review.id) == review
    answer = send(any_site.client(), page, "decide")
    assert answer.status_code == 409
    assert "expired" in read(answer.text).one(id="problem").text
    assert any_site.store.review(review.id).state is ReviewState.EXPIRED


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


def test_huge_arguments_are_opened_before_they_are_approved(any_site: Site) -> None:
    memo = "pay " * 2000 + "and everything else"
    review = any_site.ask(transfer(memo=memo))
    client = any_site.client()
    page = opened(any_site, review)
    assert "everything else" not in page.one("section", id="call").text
    assert not page.has("input", name="opened")
    refused = send(client, page, "decide")
    told = read(refused.text)
    assert refused.status_code == 422
    assert "memo" in told.one(id="problem").text
    assert decision(any_site, review) is None
    for made_up in ("memo", review.digest, told.one("li", data_fold_to_open=None).attributes["data-fold-to-open"]):
        assert send(client, page, "decide", opened=made_up).status_code == 422
    link = told.one("li", data_fold_to_open=None).one("a").attributes["href"]
    whole = read(client.get(link).text)
    assert "everything else" in whole.one("section", id="call").text
    assert not whole.has(id="to-open")
    assert send(client, whole, "decide").status_code == 303


def test_what_was_opened_stays_open_when_a_decision_is_refused(site: Site) -> None:
    review = site.ask(transfer(memo="x" * 9000))
    page = opened(site, review, "?open=all")
    site.queue.comment(review.id, by=BEN, text="Wait.")
    told = read(send(site.client(), page, "decide").text)
    assert told.has("input", name="opened", form="decide")
    assert send(site.client(), told, "decide").status_code == 303


def test_a_token_of_one_review_opens_no_other(site: Site) -> None:
    one, other = site.ask(transfer(memo="x" * 9000)), site.ask(transfer(memo="x" * 9000))
    token = opened(site, one, "?open=all").all("input", name="opened", form="decide")[0].attributes["value"]
    assert send(site.client(), opened(site, other), "decide", opened=token).status_code == 422
    assert decision(site, other) is None


def test_an_edit_leaves_nothing_unseen_either(site: Site) -> None:
    review = site.ask(transfer(memo="x" * 9000))
    client = site.client()
    refused = send(client, opened(site, review), "edit", press="edit-button")
    assert refused.status_code == 422
    assert decision(site, review) is None
    whole = opened(site, review, "?open=all")
    assert send(client, whole, "edit", press="edit-button").status_code == 303


def test_what_a_person_wrote_that_person_has_seen(site: Site) -> None:
    review = site.ask(transfer(memo="short"))
    page = opened(site, review)
    memo = page.one("form", id="edit").all("input", value="short")[0].attributes["name"]
    answer = send(site.client(), page, "edit", press="edit-button", **{memo: "y" * 9000})
    assert answer.status_code == 303
    made = decision(site, review)
    assert made is not None
    assert made.arguments == {**review.call.arguments, "memo": "y" * 9000}


def test_siblings_and_what_samples_call_besides(any_site: Site) -> None:
    review = any_site.ask(others=[transfer(250)])
    record = any_site.record(review)
    verdict = replace(record.verdict.verdicts[0], call=replace(search("<b>bold</b>"), id="c2"))
    step = replace(record.verdict, verdicts=(*record.verdict.verdicts, verdict), extra={"<i>notify</i>": 6})
    changed = replace(record, id="other-record", verdict=step)
    any_site.store.add_record(changed)
    second = any_site.queue.open(replace(review, id="b" * 64, record_id=changed.id))
    third = any_site.queue.open(replace(second, id="c" * 64, call=verdict.call))
    page = opened(any_site, second)
    sibling = page.one("li", data_sibling=None)
    assert "search" in sibling.text
    assert "<b>bold</b>" in sibling.text
    assert sibling.one("a").attributes["href"] == f"/reviews/{third.id}"
    theirs = replace(third, id="e" * 64, tenant="other", call=replace(third.call, id=second.call.id))
    any_site.store.add_review(theirs)
    assert theirs.id not in any_site.client().get(f"/reviews/{second.id}").text
    assert "6 of 8 samples also call <i>notify</i>" in page.one(id="extra").text


def test_without_its_record_it_can_still_be_decided(site: Site) -> None:
    review = site.queue.open(replace(site.ask(), id="d" * 64, record_id="gone"))
    page = opened(site, review)
    assert page.has(id="no-record")
    assert not page.has("section", id="meanings")
    assert send(site.client(), page, "reject", reason="wrong").status_code == 303


def test_the_history_and_the_audit_log(any_site: Site) -> None:
    review = any_site.ask()
    any_site.queue.claim(review.id, by=BEN)
    any_site.queue.release(review.id, by=BEN)
    any_site.queue.approve(review.id, by=BEN)
    page = opened(any_site, review)
    events = [one.text for one in page.all("li", data_event=None)]
    assert [event.split("UTC ")[1] for event in events] == ["claimed by ben", "given back by ben", "approved by ben"]
    trail = page.one("details", id="trail")
    assert len(trail.all("tr", data_entry=None)) == 4
    assert "guardrail audit verify" in trail.text


def test_a_form_opened_as_an_address_leads_back(site: Site) -> None:
    review = site.ask()
    for act in ("claim", "release", "comment", "resolve", "decide"):
        answer = site.client().get(f"/reviews/{review.id}/{act}")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/reviews/{review.id}")
    assert site.store.review(review.id) == review


def test_a_name_that_looks_like_the_requesters_does_not_decide(site: Site) -> None:
    review = site.ask(requester="\u0430na")  # with a Cyrillic letter
    assert "You asked" in opened(site, review).one(id="no-decision").text
    assert Principal(name="ana") == ANA
    assert TRANSFER.name == review.call.name
