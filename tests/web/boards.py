"""What the tests of dashboard, judging and log need beside a site: calls that ran, promises, and a store that only reads."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from guardrail import Guard, Policy
from guardrail.calibration import save_calibration
from guardrail.sampling import ScriptedSampler
from guardrail.store import Store
from guardrail.types import CalibratedPolicy, PlanningStep, Record, Route, Sample, ToolCall, ToolSpec, Turn
from tests.engine.calibrations import disagreement
from tests.engine.steps import in_order
from tests.watching.promised import promised
from tests.web.serving import SEARCH, TALK, TRANSFER, Site, search

RULES: dict[str, Any] = {
    "default": {"tier": "critical"},
    "tools": [{"match": "search*", "tier": "low"}],
    "tiers": {"low": {"audit": 1.0}},
}
"""Searches run, and all of them are audited."""
UNAUDITED: dict[str, Any] = {**RULES, "tiers": {}}


def text(page: str) -> str:
    """What a page says, without its markup."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def row(page: str, *about: str) -> str:
    """What the first row of a table says that tells of all these."""
    rows = (text(one) for one in re.findall(r"<tr.*?</tr>", page, re.DOTALL))
    return next(one for one in rows if all(part in one for part in about))


class _Tags(HTMLParser):
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = dict(attrs)
        assert len(said) == len(attrs), (tag, attrs)
        assert not {name for name in said if name.startswith("on") or name in ("style", "srcdoc")}, (tag, said)
        assert tag not in ("iframe", "img", "style", "object", "embed", "base", "math", "video", "audio"), tag
        if tag in ("script", "link"):
            assert (said.get("src") or said.get("href") or "").startswith("/static/"), said
        for name in ("href", "action", "formaction", "data-src"):
            assert (said.get(name) or "/")[0] in "/#?", (tag, said)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data}")


def check_harmless(page: str) -> None:
    """That nothing in a page runs, loads or leads anywhere but what this server has."""
    parser = _Tags()
    parser.feed(page)
    parser.close()


def ran(
    site: Site,
    call: ToolCall | None = None,
    *,
    tenant: str = "",
    rules: dict[str, Any] | None = None,
    conversation: tuple[Turn, ...] = TALK,
    route: Route | None = Route.EXECUTE,
) -> Record:
    """A call that the guard let run (``route`` None: or not), with the policy of the site or this one."""
    site.steps += 1
    call = call or search(f"invoice {site.steps}")
    planned = Sample(calls=(call,))
    step = PlanningStep(
        id=f"m{site.steps}",
        planned=planned,
        tools=(TRANSFER, SEARCH, ToolSpec(name=call.name)),
        model="gpt-test",
        request="the request",
        thread_id=f"thread-{site.steps}",
        conversation=conversation,
    )
    policy = site.policy if rules is None else Policy.parse(rules)
    guard = Guard(policy, ScriptedSampler(in_order([planned] * 16)), site.store, now=site.clock, tenant=tenant)
    verdict = guard.assess(step)
    assert route in (None, verdict.route), verdict
    return site.store.record(verdict.record_id)


def promising(folder: Path, **more: Any) -> tuple[CalibratedPolicy, dict[str, Any]]:
    """A calibration of the medium tier that is kept in a file, and the rules of a policy that names it."""
    risk = disagreement()
    risk.save(folder / "risk.json")
    one = replace(promised(**more), risk_model=risk.digest)
    save_calibration(one, folder / "calibration.json")
    return one, {
        "default": {"tier": "critical"},
        "risk_model": str(folder / "risk.json"),
        "calibration": str(folder / "calibration.json"),
    }


class ReadOnly:
    """A store that lets nothing be written."""

    WRITING = re.compile(
        "add_|put_|compare_and_set|note$|raise_alarm|clear_alarm|seal|spend$|claim_|settle_|forget_|delete|purge"
    )

    def __init__(self, store: Store) -> None:
        self._store = store

    def __getattr__(self, name: str) -> Any:
        assert not self.WRITING.match(name), f"{name} would write"
        return getattr(self._store, name)
