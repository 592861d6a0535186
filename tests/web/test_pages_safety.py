"""What pages must never do, whatever somebody wrote into a call, and whoever opens them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from starlette.routing import Route

from guardrail.types import Decision, DecisionType, Principal, Review, ReviewState, ToolCall, ToolSpec, Turn
from guardrail.visible import plain
from guardrail.web.headers import POLICY
from guardrail.web.pages.theme import local_path
from tests.support.hostile import SCRIPTS, TEXTS
from tests.web.reading import Element, fields, read, send
from tests.web.serving import ANA, BEN, BOSS, BOT, CSRF, READER, Site, transfer

TAGS = frozenset(
    [
        "document",
        "html",
        "head",
        "meta",
        "title",
        "link",
        "script",
        "body",
        "a",
        "header",
        "svg",
        "path",
        "rect",
        "nav",
        "div",
        "span",
        "form",
        "input",
        "button",
        "main",
        "article",
        "p",
        "h1",
        "h2",
        "h3",
        "section",
        "aside",
        "dl",
        "dt",
        "dd",
        "bdi",
        "code",
        "details",
        "summary",
        "ol",
        "ul",
        "li",
        "mark",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "blockquote",
        "fieldset",
        "legend",
        "label",
        "textarea",
        "select",
        "option",
        "dialog",
        "kbd",
        "strong",
        "time",
        "ins",
        "del",
        "br",
    ]
)
HALF = re.compile("[\ud800-\udfff]")  # no store keeps half a character
LONG = 100_000
OWN = re.compile(r"(/|#|\?)(?!/)")


def check_harmless(page: Element) -> None:
    """Nothing in it runs, loads from elsewhere, or sends anything elsewhere."""
    for one in page:
        assert one.tag in TAGS, one.tag
        for name, value in one.attributes.items():
            assert not name.startswith("on"), (one.tag, name)
            assert name not in ("style", "srcdoc", "formaction", "http-equiv", "ping", "background"), (one.tag, name)
            if name in ("href", "src", "action"):
                assert OWN.match(value), (one.tag, name, value)
        if one.tag == "script":
            assert one.attributes["src"].startswith("/static/")
            assert not one.raw


def poisoned(site: Site, text: str) -> Review:
    """A review in which everything that can be is the text."""
    record = site.record(site.ask())
    call = ToolCall(name=text or "x", arguments={"to": text, text: {text: [text]}}, id="c1")
    other = replace(call, arguments={"to": f"{text} more", text: 1})
    verdict = record.verdict.verdicts[0]
    clusters = (
        *(replace(one, call=call if one.planned else other, text=text, differs=(text,)) for one in verdict.clusters),
        replace(verdict.clusters[0], planned=False, text=text, call=None),
    )
    verdict = replace(verdict, call=call, why=text, rule=text, clusters=clusters)
    sibling = replace(verdict, call=replace(call, id="c2"))
    record = replace(
        record,
        id="poisoned-record",
        thread_id=text,
        model=text,
        verdict=replace(record.verdict, verdicts=(verdict, sibling), extra={text or "x": 3}),
        tools=(ToolSpec(name=call.name, description=text, parameters={"properties": {text: {"title": text}}}),),
        conversation=(Turn(role=text, text=text), Turn(role="user", text=text)),
    )
    site.store.add_record(record)
    review = replace(
        site.ask(), id="f" * 64, record_id=record.id, call=call, thread_id=text, why=text, rule=text, requester=text
    )
    return site.queue.open(review)


def words(text: str) -> list[str]:
    return plain(text).split()[:20]


@pytest.mark.parametrize("name", [some for some, text in TEXTS.items() if not HALF.search(text) and len(text) < LONG])
def test_hostile_texts_are_shown_and_do_nothing(site: Site, name: str) -> None:
    check_shown(site, TEXTS[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [some for some, text in TEXTS.items() if len(text) >= LONG])
def test_long_hostile_texts_are_shown_and_do_nothing(site: Site, name: str) -> None:
    check_shown(site, TEXTS[name])


def check_shown(site: Site, text: str) -> None:
    """Every page of a review that is full of the text."""
    review = poisoned(site, text)
    client = site.client()
    for path in ("/reviews", f"/reviews/{review.id}", f"/reviews/{review.id}?open=all&take=1"):
        answer = client.get(path)
        assert answer.status_code == 200
        page = read(answer.text)
        check_harmless(page)
        shown = page.one("main").text.replace(" ", "")
        for word in words(text[:100] if path == "/reviews" else text):  # the list only names it
            assert word in shown, (path, word)
    page = read(client.get(f"/reviews/{review.id}").text)
    assert {one.attributes["id"] for one in page.all("form", id=None)} >= {"decide", "edit", "reject", "respond"}
    assert [one.attributes["id"] for one in page.all("button") if one.attributes.get("id") == "approve-button"]


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_people_write_is_text_as_well(site: Site, name: str) -> None:
    text = SCRIPTS[name].replace("\ud83d", "")
    person = Principal(name=text[:200])
    review = site.ask()
    client = site.client(person)
    page = read(client.get(f"/reviews/{review.id}").text)
    assert send(client, page, "comment", text=text).status_code == 303
    site.queue.claim(review.id, by=person)
    kept = send(client, page, "reject", message=text, reason="wrong")
    told = read(kept.text)
    check_harmless(told)
    assert dict(fields(told, "reject"))["message"] == text.strip()
    site.queue.reject(review.id, by=person, message=text)
    after = read(client.get(f"/reviews/{review.id}").text)
    check_harmless(after)
    for place in ("comments", "decision", "history"):
        seen = after.one("section", id=place).text.replace(" ", "")
        assert all(word in seen for word in words(text)), place


def test_hostile_texts_over_every_store(any_site: Site) -> None:
    text = "".join(SCRIPTS.values()).replace("\ud83d", "") + "\u202e\u200b\U000e0041"
    review = poisoned(any_site, text)
    for path in ("/reviews", f"/reviews/{review.id}?open=all"):
        check_harmless(read(any_site.client().get(path).text))


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_filter_comes_back_as_it_was_typed(site: Site, name: str) -> None:
    text = SCRIPTS[name].replace("\ud83d", "")
    asked = {"tool": text, "requester": text, "thread": text}
    page = read(site.client().get("/reviews", params=asked).text)
    check_harmless(page)
    assert {field: page.one("input", name=field).attributes["value"] for field in asked} == asked
    for wrong in ("state", "tier", "after", "said", "mine", "open"):
        check_harmless(read(site.client().get("/reviews", params={wrong: text}).text))


def test_what_cannot_be_seen_is_marked(site: Site) -> None:
    review = site.ask(transfer(to="DE\u200b02\u202e"))
    for path in ("/reviews", f"/reviews/{review.id}"):
        marks = [one.text for one in read(site.client().get(path).text).all("mark")]
        assert {"\\u200b", "\\u202e"} <= set(marks)
    imitated = site.ask(transfer(to="p\u0430ypal"))
    page = read(site.client().get(f"/reviews/{imitated.id}").text)
    assert "Latin and Cyrillic" in page.one(id="warnings").text
    row = read(site.client().get("/reviews").text).one("tr", data_review=imitated.id)
    assert row.has(data_beware=None)


def routes(found: Any) -> Any:
    for route in found:
        if hasattr(route, "original_router"):
            yield from routes(route.original_router.routes)
        else:
            yield route


def addresses(site: Site, review: Review) -> list[str]:
    """Every address that answers to GET."""
    found = []
    for route in routes(site.app.routes):
        if isinstance(route, Route) and "GET" in (route.methods or ()) and "events" not in route.path:
            path = route.path.replace("{review_id}", review.id).replace("{record_id}", review.record_id)
            found.append(re.sub(r"\{[^}]*\}", "x", path))
    return found


def test_looking_changes_nothing(any_site: Site) -> None:
    review = any_site.ask(due=any_site.clock.after(60), escalate_at=any_site.clock.after(10))
    low = [any_site.ask_low(), any_site.ask_low()]
    claimed = any_site.ask()
    any_site.queue.claim(claimed.id, by=BEN, lease=30)
    any_site.clock.move(61)
    mark, before = any_site.store.change_mark(), any_site.store.reviews(limit=100)
    asked = addresses(any_site, review)
    assert {"/reviews", "/reviews/together", f"/reviews/{review.id}"} <= set(asked)
    more = "?type=approve&approve=1&do=edit&decision=approve&override=1&open=all&take=1&said=approved&_method=POST"
    for who in (ANA, BOSS, READER, BOT, None):
        client = any_site.client(who)
        for path in asked:
            client.get(path)
            client.get(path + more + f"&digest={review.digest}&revision=0&id={low[0].id}&id={low[1].id}")
            client.head(path)
    assert any_site.store.change_mark() == mark
    assert any_site.store.reviews(limit=100) == before


def test_other_methods_decide_nothing_either(site: Site) -> None:
    review = site.ask()
    form = {"type": "approve", "digest": review.digest, "revision": str(review.revision), "csrf": CSRF}
    client = site.client()
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"):
        for path in (f"/reviews/{review.id}", f"/reviews/{review.id}/decide"):
            assert client.request(method, path, data=form).status_code in (404, 405)
    posted = client.post(f"/reviews/{review.id}/decide", params=form, data={"csrf": CSRF})
    assert posted.status_code == 422
    as_json = client.post(f"/reviews/{review.id}/decide", json=form)
    assert as_json.status_code in (403, 422)
    header = client.get(f"/reviews/{review.id}/decide", params=form, headers={"x-http-method-override": "POST"})
    assert header.status_code == 303
    assert site.store.review(review.id) == review


@pytest.mark.parametrize("who", [None, READER, BOT], ids=["nobody", "reader", "agent"])
def test_who_may_not_act_has_no_form_and_no_way(any_site: Site, who: Principal | None) -> None:
    review = any_site.ask()
    client = any_site.client(who)
    page = client.get(f"/reviews/{review.id}")
    assert 'action="/reviews' not in page.text
    form: dict[str, Any] = {"digest": review.digest, "revision": "0", "csrf": CSRF, "text": "x", "message": "x"}
    for kind in DecisionType:
        answer = client.post(f"/reviews/{review.id}/decide", data={**form, "type": kind.value, "do": "edit"})
        assert answer.status_code != 200 or kind is DecisionType.EDIT
        assert answer.headers.get("location", "/login").startswith("/login")
    for act in ("claim", "release", "comment", "resolve"):
        answer = client.post(f"/reviews/{review.id}/{act}", data={**form, "outcome": "ran", "note": "x"})
        assert answer.headers.get("location", "/login").startswith("/login")
    assert any_site.store.review(review.id) == review


def test_a_decision_that_poses_as_anothers_is_the_signed_in_ones(site: Site) -> None:
    review = site.ask()
    page = read(site.client().get(f"/reviews/{review.id}").text)
    send(site.client(), page, "decide", by="ben", principal="boss", roles="admin", tenant="other", at="1999-01-01")
    made = site.store.review(review.id).decision
    assert made == Decision(type=DecisionType.APPROVE, by="ana", at=site.clock.now.isoformat())


def test_every_page_has_the_policy_and_is_kept_by_nobody(site: Site) -> None:
    review = site.ask()
    for path in ("/reviews", f"/reviews/{review.id}", "/reviews/nothing", "/reviews?state=nonsense"):
        answer = site.client().get(path, headers={"accept": "text/html"})
        assert answer.headers["content-security-policy"] == POLICY
        assert answer.headers["cache-control"] == "no-store"
        check_harmless(read(answer.text))


@pytest.mark.parametrize(
    "there", ["//evil.example", "/\\evil.example", "https://evil.example", "javascript:alert(1)", "", "/x\r\ny", "/é"]
)
def test_the_choice_of_a_look_leads_nowhere_else(site: Site, there: str) -> None:
    answer = site.client().post("/theme", data={"theme": "dark", "next": there, "csrf": CSRF})
    assert (answer.status_code, answer.headers["location"], local_path(there)) == (303, "/", "/")


def test_the_look_is_remembered_without_a_script(site: Site) -> None:
    client = site.client()
    assert "data-theme" not in read(client.get("/reviews").text).one("html").attributes
    answer = client.post("/theme", data={"theme": "dark", "next": "/reviews?state=all", "csrf": CSRF})
    assert answer.headers["location"] == "/reviews?state=all"
    assert "SameSite=lax" in answer.headers["set-cookie"]
    page = read(client.get("/reviews").text)
    assert page.one("html").attributes["data-theme"] == "dark"
    assert page.one(id="theme-switch").attributes["value"] == "light"
    client.post("/theme", data={"theme": '"><script>', "csrf": CSRF})
    assert read(client.get("/reviews").text).one("html").attributes["data-theme"] == "dark"
    client.cookies.set("theme", '"><script>')
    check_harmless(read(client.get("/reviews").text))


@pytest.mark.parametrize(
    "body",
    [
        b"type=approve&type=approve",
        b"%",
        b"type=%ff%fe&digest=%00",
        b"\xff\xfe=\xfd",
        b"type=edit&do=edit&f:mode=json&f=%7B%22a%22%3A" + b"[" * 5000,
        b"type=edit&do=edit&f:mode=fields&take=999999999999999999",
        b"type=edit&do=edit&f:mode=json&f=NaN&take=-1",
        b"=&=&=&;",
        b"type=reject&reason=nonsense",
        b"opened=" + b"x" * 100_000,
    ],
)
def test_broken_forms_are_refused(any_site: Site, body: bytes) -> None:
    review = any_site.ask()
    kinds = (
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "multipart/form-data",
        "text/plain",
    )
    for kind in kinds:
        for act in ("decide", "claim", "comment", "resolve", "release"):
            answer = any_site.client().post(
                f"/reviews/{review.id}/{act}", content=body + b"&csrf=" + CSRF.encode(), headers={"content-type": kind}
            )
            assert answer.status_code < 500, (kind, act, answer.text[:300])
    kept = any_site.store.review(review.id)
    assert kept.decision is None
    assert kept.state in (ReviewState.PENDING, ReviewState.CLAIMED)
