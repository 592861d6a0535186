"""``guardrail reviews``: holding, commenting, deadlines, quorum and tenants at the command line."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from guardrail.cli.main import main
from guardrail.review import Queue
from guardrail.store import SQLiteStore
from guardrail.types import Principal, Review, ReviewState, Tier
from tests.support.records import record, refund, review

REV = "rev-000001"
HOSTILE = "\x1b[2J[bold]x[/bold]\u202e\u200b"


def moment(seconds: float) -> str:
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()


class Terminal:
    def __init__(self, folder: Path) -> None:
        self.store = SQLiteStore(folder / "guardrail.db")
        self.store.add_record(record(review_id=REV))
        self.queue = Queue(self.store, tenant=None)
        self.url = self.store.url

    def open(self, identity: str = REV, **more: Any) -> Review:
        return self.queue.open(replace(review(identity), **more))

    def __call__(self, *args: str, text: str = "", by: str = "ana") -> Result:
        environment = {"GUARDRAIL_STORE": self.url, "GUARDRAIL_REVIEWER": by}
        return CliRunner().invoke(main, ["reviews", *args], input=text, env=environment)

    def refused(self, said: str, *args: str, text: str = "", by: str = "ana") -> None:
        result = self(*args, text=text, by=by)
        assert result.exit_code == 2
        assert said in result.stderr
        assert "Traceback" not in result.output


@pytest.fixture
def run(tmp_path: Path):
    terminal = Terminal(tmp_path)
    yield terminal
    terminal.store.close()


def test_claim_holds_others_off_until_it_is_given_back(run: Terminal) -> None:
    run.open()
    assert "claimed by ana until" in run("claim", REV[:8], "--for", "60").stdout
    run.refused("claimed by ana until", "approve", REV, "--yes", by="ben")
    run.refused("claimed by ana until", "claim", REV, by="ben")
    run.refused("claimed by ana until", "release", REV, by="ben")
    assert "by ana" in run("list").stdout
    assert "claimed" in run("show", REV).stdout
    assert "pending" in run("release", REV).stdout
    assert "approved by ben" in run("approve", REV, "--yes", by="ben").stdout


@pytest.mark.parametrize(
    "command",
    [
        ("approve", REV, "--yes"),
        ("reject", REV),
        ("respond", REV, "--message", "no"),
        ("edit", REV, "--args", '{"order_id": "A-7", "amount": 20}'),
        ("claim", REV),
        ("release", REV),
    ],
)
def test_whoever_holds_the_store_may_pass_over_a_claim(run: Terminal, command: tuple[str, ...]) -> None:
    run.open()
    run("claim", REV)
    run.refused("claimed by ana", *command, by="ben")
    assert run(*command, "--override", by="ben").exit_code == 0


@pytest.mark.parametrize("lease", ["0", "-5", "4000", "x"])
def test_a_lease_out_of_bounds(run: Terminal, lease: str) -> None:
    run.open()
    assert run("claim", REV, "--for", lease).exit_code == 2
    assert run.store.review(REV).state is ReviewState.PENDING


def test_every_role_and_still_four_eyes(run: Terminal) -> None:
    run.open(roles=("treasury",), quorum=2, requester="bob")
    run.refused("somebody else has to decide", "approve", REV, "--yes", by="Bob ")
    assert "approve by ana counts; 2 people have to agree, pending" in run("approve", REV, "--yes").stdout
    run("approve", REV, "--yes", by="Ana")
    shown = run("show", REV).stdout
    for part in ("requester", "bob", "treasury", "2 people have to agree; approve by Ana"):
        assert part in shown
    assert "1 of 2 votes" in run("list").stdout
    assert "approved by ben" in run("approve", REV, "--yes", by="ben").stdout


def test_comments_are_shown(run: Terminal) -> None:
    run.open()
    run("comment", REV, f"called the customer {HOSTILE}", by=f"ben {HOSTILE}")
    shown = run("show", REV).stdout
    assert "commented: called the customer" in shown
    assert not {"\x1b", "\u202e", "\u200b"} & set(shown)
    assert run.store.review(REV).state is ReviewState.PENDING
    run.refused("needs words", "comment", REV, " ")


def test_sweep_keeps_deadlines_and_says_what_it_did(run: Terminal) -> None:
    run.open(due=moment(-5))
    run.open("rev-000002", due=moment(600), escalate_at=moment(-5))
    run.open("rev-000003")
    out = run("sweep").stdout
    assert "rejected by deadline, expired: refund" in out
    assert "pending, escalated: refund" in out
    assert REV in out
    assert "rev-000003" not in out
    assert run("sweep").stdout == ""
    assert "escalated" in run("list").stdout
    run.refused("is expired since", "approve", REV, "--yes")
    assert run.store.review("rev-000003").revision == 0


def test_sweep_as_json(run: Terminal) -> None:
    run.open(due=moment(-5))
    (one,) = json.loads(run("sweep", "--json").stdout)
    assert (one["state"], one["decision"]["type"]) == ("expired", "reject")


def test_the_list_begins_with_the_highest_stakes(run: Terminal) -> None:
    run.open()
    run.open("rev-000002", tier=Tier.CRITICAL, priority=30)
    run.open("rev-000003", tier=Tier.LOW, requester="bot", call=replace(refund(), name="look"))
    out = run("list").stdout
    assert out.index("rev-000002") < out.index(REV)
    for options, found in (
        (("--tier", "low"), ["rev-000003"]),
        (("--tier", "low", "--tier", "critical"), ["rev-000002", "rev-000003"]),
        (("--tool", "look"), ["rev-000003"]),
        (("--requester", "bot"), ["rev-000003"]),
        (("--state", "decided"), []),
        (("--limit", "1"), ["rev-000002"]),
    ):
        assert [one["id"] for one in json.loads(run("list", "--json", *options).stdout)] == found
    assert "more than these 1" in run("list", "--limit", "1").stdout
    assert "more than" not in run("list", "--limit", "3").stdout


@pytest.mark.parametrize(
    "command",
    [
        ("show",),
        ("approve", "--yes"),
        ("reject",),
        ("respond", "--message", "x"),
        ("edit", "--args", "{}"),
        ("claim",),
        ("release",),
        ("comment", "hello"),
        ("resolve", "--outcome", "ran"),
    ],
)
def test_each_tenant_sees_its_own(run: Terminal, command: tuple[str, ...]) -> None:
    run.open("rev-000009", tenant="acme")
    name, *rest = command
    run.refused("there is no review", name, "rev-000009", *rest)
    run.refused("there is no review", name, "rev-000009", *rest, "--tenant", "other")
    assert "rev-000009" not in run("list").stdout
    assert "rev-000009" in run("list", "--tenant", "acme").stdout
    assert run.store.review("rev-000009").revision == 0
    assert "rejected by ana" in run("reject", "rev-000009", "--tenant", "acme").stdout


def test_the_help_says_who_one_is() -> None:
    said = " ".join(CliRunner().invoke(main, ["reviews", "--help"]).stdout.split())
    assert "you act as a person with every role" in said


def watch(run: Terminal, *lines: str, by: str = "ana", options: tuple[str, ...] = ()) -> str:
    result = run("watch", "--every", "0.1", *options, text="".join(f"{line}\n" for line in lines), by=by)
    assert result.exit_code == 0
    return result.stdout


def test_watch_shows_claims_and_decides(run: Terminal) -> None:
    run.open()
    out = watch(run, REV, "approve", "q")
    assert out.index("Which one?") < out.index("amount    100") < out.index("approved by ana")
    assert "nothing waits for a human" in out
    decided = run.store.review(REV)
    assert [event.state for event in decided.history] == [ReviewState.CLAIMED, ReviewState.DECIDED]


@pytest.mark.parametrize(
    ("lines", "kind"),
    [
        (("reject", "too much"), "reject"),
        (("reject", ""), "reject"),
        (("respond", "which order?"), "respond"),
        (("edit", '{"order_id": "A-7", "amount": 20}'), "edit"),
    ],
)
def test_watch_takes_every_decision(run: Terminal, lines: tuple[str, ...], kind: str) -> None:
    run.open()
    watch(run, REV, *lines)
    decision = run.store.review(REV).decision
    assert decision.type.value == kind
    assert decision.message == ("" if kind == "edit" else lines[1])


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("q",),
        ("rev-999999",),
        (REV,),
        (REV, ""),
        (REV, "a"),
        (REV, "y"),
        (REV, "yes"),
        (REV, "approve me"),
        (REV, "reject"),
        (REV, "edit"),
        (REV, "edit", "{"),
        (REV, "edit", '{"amount": "much"}'),
        (REV, "respond", " "),
        (REV, "comment", "hello"),
    ],
)
def test_watch_decides_nothing_unless_it_is_said_in_full(run: Terminal, lines: tuple[str, ...]) -> None:
    run.open()
    watch(run, *lines)
    after = run.store.review(REV)
    assert (after.state, after.decision, after.claim) == (ReviewState.PENDING, None, None)


def test_watch_goes_on_after_a_conflict(run: Terminal) -> None:
    run.open()
    run.open("rev-000002")
    run.queue.claim(REV, by=Principal(name="ben"))
    out = watch(run, REV, "rev-000002", "approve")
    assert "claimed by ben until" in out
    assert run.store.review("rev-000002").state is ReviewState.DECIDED
    assert run.store.review(REV).claim.by == "ben"


def test_watch_does_not_approve_what_it_cuts(run: Terminal) -> None:
    run.open("rev-long01", record_id="", call=refund(note="x" * 3000 + "END"))
    out = watch(run, "rev-long01", "approve")
    assert "cannot be approved here" in out
    assert run.store.review("rev-long01").state is ReviewState.PENDING
    assert "END" in watch(run, "rev-long01", "approve", options=("--full",))
    assert run.store.review("rev-long01").state is ReviewState.DECIDED


def test_watch_keeps_deadlines(run: Terminal) -> None:
    run.open(due=moment(-1))
    assert "nothing waits" in watch(run, "q")
    assert run.store.review(REV).state is ReviewState.EXPIRED


def test_watch_shows_hostile_text_as_it_is(run: Terminal) -> None:
    run.open("rev-hostile", record_id="", call=refund(note=HOSTILE), requester=HOSTILE)
    out = watch(run, "rev-hostile", HOSTILE, HOSTILE)
    assert not {"\x1b", "\u202e", "\u200b"} & set(out)
