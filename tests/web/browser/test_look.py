"""Every page can be read and worked by everybody: axe finds nothing in light and dark, and it fits on a phone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Page, expect

from guardrail import Policy
from guardrail.access import principal_of
from guardrail.engine import REVEAL
from guardrail.redaction import VARIABLE, new_key
from guardrail.review import OVERRIDE
from guardrail.types import Label, LabelSource, Turn
from tests.web.boards import RULES as SEARCHES_RUN
from tests.web.boards import ran
from tests.web.browser.conftest import PHONE, WIDE, Enter
from tests.web.entrance import Entrance
from tests.web.serving import RULES, TALK, transfer

LONG = (*TALK, Turn(role="assistant", text="I pay it."), Turn(role="tool", text="line\n" * 300 + "x" * 5000))
HIDING: dict[str, Any] = {**RULES, "redaction": {"paths": ["transfer.to"]}}
WEIRD: dict[str, Any] = {
    "p\u0430ypal": "a\u200bb",
    "\u202eabc": "\u202etxt.exe",
    "k" * 90: ["v" * 300, None, True, {"deep": {"er": [1]}}],
}
ROOT = Path(__file__).parents[3]
OF_COLOURS = ["color-contrast", "link-in-text-block"]
"""All that may be different in the dark."""
Step = Callable[[Page], object]


@dataclass(frozen=True, kw_only=True)
class Look:
    """A page, what is done on it before it is looked at, and the status that it answers with."""

    name: str
    path: str
    do: Step | None = None
    status: int = 200


def nothing(_page: Page) -> None:
    """The page as it comes."""


def opened(kind: str) -> Step:
    return lambda page: page.locator(f"[data-choice={kind}] > summary").click()


def reviews_of(site: Entrance) -> Iterator[Look]:
    """One review of each kind."""

    def at(name: str, review: Any, more: str = "", do: Step | None = None) -> Look:
        return Look(name=name, path=f"/reviews/{review.id}{more}", do=do)

    pending = site.ask(transfer(tags=["a", "b"], urgent=True))
    site.queue.comment(pending.id, by="ben", text="Is it due?")
    for kind in ("approve", "edit", "reject", "respond"):
        yield at(f"pending, {kind}", pending, do=opened(kind))
    yield at("an alternative taken over", pending, "?take=1")
    yield at("help", pending, do=lambda page: page.keyboard.press("?"))
    yield at("a refused edit", pending, do=_refused)
    claimed = site.ask(roles=("treasury",), quorum=2)
    site.queue.claim(claimed.id, by=principal_of(site.add("ben", "treasury")))
    yield at("claimed by another", claimed)
    decided = site.ask()
    site.queue.edit(decided.id, by="ben", arguments={"to": "DE03", "amount": 25})
    yield at("edited", decided)
    rejected = site.ask()
    site.queue.reject(rejected.id, by="ben", message="No.")
    yield at("rejected", rejected)
    executing = site.ask()
    site.queue.approve(executing.id, by="ben")
    site.queue.begin(executing.id, digest=executing.digest, by="worker")
    yield at("executing", executing)
    expired = site.ask(due=site.clock.after(-5))
    site.queue.sweep()
    yield at("expired", expired)
    due = site.ask(due=site.clock.after(600), quorum=2, priority=3)
    site.queue.approve(due.id, by="ben")
    yield at("a vote and a deadline", due)
    folded = site.ask(transfer(memo="pay " * 3000, tags=[f"tag {number}" for number in range(80)]), conversation=LONG)
    yield at("folded", folded)
    yield at("unfolded", folded, "?open=all")
    yield at("hostile", site.ask(transfer(memo="\u202eevil\u200b", to="p\u0430ypal", **WEIRD)))
    hidden = site.ask(transfer(), policy=Policy.parse(HIDING))
    yield at("hidden values", hidden)
    yield at("revealed values", hidden, do=lambda page: page.click("#reveal button"))


def _refused(page: Page) -> None:
    opened("edit")(page)
    page.locator("#edit").get_by_label("amount").fill("-5")
    page.click("#edit-button")
    expect(page.locator("#edit [aria-invalid=true]")).to_be_visible()


def rooms_of(site: Entrance) -> Iterator[Look]:
    """The other pages, with something on each."""
    equal = [site.ask_low() for _ in range(3)]
    yield Look(name="list", path="/reviews")
    yield Look(name="nothing in the list", path="/reviews?tool=none")
    yield Look(name="together", path="/reviews/together?" + "&".join(f"id={one.id}" for one in equal))
    records = [ran(site, rules=SEARCHES_RUN) for _ in range(12)]
    for number, one in enumerate(records[:8]):
        label = Label(call_id="c1", correct=number > 1, source=LabelSource.AUDIT, by="ana", at=site.clock().isoformat())
        site.store.add_label(one.id, label)
    yield Look(name="dashboard", path="/dashboard?days=30")
    yield Look(name="audits", path="/audits")
    yield Look(name="log", path="/log")
    yield Look(name="verified log", path="/log", do=lambda page: page.get_by_role("button", name="Verify").click())
    yield Look(name="records", path="/records")
    yield Look(name="a judged record", path=f"/records/{records[0].id}")
    yield Look(name="a record to judge", path=f"/records/{records[-1].id}")
    yield Look(name="a record of a review", path=f"/records/{equal[0].record_id}")
    yield Look(name="account", path="/account")
    yield Look(name="people", path="/people")
    for path, status in (("/nowhere", 404), ("/reviews/none", 404), ("/reviews/none/claim", 404)):
        yield Look(name=f"error {path}", path=path, status=status)


def door_of(site: Entrance) -> Iterator[Look]:
    """What somebody sees who is not signed in."""
    secret = site.access.invite("new", (), by=principal_of(site.root))
    yield Look(name="login", path="/login")
    yield Look(name="a wrong password", path="/login", do=_wrong)
    yield Look(name="welcome", path=f"/welcome/{secret}")
    yield Look(name="a link that is gone", path="/welcome/gone", status=410)


def _wrong(page: Page) -> None:
    page.fill("#name", "root")
    page.fill("#password", "wrong")
    page.click("#sign-in")


def complaints(page: Page, **options: Any) -> list[str]:
    """What axe, which is in the page, finds there: rule and place."""
    found = page.evaluate(
        "async options => (await axe.run(document, options)).violations", {"resultTypes": ["violations"], **options}
    )
    return [
        f"{one['id']}: {node['target']} {node['html'][:160]} {node['failureSummary']}"
        for one in found
        for node in one["nodes"]
    ]


def test_every_page(site: Entrance, enter: Enter, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, new_key())
    site.add("eva", "admin", REVEAL, OVERRIDE)
    inside = [*reviews_of(site), *rooms_of(site)]
    person = enter(
        "eva", bypass_csp=True, reduced_motion="reduce"
    )  # axe is a script of a test, and comes from nowhere that the page allows
    wrong: list[str] = []
    axe = Axe().axe_script
    page = person.page

    def check(looks: list[Look]) -> None:
        for look in looks:
            answer = page.goto(person.url + look.path)
            assert answer is not None
            if answer.status != look.status:
                wrong.append(f"{look.name}: status {answer.status}")
            (look.do or nothing)(page)
            page.emulate_media(color_scheme="light")
            page.evaluate(axe)
            wrong.extend(f"{look.name}: {one}" for one in complaints(page))
            page.emulate_media(color_scheme="dark")
            wrong.extend(f"{look.name}, dark: {one}" for one in complaints(page, runOnly=OF_COLOURS))
            page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
            if person.overflow > 0:
                wrong.append(f"{look.name}: {person.overflow} pixels too wide for a phone")
            page.set_viewport_size({"width": WIDE[0], "height": WIDE[1]})

    check(inside)
    page.context.clear_cookies()
    check([*door_of(site)])
    assert wrong == [], "\n".join(wrong)


@pytest.mark.slow
@pytest.mark.usefixtures("chromium")
def test_the_pictures_of_the_documentation_can_be_taken_anew(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    command = [sys.executable, "-m", "tests.web.browser.screenshots", str(tmp_path)]
    done = subprocess.run(command, check=False, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    names = {"reviews", "review", "edit", "dashboard", "phone", "dark"}
    assert {one.stem for one in tmp_path.iterdir()} == names
