"""The page of one review: what it shows, and that a decision is on what was shown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from guardrail.types import Decision, DecisionType, Fault, Review, ReviewState
from tests.web.reading import Element, fields, read, send
from tests.web.serving import ANA, BEN, CSRF, Site, search, transfer


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
