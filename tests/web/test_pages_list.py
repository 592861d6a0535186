"""The list of reviews."""

from __future__ import annotations

from typing import Any

import pytest

from guardrail.types import Tier
from guardrail.web import Settings
from tests.web.reading import Element, read, send
from tests.web.serving import ANA, BEN, BOT, READER, STRANGER, URL, Site, transfer


def listed(site: Site, query: str = "", who: Any = ANA) -> Element:
    answer = site.client(who).get(f"/reviews{query}")
    assert answer.status_code == 200, answer.text[:300]
    return read(answer.text)


def rows(page: Element) -> list[str]:
    return [row.attributes["data-review"] for row in page.all("tr", data_review=None)]


def test_the_start_leads_to_the_list(site: Site) -> None:
    answer = site.client().get("/")
    assert (answer.status_code, answer.headers["location"]) == (303, "/reviews")


def test_nobody_sees_it_without_being_signed_in(site: Site) -> None:
    site.ask()
    answer = site.client(None).get("/reviews", headers={"accept": "text/html"})
    assert answer.status_code in (303, 401)
    assert "transfer" not in answer.text


def test_it_has_what_waits_in_the_order_of_the_queue(any_site: Site) -> None:
    low = any_site.ask_low()
    any_site.clock.move(60)
    first, second = any_site.ask(), any_site.ask(transfer(9))
    page = listed(any_site)
    assert rows(page) == [first.id, second.id, low.id]
    row = page.one("tr", data_review=first.id)
    assert 'to="DE02", amount=250' in row.text
    assert "critical" in row.text
    assert "shop-bot" in row.text
    assert page.one("tr", data_review=low.id).one("td", data_name="Age").text == "1 min"


def test_a_row_says_until_when_who_holds_it_and_how_many_agree(site: Site) -> None:
    review = site.ask(due=site.clock.after(900), quorum=2)
    site.queue.approve(review.id, by=BEN)
    site.queue.claim(review.id, by=BEN)
    row = listed(site).one("tr", data_review=review.id)
    assert row.one("td", data_name="Deadline").text == "in 15 min"
    assert row.one("td", data_name="State").text == "claimed ben 1 of 2 votes"
    assert row.one("time", data_due=None).attributes["data-now"] == site.clock.now.isoformat()


def test_filters_are_the_queues(any_site: Site) -> None:
    review = any_site.ask(thread="a thread", requester="other-bot")
    low = any_site.ask_low()
    rejected = any_site.ask(transfer(7))
    any_site.queue.reject(rejected.id, by=BEN)
    any_site.queue.claim(low.id, by=ANA)
    expected = {
        "": [review.id, low.id],
        "?tier=low": [low.id],
        "?tool=transfer": [review.id],
        "?requester=other-bot": [review.id],
        "?thread=a+thread": [review.id],
        "?mine=1": [low.id],
        "?state=claimed": [low.id],
        "?state=decided": [rejected.id],
        "?state=all&tool=transfer": [review.id, rejected.id],
        "?state=closed": [],
    }
    assert {query: rows(listed(any_site, query)) for query in expected} == expected


@pytest.mark.parametrize(
    "query", ["?state=nonsense", "?tier=nonsense", "?after=nonsense", "?tool=%00", "?after=%00", "?after=%ED%B2%80"]
)
def test_a_filter_that_is_none_says_so(any_site: Site, query: str) -> None:
    any_site.ask()
    answer = any_site.client().get(f"/reviews{query}")
    page = read(answer.text)
    assert answer.status_code == 400
    assert page.one(id="problem").text
    assert rows(page) == []


@pytest.mark.parametrize(
    "text",
    ["' OR 1=1 --", '"; DROP TABLE reviews; --', "%", "_", "\\", "\u202e", "a" * 300, "{{7*7}}", "$1", "?"],
)
@pytest.mark.parametrize("name", ["tool", "requester", "thread"])
def test_a_filter_is_only_text(any_site: Site, name: str, text: str) -> None:
    any_site.ask()
    answer = any_site.client().get("/reviews", params={name: text})
    page = read(answer.text)
    assert answer.status_code in (200, 400)
    assert rows(page) == []
    assert any_site.client().get("/reviews").text.count("data-open-review") == 1


def test_pages_follow_each_other(any_site: Site) -> None:
    site = Site(store=any_site.store, clock=any_site.clock, settings=Settings(url=URL, page_size=2))
    wanted = []
    for number in range(5):
        wanted.append(site.ask(transfer(number)).id)
        site.clock.move(1)
    found, link = [], "/reviews?tool=transfer"
    while link:
        page = read(site.client().get(link).text)
        found.append(rows(page))
        further = page.all(id="next-page")
        link = further[0].attributes["href"] if further else ""
    assert found == [wanted[:2], wanted[2:4], wanted[4:]]


def test_others_have_theirs(any_site: Site) -> None:
    mine, theirs = any_site.ask(), any_site.ask(tenant="other")
    assert rows(listed(any_site)) == [mine.id]
    assert rows(listed(any_site, who=STRANGER)) == [theirs.id]
    assert rows(listed(any_site, "?state=all&tenant=other")) == [mine.id]
    for method, path in (("get", ""), ("post", "/decide"), ("post", "/claim"), ("post", "/comment")):
        answer = getattr(any_site.client(), method)(f"/reviews/{theirs.id}{path}")
        nothing = getattr(any_site.client(), method)(f"/reviews/{'0' * 64}{path}")
        assert answer.status_code == nothing.status_code == 404
        assert answer.text.replace(theirs.id, "") == nothing.text.replace("0" * 64, "")
    assert any_site.client().get(f"/reviews/together?id={mine.id}&id={theirs.id}").status_code == 404


def test_equal_calls_of_the_low_tier_are_decided_together(any_site: Site) -> None:
    one, two, other = any_site.ask_low(), any_site.ask_low(), any_site.ask_low("another")
    critical = [any_site.ask(), any_site.ask()]
    page = listed(any_site)
    link = page.one("tr", data_review=one.id).one("a", data_together=None).attributes["href"]
    assert not page.one("tr", data_review=other.id).has("a", data_together=None)
    assert not page.one("tr", data_review=critical[0].id).has("a", data_together=None)
    client = any_site.client()
    answer = send(client, read(client.get(link).text), "decide", press="approve-button")
    assert (answer.status_code, answer.headers["location"]) == (303, "/reviews?said=together")
    decisions = [any_site.store.review(review.id).decision for review in (one, two)]
    assert [(decision.type.value, decision.by) for decision in decisions if decision] == [("approve", "ana")] * 2
    assert any_site.store.review(other.id).decision is None


def test_what_is_folded_is_opened_before_all_are_approved(site: Site) -> None:
    one, two = site.ask_low("x" * 9000), site.ask_low("x" * 9000)
    client = site.client()
    address = f"/reviews/together?id={one.id}&id={two.id}"
    refused = send(client, read(client.get(address).text), "decide", press="approve-button")
    assert refused.status_code == 422
    assert "query" in read(refused.text).one(id="problem").text
    assert site.store.review(one.id).decision is None
    whole = read(client.get(f"{address}&open=all").text)
    assert send(client, whole, "decide", press="approve-button").status_code == 303


def test_each_of_them_is_decided_as_it_was_shown(site: Site) -> None:
    one, two = site.ask_low(), site.ask_low()
    client = site.client()
    page = read(client.get(f"/reviews/together?id={one.id}&id={two.id}").text)
    for wrong in ("", "0" * 64, two.digest):
        answer = send(client, page, "decide", press="approve-button", chosen=f"{one.id}:{wrong}")
        assert answer.status_code == 409
    third = site.ask_low()
    assert send(client, page, "decide", press="approve-button", chosen=f"{third.id}:{third.digest}").status_code == 422
    assert all(site.store.review(review.id) == review for review in (one, two, third))


def test_enter_decides_nothing_together(site: Site) -> None:
    one, two = site.ask_low(), site.ask_low()
    client = site.client()
    page = read(client.get(f"/reviews/together?id={one.id}&id={two.id}").text)
    first = page.one("form", id="decide").all("button")[0]
    assert send(client, page, "decide", do=first.attributes["value"]).status_code == 200
    assert site.store.review(one.id) == one


def test_one_that_is_not_ticked_stays(site: Site) -> None:
    one, two = site.ask_low(), site.ask_low()
    client = site.client()
    page = read(client.get(f"/reviews/together?id={one.id}&id={two.id}").text)
    answer = send(
        client, page, "decide", press="reject-button", chosen=f"{two.id}:{two.digest}", reason="rules", message="No."
    )
    assert answer.status_code == 303
    assert site.store.review(one.id).decision is None
    decision = site.store.review(two.id).decision
    assert decision is not None
    assert decision.fault == "unwanted"
    assert decision.message.endswith("No.")


def test_what_was_decided_meanwhile_is_told_and_the_others_are_decided(site: Site) -> None:
    one, two = site.ask_low(), site.ask_low()
    client = site.client()
    page = read(client.get(f"/reviews/together?id={one.id}&id={two.id}").text)
    site.queue.reject(one.id, by=BEN)
    answer = send(client, page, "decide", press="approve-button")
    told = read(answer.text)
    assert answer.status_code == 409
    assert {item.attributes["data-outcome"] for item in told.all("li", data_outcome=None)} == {"failed", "decided"}
    assert "reject by ben" in told.one(id="outcomes").text
    decision = site.store.review(two.id).decision
    assert decision is not None
    assert decision.type.value == "approve"


def test_calls_that_differ_are_not_decided_together(site: Site) -> None:
    one, other, critical = site.ask_low(), site.ask_low("another"), site.ask()
    client = site.client()
    shown = read(client.get(f"/reviews/together?id={one.id}&id={other.id}").text)
    assert shown.has(id="not-equal")
    assert not shown.has("form", id="decide")
    for pair in ((one, other), (critical, critical), (one, critical)):
        answer = client.post(
            "/reviews/together",
            data={
                "csrf": "a token that forms send back",
                "type": "approve",
                "id": [review.id for review in pair],
                "chosen": [f"{review.id}:{review.digest}" for review in pair],
            },
        )
        assert answer.status_code == 422
    assert all(site.store.review(review.id).decision is None for review in (one, other, critical))
    assert critical.tier is Tier.CRITICAL


def test_readers_and_agents_get_no_forms(site: Site) -> None:
    one, two = site.ask_low(), site.ask_low()
    for who in (READER, BOT):
        client = site.client(who)
        page = read(client.get(f"/reviews/together?id={one.id}&id={two.id}").text)
        assert not page.has("button", name="type")
        chosen = [f"{review.id}:{review.digest}" for review in (one, two)]
        answer = client.post(
            "/reviews/together",
            data={"type": "approve", "id": [one.id, two.id], "chosen": chosen, "csrf": "a token that forms send back"},
        )
        assert answer.status_code in (403, 409)
    assert all(site.store.review(review.id).decision is None for review in (one, two))
