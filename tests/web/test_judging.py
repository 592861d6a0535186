"""The judging room over HTTP: evidence after the answer, labels as the command line writes them, alarms at once."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from guardrail.calibration import labelled_calls
from guardrail.engine.labels import stored_labels
from guardrail.errors import StoreError
from guardrail.store import MemoryStore, stored_draws, stored_records
from guardrail.types import AuditDraw, Fault, Label, LabelSource, Principal, PrincipalKind, ToolCall
from guardrail.watching import watched
from tests.watching.promised import promised
from tests.watching.promised import ran as recorded
from tests.web.boards import RULES, UNAUDITED, ReadOnly, promising, ran, text
from tests.web.serving import ANA, BEN, BOSS, BOT, CSRF, READER, STRANGER, Site

HOSTILE = 'x"></textarea><script>alert(1)</script>\u202e\u200b'
SYSTEM_WORDS = ("samples plan the same call", "agreement", "it runs")


@pytest.fixture
def site() -> Site:
    return Site(rules=RULES)


def asked(client: TestClient, path: str = "/audits") -> tuple[str, str]:
    """Record and call of the question that is put."""
    page = client.get(path).text
    found = re.search(r'name="record" value="([^"]*)">\s*<input type="hidden" name="call" value="([^"]*)"', page)
    assert found, text(page)
    return found[1], found[2]


def answer(client: TestClient, record: str, call: str = "0", said: str = "right", note: str = "", query: str = ""):
    form = {"csrf": CSRF, "record": record, "call": call, "answer": said, "note": note}
    return client.post(f"/audits/answer{query}", data=form)


def test_calls_are_asked_about_oldest_first_and_evidence_is_shown_after_the_answer(any_site: Site) -> None:
    first = ran(any_site, rules=RULES)
    any_site.clock.move(60)
    second = ran(any_site, rules=RULES)
    client = any_site.client()
    page = client.get("/audits").text
    assert asked(client) == (first.id, "0")
    assert "1 of 2" in text(page)
    for words in SYSTEM_WORDS:
        assert words not in text(page)
    assert "invoice 1" in page
    assert "Pay invoice 17" in page
    given = answer(client, first.id)
    assert given.status_code == 303
    shown = text(client.get(given.headers["location"]).text)
    assert "Your answer is kept 1 call waits" in shown
    for words in SYSTEM_WORDS[:1]:
        assert words in shown
    assert asked(client)[0] == second.id
    answer(client, second.id)
    assert "No call that was drawn waits for a judgement." in text(client.get("/audits").text)


@pytest.mark.parametrize(
    ("said", "correct", "fault"),
    [("right", True, None), ("wrong", False, Fault.WRONG), ("unwanted", False, Fault.UNWANTED)],
)
def test_an_answer_is_the_label_that_the_command_line_writes(any_site: Site, said: str, correct: bool, fault) -> None:
    one = ran(any_site, rules=RULES)
    assert answer(any_site.client(), one.id, said=said, note=" seen ").status_code == 303
    (label,) = any_site.store.record(one.id).labels
    assert label == Label(
        call_id="c1",
        correct=correct,
        source=LabelSource.AUDIT,
        by="ana",
        at=any_site.clock.now.isoformat(),
        note="seen",
        fault=fault,
    )
    (call,) = labelled_calls(stored_records(any_site.store), stored_draws(any_site.store)).calls
    assert (call.correct, call.probability) == (correct, 1.0)


@pytest.mark.parametrize("said", ["", "approve", "RIGHT", "cannot tell"])
def test_nothing_else_is_an_answer(site: Site, said: str) -> None:
    one = ran(site)
    assert answer(site.client(), one.id, said=said).status_code == 422
    assert not site.store.record(one.id).labels


def test_what_nobody_can_tell_stays_open_and_counts_as_wrong(site: Site) -> None:
    first = ran(site)
    site.clock.move(1)
    second = ran(site)
    client = site.client()
    skip = re.search(r'href="(/audits\?skip=1)"', client.get("/audits").text)
    assert skip
    assert asked(client, skip[1])[0] == second.id
    assert "2 calls were left open: they count as wrong" in text(client.get("/audits?skip=2").text)
    assert asked(client)[0] == first.id
    assert len(stored_labels(site.store).unanswered) == 2


def test_a_call_that_was_judged_meanwhile_is_not_asked_about(site: Site) -> None:
    first = ran(site)
    site.clock.move(1)
    second = ran(site)
    client = site.client()
    assert asked(client)[0] == first.id
    site.store.add_label(first.id, replace(_label(site), by="somebody at the command line"))
    assert asked(client)[0] == second.id


def test_only_people_whose_credentials_are_for_it_judge(site: Site) -> None:
    one = ran(site)
    worker = Principal(name="worker", kind=PrincipalKind.SYSTEM)
    for who, status in ((None, 401), (BOT, 403), (READER, 403), (worker, 403), (STRANGER, 404)):
        assert answer(site.client(who), one.id).status_code == status, who
    assert not site.store.record(one.id).labels
    page = text(site.client(READER).get("/audits").text)
    assert "Your answer" not in page
    assert "they lack the scope reviews:decide" in page
    assert "only people may judge calls" in text(site.client(BOT).get("/audits").text)


def test_whoever_asked_for_a_call_does_not_judge_it_and_its_reviewer_may() -> None:
    site = Site()
    review = site.ask(requester="Ana")
    site.queue.respond(review.id, by=BEN, message="it was paid")
    question = f"/audits?record={review.record_id}&call=0"
    assert "ana asked for this call: somebody else has to judge it" in text(site.client(ANA).get(question).text)
    assert answer(site.client(ANA), review.record_id).status_code == 403
    assert answer(site.client(BEN), review.record_id).status_code == 303
    assert [label.by for label in site.record(review).labels] == ["ben"]


def test_a_call_that_waits_for_a_reviewer_is_judged_by_deciding() -> None:
    site = Site()
    review = site.ask()
    for path in ("/audits", "/audits?undrawn=1"):
        assert "No call that was drawn waits" in text(site.client().get(path).text)
    assert answer(site.client(), review.record_id).status_code == 422
    assert "a reviewer is still to decide" in text(site.client().get(f"/audits?record={review.record_id}&call=0").text)
    assert not site.record(review).labels


def test_contradictions_are_shown_listed_and_settled(site: Site) -> None:
    one = ran(site)
    answer(site.client(ANA), one.id, said="right")
    site.clock.move(1)
    given = answer(site.client(BEN), one.id, said="wrong")
    shown = text(site.client(BEN).get(given.headers["location"]).text)
    assert "This contradicts what was said before" in shown
    assert "right by ana (audit)" in shown
    listed = site.client(ANA).get("/audits").text
    assert "Judged both right and wrong" in text(listed)
    again = re.search(r'href="(/audits\?record=[^"]*)"', listed)
    assert again
    assert asked(site.client(ANA), again[1].replace("&amp;", "&")) == (one.id, "0")
    site.clock.move(1)
    answer(site.client(ANA), one.id, said="wrong")
    assert "Judged both right and wrong" not in text(site.client(ANA).get("/audits").text)


def test_evidence_of_a_call_is_kept_from_who_has_not_judged_it(site: Site) -> None:
    one = ran(site)
    answered = f"/audits/answer?record={one.id}&call=0"
    sent = site.client(BEN).get(answered)
    assert sent.status_code == 303
    assert parse_qs(urlsplit(sent.headers["location"]).query) == {"record": [one.id], "call": ["0"]}
    record = text(site.client(BEN).get(f"/records/{one.id}").text)
    assert "A call of this step waits to be judged" in record
    for words in SYSTEM_WORDS:
        assert words not in record
    assert "samples plan the same call" in text(site.client(BEN).get(f"/records/{one.id}?evidence=1").text)
    answer(site.client(ANA), one.id)
    assert site.client(BEN).get(answered).status_code == 303
    assert "samples plan the same call" in text(site.client(BEN).get(f"/records/{one.id}").text)


def test_a_second_click_is_no_second_label(site: Site) -> None:
    one = ran(site)
    for _ in range(3):
        assert answer(site.client(), one.id, said="wrong", note="twice").status_code == 303
        site.clock.move(1)
    assert len(site.store.record(one.id).labels) == 1
    answer(site.client(), one.id, said="right")
    assert [label.correct for label in site.store.record(one.id).labels] == [False, True]


def test_the_answer_that_breaks_a_promise_raises_its_alarm_at_once(tmp_path: Path) -> None:
    one, rules = promising(tmp_path)
    site = Site(rules=rules)
    for number in range(60):
        site.store.add_record(recorded(one, f"rec-{number:06}", audited=1.0))
    client, raised = site.client(BOSS), 0
    while not site.store.alarms():
        record, call = asked(client)
        given = answer(client, record, call, said="wrong")
        raised += 1
        site.clock.move(1)
        assert raised < 60
    assert "An alarm stands for the medium tier" in text(client.get(given.headers["location"]).text)
    evidence = watched(site.store, one)
    assert all(stream.process.n == raised for stream in evidence.streams)
    assert "at most 10 % are promised" in text(client.get("/dashboard").text)
    assert "An alarm" not in text(site.client(STRANGER).get("/audits").text)


def test_a_label_stands_where_the_watch_could_not_be_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    class Stubborn(MemoryStore):
        def put_state(self, key: str, text: str, *, revision: int) -> bool:
            raise StoreError(f"{key} at /var/lib/secret cannot be written")

    one, rules = promising(tmp_path)
    site = Site(store=Stubborn(), rules=rules)
    site.store.add_record(recorded(one, "rec-000001"))
    given = answer(site.client(BOSS), "rec-000001")
    assert given.status_code == 303
    assert "The watch could not be told now" in text(site.client(BOSS).get(given.headers["location"]).text)
    assert site.store.record("rec-000001").labels
    assert "the watch was not told of a label" in caplog.text
    assert "secret" not in caplog.text


def test_tenants_judge_their_own(any_site: Site) -> None:
    ours, theirs = ran(any_site, rules=RULES), ran(any_site, rules=RULES, tenant="other")
    assert asked(any_site.client(ANA))[0] == ours.id
    assert asked(any_site.client(STRANGER))[0] == theirs.id
    for who, other in ((ANA, theirs), (STRANGER, ours)):
        client = any_site.client(who)
        missing = client.get("/records/nothing-of-that-id").json()
        for path in (f"/records/{other.id}", f"/audits?record={other.id}&call=0", f"/audits/answer?record={other.id}"):
            assert client.get(path).status_code == 404
            assert client.get(path).json() == missing
        assert answer(client, other.id).status_code == 404
        assert other.id not in client.get("/records").text
        assert not any_site.store.record(other.id).labels
    given = answer(any_site.client(STRANGER), theirs.id)
    assert given.status_code == 303
    assert any_site.store.record(theirs.id).labels


def test_hostile_calls_and_notes_are_text(site: Site) -> None:
    one = ran(site, ToolCall(name="search", arguments={"query": HOSTILE}, id="c1\"'><b>"))
    client = site.client()
    pages = [client.get("/audits").text]
    given = answer(client, one.id, note=HOSTILE)
    pages += [client.get(given.headers["location"]).text, client.get(f"/records/{one.id}").text]
    for page in pages:
        assert "<script>alert" not in page
        assert "\u202e" not in page
        assert "'><b>" not in page
    assert site.store.record(one.id).labels[0].note == HOSTILE


def test_a_note_that_is_too_long_is_refused(site: Site) -> None:
    one = ran(site)
    assert answer(site.client(), one.id, note="x" * 5001).status_code == 422


def test_calls_that_nothing_drew_come_only_when_asked_for() -> None:
    site = Site(rules=UNAUDITED)
    one = ran(site)
    client = site.client()
    assert "1 call that nothing drew is not judged" in text(client.get("/audits").text)
    assert asked(client, "/audits?undrawn=1")[0] == one.id
    assert "Nothing drew this one" in text(client.get("/audits?undrawn=1").text)


def test_a_second_draw_says_which_audited_calls_are_asked_about(site: Site) -> None:
    first, second = ran(site), ran(site)
    draw = AuditDraw(record_id=second.id, call_id="c1", probability=0.5, batch="b", at=site.clock.now.isoformat())
    site.store.add_draws([draw])
    assert asked(site.client())[0] == second.id
    assert "1 of 1" in text(site.client().get("/audits").text)
    assert first.id not in site.client().get("/audits").text


@pytest.mark.parametrize("query", ["tier=none", "skip=-1", "skip=1e9", "skip=99999999999", "skip=x"])
def test_an_address_that_means_nothing_is_refused(site: Site, query: str) -> None:
    assert site.client().get(f"/audits?{query}").status_code == 400


def test_filters_are_kept_from_question_to_question(site: Site) -> None:
    one = ran(site)
    ran(site)
    client = site.client()
    assert "No call that was drawn waits" in text(client.get("/audits?tier=high").text)
    given = answer(client, one.id, query="?tier=low&tool=search")
    page = client.get(given.headers["location"]).text
    assert 'href="/audits?tier=low&amp;tool=search"' in page


def test_looking_changes_nothing(tmp_path: Path) -> None:
    store = MemoryStore()
    site = Site(store=store, rules=RULES)
    one = ran(site)
    answer(site.client(), one.id)
    ran(site)
    reading = Site(store=ReadOnly(store), clock=site.clock, rules=RULES)  # type: ignore[arg-type]
    client = reading.client(BOSS)
    paths = ("/audits", "/audits?skip=5", "/audits?undrawn=1", "/records", f"/records/{one.id}", "/log", "/dashboard")
    for path in (*paths, f"/audits?record={one.id}&call=0", "/log/export.jsonl", "/log/heads.json", "/log/verify"):
        assert client.get(path).status_code in (200, 303), path
    assert reading.client(ANA).get(f"/audits/answer?record={one.id}&call=0").status_code == 200
    assert client.post("/log/verify", data={"csrf": CSRF}).status_code == 200


def _label(site: Site) -> Label:
    at = site.clock.now.isoformat()
    return Label(call_id="c1", correct=True, source=LabelSource.AUDIT, by="ana", at=at)


def test_calls_on_a_promise_that_is_not_served_are_judged_too() -> None:
    site = Site()
    site.store.add_record(recorded(promised(), "rec-000001"))
    assert answer(site.client(), "rec-000001").status_code == 303
    assert site.store.record("rec-000001").labels
