"""The log page over HTTP: newest first, each entry once, checked and taken away."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from guardrail import audit
from guardrail.cli.main import main
from guardrail.codec import from_json, to_json
from guardrail.errors import StoreError
from guardrail.heads import read_heads
from guardrail.store import MemoryStore, SQLiteStore
from guardrail.store.trail import backwards, entries_about, trail
from guardrail.types import AuditEntry
from guardrail.web import Settings
from tests.review.queues import START
from tests.web.boards import text
from tests.web.serving import ANA, BEN, BOSS, CSRF, STRANGER, URL, Site

HOSTILE = 'x"><script>alert(1)</script>\u202e\u200b'


def every(store) -> list[AuditEntry]:
    return store.audit_entries(limit=100_000)


def places(page: str) -> list[tuple[int, int]]:
    return [(int(shard), int(number)) for shard, number in re.findall(r'data-name="Chain">(\d+), (\d+)<', page)]


def test_pages_have_every_entry_once_and_the_newest_first(any_site: Site) -> None:
    site = Site(store=any_site.store, clock=any_site.clock, settings=Settings(url=URL, page_size=7))
    for number in range(6):
        review = site.ask()
        site.clock.move(10)
        site.queue.approve(review.id, by=ANA if number % 2 else BEN)
        site.clock.move(10)
    site.store.seal(by="upkeep", at=site.clock.now.isoformat())
    client, path, seen, times = site.client(), "/log", [], []
    while path:
        page = client.get(path).text
        seen += places(page)
        times += re.findall(r'data-name="Time">([^<]*)<', page)
        older = re.search(r'href="(/log\?before=[^"]*)">Older', page)
        path = older[1] if older else ""
    entries = every(site.store)
    assert sorted(seen) == sorted((one.shard, one.number) for one in entries)
    assert times == sorted(times, reverse=True)
    first = text(client.get("/log").text)
    assert f"{len(entries)} entries in 8 chains, sealed last on 2026-01-02 04:02:00 UTC by upkeep" in first


def test_entries_of_one_review_are_found(any_site: Site) -> None:
    one, other = any_site.ask(), any_site.ask()
    any_site.queue.claim(one.id, by=ANA)
    any_site.queue.reject(one.id, by=ANA, message="no")
    any_site.queue.approve(other.id, by=ANA)
    page = any_site.client().get(f"/log?about={one.id}").text
    assert re.findall(r'data-name="What">([^<]*)<', page) == ["review.decided", "review.claimed", "review.opened"]
    assert f'href="/reviews/{one.id}"' in page
    assert "Nothing is on record about it." in text(any_site.client().get("/log?about=nothing").text)
    assert any_site.client().get("/log?about=" + "x" * 301).status_code == 400


def test_the_log_is_checked_with_what_it_tells_of(tmp_path: Path) -> None:
    path = tmp_path / "guardrail.db"
    store = SQLiteStore(path)
    site = Site(store=store)
    reviews = [site.ask() for _ in range(3)]
    client = site.client()
    checked = text(client.post("/log/verify", data={"csrf": CSRF}).text)
    assert "The log is intact 3 entries were checked" in checked
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE reviews SET body = replace(body, '250', '999') WHERE id = ?", (reviews[0].id,))
    checked = text(client.post("/log/verify", data={"csrf": CSRF}).text)
    assert "Something is wrong with the log" in checked
    assert "1 problem" in checked
    assert f"value changed chain {audit.shard_of(reviews[0].id)}" in checked
    assert reviews[0].id in checked
    store.close()


def test_a_log_that_is_too_long_for_a_page_is_for_the_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.web.pages.log.MOST_VERIFIED", 2)
    site = Site()
    for _ in range(3):
        site.ask()
    refused = site.client().post("/log/verify", data={"csrf": CSRF})
    assert refused.status_code == 400
    assert "guardrail audit verify" in refused.text
    assert "<button disabled>Verify now" in site.client().get("/log").text


def test_only_one_check_runs_at_a_time() -> None:
    site = Site()
    from guardrail.web.pages import log

    with log._one_at_a_time:
        assert site.client().post("/log/verify", data={"csrf": CSRF}).status_code == 429
    assert site.client().post("/log/verify", data={"csrf": CSRF}).status_code == 200


def test_the_export_and_the_head_are_those_of_the_command_line(tmp_path: Path) -> None:
    store = SQLiteStore(tmp_path / "guardrail.db")
    site = Site(store=store)
    for _ in range(5):
        site.ask()
    store.seal(by="upkeep")
    client = site.client()
    log, head = client.get("/log/export.jsonl"), client.get("/log/heads.json")
    assert "attachment" in log.headers["content-disposition"]
    lines = [from_json(AuditEntry, json.loads(line)) for line in log.text.splitlines()]
    assert lines == every(store)
    (tmp_path / "log.jsonl").write_text(log.text, encoding="utf-8")
    (tmp_path / "head.json").write_text(head.text, encoding="utf-8")
    assert list(read_heads(tmp_path / "head.json", public_key=None).heads) == store.audit_heads()
    store.close()
    arguments = ["audit", "verify", "--file", str(tmp_path / "log.jsonl"), "--head", str(tmp_path / "head.json")]
    assert CliRunner().invoke(main, arguments).exit_code == 0
    (tmp_path / "log.jsonl").write_text("".join(f"{json.dumps(to_json(one))}\n" for one in lines[:-1]))
    assert CliRunner().invoke(main, arguments).exit_code == 5


def test_tenants_have_their_own_log(any_site: Site) -> None:
    ours, theirs = any_site.ask(), any_site.ask(tenant="other")
    any_site.ask(tenant="other")
    for who, mine, other, entries in ((ANA, ours, theirs, 1), (STRANGER, theirs, ours, 2)):
        client = any_site.client(who)
        for path in ("/log", f"/log?about={other.id}", "/log/export.jsonl", "/log/heads.json"):
            shown = client.get(path).text.replace(f'value="{other.id}"', "")
            assert other.id not in shown, path
        assert mine.id in client.get("/log/export.jsonl").text
        assert f"{entries} entries were checked" in text(client.post("/log/verify", data={"csrf": CSRF}).text)


def test_hostile_names_are_text() -> None:
    site = Site()
    note = audit.draft(what=f"note.{HOSTILE}", subject=HOSTILE, body="", by=HOSTILE, at=HOSTILE)
    site.store.note(note)
    for path in ("/log", "/log?about=x%22%3E"):
        page = site.client().get(path).text
        assert "<script>alert" not in page
        assert "\u202e" not in page
    review = site.ask(requester=HOSTILE)
    site.queue.comment(review.id, by=replace(BOSS, name=HOSTILE), text="x")
    assert "<script>alert" not in site.client().get("/log").text


@pytest.mark.parametrize(
    "before", ["x", "1-2", "-1", "1-1-1-1-1-1-1--1", "9" * 20, "1-1-1-1-1-1-1-" + "9" * 16, "٣-1-1-1-1-1-1-1"]
)
def test_a_place_that_no_page_said_is_refused(before: str) -> None:
    assert Site().client().get("/log", params={"before": before}).status_code == 400


def test_a_place_beyond_the_end_begins_there() -> None:
    site = Site()
    site.ask()
    assert len(places(site.client().get("/log?before=" + "-".join(["999999"] * 8)).text)) == 1
    assert not places(site.client().get("/log?before=" + "-".join(["0"] * 8)).text)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 100)), max_size=60), st.integers(1, 9))
def test_the_trail_gives_every_entry_once_and_each_chain_in_its_order(said: list[tuple[int, int]], size: int) -> None:
    store = MemoryStore()
    for subject, minutes in said:
        at = (START + timedelta(minutes=minutes)).isoformat()
        store.note(audit.draft(what="note.made", subject=f"s{subject}", body="", by="ana", at=at))
    found: list[AuditEntry] = []
    before: tuple[int, ...] = ()
    while True:
        page = trail(store, before=before, limit=size)
        found += page.entries
        if not (before := page.before):
            break
    assert sorted(found, key=_place) == sorted(every(store), key=_place)
    for shard in range(audit.SHARDS):
        mine = [one for one in found if one.shard == shard]
        assert [one.number for one in mine] == sorted((one.number for one in mine), reverse=True)
        assert mine == [*backwards(store, shard)]
    subject = "s1"
    about, whole = entries_about(store, subject, most=1000)
    assert whole
    assert about == [one for one in backwards(store, audit.shard_of(subject)) if one.subject == subject]


def test_times_in_order_give_the_newest_first() -> None:
    store = MemoryStore()
    for number in range(100):
        at = (START + timedelta(seconds=number)).isoformat()
        store.note(audit.draft(what="note.made", subject=f"s{number}", body="", by="ana", at=at))
    times = [datetime.fromisoformat(one.at) for one in trail(store, limit=100).entries]
    assert times == sorted(times, reverse=True)
    assert len(times) == 100


def test_a_place_in_the_trail_has_one_number_a_chain() -> None:
    with pytest.raises(StoreError, match="no place"):
        trail(MemoryStore(), before=(1, 2))
    with pytest.raises(StoreError, match="no place"):
        trail(MemoryStore(), before=(-1,) * audit.SHARDS)


def test_only_so_much_of_a_chain_is_looked_through() -> None:
    store = MemoryStore()
    for number in range(20):
        store.note(audit.draft(what="note.made", subject="s", body=str(number), by="ana", at=""))
    found, whole = entries_about(store, "s", most=5)
    assert (len(found), whole) == (5, False)
    assert found[0].number == 20


def _place(entry: AuditEntry) -> tuple[int, int]:
    return entry.shard, entry.number
