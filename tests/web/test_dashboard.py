"""The dashboard over HTTP: its numbers are those of the store, and nobody's silence is an answer."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner
from scipy import stats

from guardrail.calibration import calibration_digest
from guardrail.cli.main import main
from guardrail.store import MemoryStore, SQLiteStore
from guardrail.types import Label, LabelSource, ToolCall
from guardrail.watching import desk as at_desk
from guardrail.watching import look
from tests.review.queues import Clock
from tests.watching.promised import audit
from tests.web.boards import RULES, UNAUDITED, ReadOnly, promising, ran, row, text
from tests.web.serving import ANA, BEN, BOSS, BOT, CSRF, READER, STRANGER, Site, transfer

HOSTILE = 'x"><script>alert(1)</script>\u202e\u200b'


def judged(site: Site, record_id: str, *, correct: bool, source: LabelSource = LabelSource.AUDIT) -> None:
    label = Label(call_id="c1", correct=correct, source=source, by="ana", at=site.clock.now.isoformat())
    site.store.add_label(record_id, label)


def dashboard(site: Site, who=ANA, *, days: int = 7) -> str:
    answer = site.client(who).get(f"/dashboard?days={days}")
    assert answer.status_code == 200
    return answer.text


def interval(wrong: int, n: int) -> str:
    low = 0.0 if not wrong else stats.beta.ppf(0.025, wrong, n - wrong + 1)
    high = 1.0 if wrong == n else stats.beta.ppf(0.975, wrong + 1, n - wrong)
    return f"{100 * wrong / n:.3g} % ({100 * low:.3g} % to {100 * high:.3g} %)"


def test_open_items_stand_by_tier_and_state_with_the_oldest_age(any_site: Site) -> None:
    any_site.ask()
    any_site.clock.move(3600 * 5)
    claimed, decided, low = any_site.ask(), any_site.ask(), any_site.ask_low()
    any_site.queue.claim(claimed.id, by=ANA)
    any_site.queue.approve(decided.id, by=BEN)
    any_site.queue.approve(low.id, by=BEN)
    any_site.queue.begin(low.id, digest=low.digest, by="worker")
    any_site.clock.move(3600)
    page = dashboard(any_site)
    assert "pending claimed decided executing oldest waits" in text(page)
    assert row(page, "critical", "6 hours") == "critical 1 1 1 0 6 hours"
    assert row(page, "low", "-") == "low 0 0 0 1 -"


def test_waiting_times_count_what_was_decided_and_what_expired(any_site: Site) -> None:
    for seconds in [*range(60, 600, 60), 7200]:
        review = any_site.ask()
        any_site.clock.move(seconds)
        any_site.queue.claim(review.id, by=ANA)
        any_site.clock.move(30)
        any_site.queue.approve(review.id, by=ANA)
    late = any_site.ask(due=any_site.clock.after(60))
    any_site.clock.move(120)
    any_site.queue.sweep()
    assert any_site.queue.get(late.id).state.value == "expired"
    found = text(dashboard(any_site))
    assert "decided 10, by 1 person" in found
    assert "expired 1, 9.09 % of those that had to be answered" in found
    assert "half within 6 minutes, nine of ten within 10 minutes" in found
    assert "30 seconds, in the middle" in found


def test_decisions_stand_by_day_and_type(any_site: Site) -> None:
    first = [any_site.ask() for _ in range(3)]
    any_site.queue.approve(first[0].id, by=ANA)
    any_site.queue.reject(first[1].id, by=BEN, message="no")
    any_site.clock.move(86400)
    any_site.queue.edit(first[2].id, by=BEN, arguments={"to": "DE02", "amount": 25})
    page = dashboard(any_site)
    assert row(page, "2026-01-02") == "2026-01-02 1 0 1 0 2"
    assert row(page, "2026-01-03") == "2026-01-03 0 1 0 0 1"


def test_what_runs_is_counted_and_only_what_somebody_judged_is_right_or_wrong() -> None:
    site = Site(rules=RULES)
    records = [ran(site) for _ in range(10)]
    page = dashboard(site)
    assert row(page, "search") == "search 10 10 100 % 0 0 not known: no audits; 10 drawn and not judged none"
    for number, one in enumerate(records[:8]):
        judged(site, one.id, correct=number > 0)
    page = dashboard(Site(store=site.store, clock=site.clock, rules=RULES))
    assert row(page, "search") == f"search 10 10 100 % 0 0 {interval(1, 8)} 1 of 8 judged, 2 not none"
    assert row(page, "nothing") == "low nothing 0 10 8 - -"


def test_a_call_that_nothing_drew_is_no_evidence() -> None:
    site = Site(rules=UNAUDITED)
    one = ran(site)
    judged(site, one.id, correct=True)
    page = dashboard(site)
    assert row(page, "search") == "search 1 1 100 % 0 0 not known: no audits none"
    assert "1 judged call is left out" in text(page)
    assert "Not known: no call of these days was judged whose chance to be judged is known." in text(page)


def test_what_people_decided_tells_of_what_they_saw() -> None:
    site = Site()
    reviews = [site.ask() for _ in range(4)]
    site.queue.approve(reviews[0].id, by=ANA)
    site.queue.reject(reviews[1].id, by=ANA, message="no")
    site.queue.respond(reviews[2].id, by=ANA, message="it was paid")
    page = dashboard(site)
    assert row(page, "transfer") == f"transfer 4 0 0 % 0 4 none ran {interval(1, 2)} 1 of 2 judged, 2 not"


def test_promises_and_evidence_are_those_of_the_command_line(tmp_path: Path) -> None:
    one, rules = promising(tmp_path)
    now = datetime.now(UTC)
    store = SQLiteStore(tmp_path / "guardrail.db")
    audit(store, one, "..x....x..", at=now.isoformat())
    audit(store, one, "....", prefix="old", at="2025-01-02T03:04:05+00:00")
    look(store, one)
    site = Site(store=store, clock=Clock(now), rules=rules)
    page = dashboard(site, BOSS)
    arguments = ["--store", store.url, "--calibration", str(tmp_path / "calibration.json"), "--json"]
    said = json.loads(CliRunner().invoke(main, ["status", *arguments]).output)
    (medium,) = (tier for tier in said["tiers"] if tier["tier"] == "medium")
    evidence = medium["evidence"]
    percent = [f"{100 * evidence[name]:.3g} %" for name in ("rate", "low", "high")]
    assert (evidence["audits"], evidence["wrong"], medium["promised"]) == (14, 2, 10)
    found = row(page, "medium", "at most 10 % wrong")
    assert f"{percent[0]} ({percent[1]} to {percent[2]}) 2 of 14 audited" in found
    assert f"95 % sure {medium['promised']} {medium['drawn']} {medium['answered']}" in found
    assert f"{evidence['e_value']:.2g} of {evidence['limit']:,.0f}" in found
    assert row(page, "refund").startswith(f"refund {medium['executed']} {medium['executed']} 100 %")
    for line in said["advice"]:
        assert " ".join(line.replace("`", " ").split()) in text(page).replace(" :", ":")
    store.close()


def test_evidence_that_is_behind_says_so_and_a_page_takes_nothing_in(tmp_path: Path) -> None:
    one, rules = promising(tmp_path)
    store = MemoryStore()
    audit(store, one, "..x", at=Clock().now.isoformat())
    site = Site(store=ReadOnly(store), rules=rules)  # type: ignore[arg-type]
    assert "Labels came that the evidence does not have yet" in text(dashboard(site, BOSS))
    look(store, one)
    site = Site(store=ReadOnly(store), rules=rules)  # type: ignore[arg-type]
    assert "Labels came" not in text(dashboard(site, BOSS))


def test_a_calibration_that_cannot_be_read_leaves_the_rest(tmp_path: Path) -> None:
    _, rules = promising(tmp_path)
    (tmp_path / "calibration.json").write_text("{}", encoding="utf-8")
    site = Site(rules=rules)
    site.ask(policy=Site().policy)
    found = text(dashboard(site, BOSS))
    assert "What is promised cannot be read, and is left out" in found
    assert "critical 1 0 0 0" in found


def test_evidence_that_cannot_be_read_leaves_the_rest_and_says_nothing_of_the_store(tmp_path: Path) -> None:
    one, rules = promising(tmp_path)
    site = Site(rules=rules)
    audit(site.store, one, "..", at=site.clock.now.isoformat())
    key = f"watching/{calibration_digest(one)}"
    assert site.store.put_state(key, "no evidence", revision=0)
    found = text(dashboard(site, BOSS))
    assert "what was kept of watching cannot be read: see the server's log" in found
    assert "watching/" not in found
    assert "refund 2 2 100 %" in found


def test_hostile_names_are_text() -> None:
    site = Site(rules={**RULES, "tools": [{"match": "*", "tier": "low"}]})
    one = ran(site, ToolCall(name=HOSTILE, arguments={}, id="c1"))
    judged(site, one.id, correct=False)
    for path in ("/dashboard", "/records", f"/records/{one.id}", "/log", f"/log?about={one.id}"):
        page = site.client().get(path).text
        assert "<script>alert" not in page, path
        assert "\u202e" not in page, path
        assert "\u200b" not in page, path
    assert "&lt;script&gt;alert(1)" in site.client().get("/dashboard").text


def test_tenants_see_their_own_numbers(tmp_path: Path) -> None:
    one, rules = promising(tmp_path)
    site = Site(rules=rules)
    audit(site.store, one, "x" * 40, at=site.clock.now.isoformat())
    assert look(site.store, one).raised
    theirs = Site(store=site.store, rules=RULES)
    ran(theirs, ToolCall(name="search_theirs", arguments={}, id="c1"), tenant="other")
    for tenant in ("", "", "other"):
        site.ask(transfer(1), policy=theirs.policy, tenant=tenant)
    ours, others = text(dashboard(site, BOSS)), text(dashboard(site, STRANGER))
    assert row(dashboard(site, BOSS), "critical") == "critical 2 0 0 0 0 seconds"
    assert row(dashboard(site, STRANGER), "critical") == "critical 1 0 0 0 0 seconds"
    assert "refund" in ours
    assert "search_theirs" not in ours
    assert "search_theirs" in others
    for secret in ("refund", "Promises and audits", "audited calls were wrong", "guardrail status"):
        assert secret not in others
    assert row(dashboard(site, STRANGER), "transfer") == (
        "transfer 1 0 0 % 0 1 none ran not known: none was approved, edited or rejected; 1 drawn and not judged"
    )


def test_an_alarm_is_cleared_by_an_admin_with_a_reason_and_by_nothing_else(tmp_path: Path) -> None:
    one, rules = promising(tmp_path)
    site = Site(rules=rules)
    audit(site.store, one, "x" * 40, at=site.clock.now.isoformat())
    alarm = look(site.store, one).raised[0]
    path = f"/dashboard/alarms/{alarm.id}/clear"
    assert "Clear: let its calls run again" in text(dashboard(site, BOSS))
    assert "Clear: let its calls run again" not in text(dashboard(site, ANA))
    admin = replace(BOSS, scopes=("reviews:read",))
    tries = {None: 401, ANA: 403, READER: 403, BOT: 403, STRANGER: 403, admin: 403}
    for who, status in tries.items():
        answer = site.client(who).post(path, data={"note": "fixed", "csrf": CSRF})
        assert answer.status_code == status, who
    assert site.client(BOSS).get(path).status_code == 405
    assert site.client(BOSS).post(path, data={"note": "  ", "csrf": CSRF}).status_code == 422
    assert site.client(BOSS).post(f"{path}x".replace("/clearx", "x/clear"), data={"note": "x"}).status_code == 404
    assert alarm in site.store.alarms()
    assert site.client(BOSS).post(path, data={"note": f"back {HOSTILE}", "csrf": CSRF}).status_code == 303
    assert alarm.id not in {each.id for each in site.store.alarms()}
    page = dashboard(site, BOSS)
    assert "by boss: back x" in text(page)
    assert "<script>alert" not in page
    assert site.client(BOSS).post(path, data={"note": "again", "csrf": CSRF}).status_code == 404


def test_a_page_says_where_it_did_not_read_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guardrail.watching.desk.MOST_OPEN", 2)
    monkeypatch.setattr("guardrail.watching.desk.MOST_CLOSED", 2)
    site = Site()
    for _ in range(4):
        site.queue.approve(site.ask().id, by=ANA)
        site.ask()
        site.clock.move(3600)
    found = text(dashboard(site))
    assert "There are more: these are the first by priority." in found
    assert "there are too many to read them all here" in found
    assert "decided 2, by 1 person" in found


def test_a_page_that_is_reloaded_does_not_read_the_store_anew() -> None:
    class Counting(ReadOnly):
        read = 0

        def find_reviews(self, *given, **more):
            Counting.read += 1
            return self._store.find_reviews(*given, **more)

    site = Site(store=Counting(MemoryStore()))  # type: ignore[arg-type]
    dashboard(site)
    once = Counting.read
    for _ in range(5):
        dashboard(site)
    assert Counting.read == once
    dashboard(site, STRANGER)
    assert Counting.read == 2 * once


def test_who_may_look() -> None:
    site = Site()
    for path in ("/dashboard", "/records", "/log", "/audits"):
        assert site.client(None).get(path).status_code == 401
        assert site.client(None).get(path, headers={"accept": "text/html"}).status_code == 303
        assert site.client(replace(ANA, scopes=("reviews:decide",))).get(path).status_code == 403
        assert site.client(READER).get(path).status_code == 200


def test_no_page_holds_a_style_or_a_script() -> None:
    site = Site(rules=RULES)
    one = ran(site)
    site.queue.approve(site.ask().id, by=ANA)
    judged(site, one.id, correct=True)
    ran(site)
    for path in ("/dashboard", "/records", f"/records/{one.id}", "/log", "/audits"):
        page = site.client().get(path).text
        assert " style=" not in page
        assert "<style" not in page
        assert "javascript:" not in page
        assert page.count("<script") == page.count('<script type="module" src="/static/')
        assert page.count("<h1") == 1


def test_percentiles_are_nearest_ranks() -> None:
    assert at_desk.nearest_rank([], 0.9) is None
    assert at_desk.nearest_rank([5.0], 0.9) == 5
    assert at_desk.nearest_rank([float(one) for one in range(1, 11)], 0.9) == 9
    assert at_desk.nearest_rank([float(one) for one in range(1, 12)], 0.9) == 10
