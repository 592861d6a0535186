"""Assessed steps over HTTP: the list, and one with all that was measured, paid and said."""

from __future__ import annotations

import re

import pytest

from guardrail.types import Fault, Route, ToolCall, Turn
from guardrail.visible import hides
from guardrail.web import Settings
from tests.support.hostile import TEXTS
from tests.web.boards import RULES, check_harmless, ran, row, text
from tests.web.serving import ANA, BEN, CSRF, URL, Site, transfer


def test_a_record_shows_what_was_measured_paid_decided_and_said(any_site: Site) -> None:
    review = any_site.ask(transfer(250, memo="rent"))
    any_site.queue.reject(review.id, by=BEN, message="no", fault=Fault.WRONG)
    client = any_site.client(ANA)
    found = text(client.get(f"/records/{review.record_id}").text)
    record = any_site.record(review)
    verdict = record.verdict.verdicts[0]
    assert verdict.why in found
    assert "4 of 8 (50 %)" in found
    assert f"{record.verdict.drawn} of {record.verdict.asked} drawn" in found
    assert "amount" in found
    assert "Share of the samples that plan this call too 50%" in found
    assert "the call was wrong by ben (review)" in found
    assert f"Review {review.id[:12]} : decided, reject by ben" in found
    assert "Pay invoice 17" in found
    assert record.id in found
    assert len(re.findall(r'data-name="Status"', client.get(f"/records/{record.id}").text)) == len(record.samples)


def test_the_list_has_the_newest_first_and_goes_on(any_site: Site) -> None:
    site = Site(store=any_site.store, clock=any_site.clock, settings=Settings(url=URL, page_size=3), rules=RULES)
    made = []
    for number in range(8):
        made.append(ran(site, tenant="other" if number % 4 == 3 else "").id)
        site.clock.move(10)
    client, path, seen = site.client(), "/records", []
    while path:
        page = client.get(path).text
        seen += re.findall(r'<a href="/records/([0-9a-f]+)"', page)
        older = re.search(r'href="(/records\?[^"]*before=[^"]*)">Older', page)
        path = older[1].replace("&amp;", "&") if older else ""
    assert seen == [one for place, one in reversed([*enumerate(made)]) if place % 4 != 3]
    thread = site.store.record(made[0]).thread_id
    assert re.findall(r'<a href="/records/([0-9a-f]+)"', client.get(f"/records?thread={thread}").text) == [made[0]]
    assert "No step was assessed." in text(client.get("/records?thread=nothing").text)
    assert row(client.get("/records").text, "search").endswith("low execute audited thread-7 -")


@pytest.mark.parametrize("path", ["/records/nothing", "/records/" + "x" * 5000])
def test_what_is_not_there_is_not_found(path: str) -> None:
    assert Site().client().get(path).status_code == 404


def test_an_id_has_to_be_whole() -> None:
    site = Site(rules=RULES)
    one = ran(site)
    assert site.client().get(f"/records/{one.id[:12]}").status_code == 404


def test_what_is_too_big_is_folded_and_opened_by_its_link() -> None:
    site = Site(rules=RULES)
    one = ran(site, ToolCall(name="search", arguments={"query": "a" * 5000 + "the end"}, id="c1"))
    client = site.client()
    page = client.get(f"/records/{one.id}").text
    assert "the end" not in page
    opened = re.search(r'href="(/records/[^"]*open=[^"]*)"', page)
    assert opened
    assert "the end" in client.get(opened[1].replace("&amp;", "&")).text


@pytest.mark.parametrize("name", sorted(name for name, said in TEXTS.items() if len(said) < 10_000))
def test_hostile_texts_are_text_wherever_they_stand(name: str) -> None:
    said = TEXTS[name]
    site = Site(rules={**RULES, "tools": [{"match": "*", "tier": "low"}]})
    call = ToolCall(name=said or "search", arguments={"query": said, said: [said]}, id=said or "c1")
    one = ran(site, call, conversation=(Turn(role=said, text=said),), route=None)
    client = site.client()
    paths = ["/dashboard", "/records", "/audits", "/log", f"/records/{one.id}", f"/records/{one.id}?evidence=1"]
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200
        check_harmless(answer.text)
        for hidden in filter(hides, set(answer.text) - set("\n\r\t")):
            raise AssertionError(f"U+{ord(hidden):04X} in {path}")
    if one.verdict.route is Route.REVIEW:
        return  # it poses as something hidden, and so a person decides
    form = {"csrf": CSRF, "record": one.id, "call": "0", "answer": "wrong"}
    given = client.post("/audits/answer", data=form)
    assert given.status_code == 303
    check_harmless(client.get(given.headers["location"]).text)
    (label,) = site.store.record(one.id).labels
    assert label.call_id == one.verdict.verdicts[0].call.id
