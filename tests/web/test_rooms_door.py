"""Judging, alarms and the check of the log behind the real door: a page elsewhere that sends a form changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from guardrail.types import PrincipalKind
from guardrail.watching import look
from guardrail.web import auth
from tests.access.doors import PASSWORD, Door
from tests.watching.promised import audit
from tests.watching.promised import ran as recorded
from tests.web.boards import promising
from tests.web.serving import Site

ELSEWHERE = {"sec-fetch-site": "cross-site", "origin": "https://evil.example"}


@pytest.mark.parametrize("how", ["no token", "a wrong token", "from elsewhere", "no session", "as it should be"])
def test_a_form_counts_only_when_our_page_sent_it(tmp_path: Path, how: str) -> None:
    one, rules = promising(tmp_path)
    site = Site(rules=rules, door=auth.Authenticated)
    audit(site.store, one, "x" * 40, at=site.clock.now.isoformat())
    alarm = look(site.store, one).raised[0]
    site.store.add_record(recorded(one, "rec-to-judge", audited=1.0))
    door = Door(store=site.store, clock=site.clock)
    door.first()
    signed = door.access.sign_in("root", PASSWORD)
    client = TestClient(site.app, base_url=site.settings.url, follow_redirects=False)
    if how != "no session":
        client.cookies.set("guardrail", signed.cookie)
    token = {"no token": "", "a wrong token": "x" * len(signed.csrf)}.get(how, signed.csrf)
    headers = ELSEWHERE if how == "from elsewhere" else {"sec-fetch-site": "same-origin", "origin": site.settings.url}
    forms = {
        "/audits/answer": {"record": "rec-to-judge", "call": "0", "answer": "right"},
        f"/dashboard/alarms/{alarm.id}/clear": {"note": "fixed"},
        "/log/verify": {},
    }
    right = how == "as it should be"
    for path, form in forms.items():
        status = client.post(path, data={"csrf": token, **form}, headers=headers).status_code
        assert status in ((200, 303) if right else (401, 403)), path
    assert bool(site.store.record("rec-to-judge").labels) is right
    assert (alarm.id in {each.id for each in site.store.alarms()}) is not right


def test_an_agent_with_a_token_reads_and_judges_nothing(tmp_path: Path) -> None:
    one, rules = promising(tmp_path)
    site = Site(rules=rules, door=auth.Authenticated)
    site.store.add_record(recorded(one, "rec-to-judge", audited=1.0))
    door = Door(store=site.store, clock=site.clock)
    root = door.first()
    _, text = door.access.create_token("bot", scopes=("reviews:read",), kind=PrincipalKind.AGENT, by=door.who(root))
    client = TestClient(site.app, base_url=site.settings.url, follow_redirects=False)
    bearer = {"authorization": f"Bearer {text}"}
    assert client.get("/audits", headers=bearer).status_code == 200
    form = {"record": "rec-to-judge", "call": "0", "answer": "right"}
    assert client.post("/audits/answer", data=form, headers=bearer).status_code == 403
    assert not site.store.record("rec-to-judge").labels
