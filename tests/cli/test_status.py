"""``guardrail status`` and ``guardrail watch`` at the command line."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from guardrail.calibration import save_calibration
from guardrail.cli.main import main
from guardrail.cli.status import command
from guardrail.errors import StoreError
from guardrail.store import SQLiteStore
from guardrail.types import CalibratedPolicy, Tier
from tests.engine.calibrations import Workplace
from tests.support.calibrated import a_threshold, a_tier
from tests.support.records import record
from tests.watching.promised import audit, promised, ran, said

BAD = "x.x" * 5


@pytest.fixture
def store(tmp_path: Path):
    store = SQLiteStore(tmp_path / "guardrail.db")
    yield store
    store.close()


@pytest.fixture
def calibration(tmp_path: Path) -> CalibratedPolicy:
    one = promised()
    save_calibration(one, tmp_path / "calibration.json")
    return one


@pytest.fixture
def run(store: SQLiteStore, tmp_path: Path):
    def run(*args: str) -> Result:
        environment = {"GUARDRAIL_STORE": store.url, "GUARDRAIL_REVIEWER": "ana", "COLUMNS": "140"}
        given = [arg.replace("FILE", str(tmp_path / "calibration.json")) for arg in args]
        return CliRunner().invoke(main, given, env=environment)

    return run


WIDE = ("--days", "3650", "--calibration", "FILE")


def test_a_calm_status_on_one_screen(run, store, calibration) -> None:
    audit(store, calibration, "..." * 5 + "x")
    result = run("status", *WIDE)
    assert result.exit_code == 0, result.output
    for text in (
        "at most 10 % of what runs is wrong, 95 % sure",
        "run at a risk below 0.2",
        "16 calls: 16 executed (16 on the promise)",
        "16 of 16 drawn, 16 answered",
        "1 of 16 audited calls: 6.25 % (0.158 % to 30.2 %)",
        "of 20 against the promise",
        "adopted by ana",
    ):
        assert text in result.stdout
    assert len(result.stdout.splitlines()) < 24
    assert "larm" not in result.stdout


def test_an_alarm_is_shown_first_and_sets_the_exit_status(run, store, calibration) -> None:
    audit(store, calibration, BAD)
    result = run("status", *WIDE)
    assert result.exit_code == 4
    assert result.stdout.splitlines()[1].startswith("ALARM ")
    assert "10 of 15 audits wrong, at most 10 % promised" in result.stdout
    assert result.stdout.count(", alarm") == 2
    assert len(store.alarms()) == 2


def test_json_has_it_all(run, store, calibration) -> None:
    audit(store, calibration, BAD)
    result = run("status", *WIDE, "--json")
    assert result.exit_code == 4
    data = json.loads(result.stdout)
    assert data["tiers"][0]["evidence"]["wrong"] == 10
    assert data["alarms"][0]["tier"] == "medium"


def test_an_alarm_is_cleared_by_a_person_with_a_reason(run, store, calibration) -> None:
    audit(store, calibration, BAD)
    assert run("status", *WIDE).exit_code == 4
    alarms = store.alarms()
    refused = run("status", *WIDE, "--clear-alarm", alarms[0].id[:12])
    assert refused.exit_code == 2
    assert "--note" in refused.stderr
    for alarm in alarms:
        result = run("status", *WIDE, "--clear-alarm", alarm.id[:12], "--by", "ben", "--note", "prompt fixed")
    assert result.exit_code == 0
    cleared = store.alarms(standing=False)
    assert {(one.cleared_by, one.note) for one in cleared} == {("ben", "prompt fixed")}
    assert run("status", *WIDE).exit_code == 0


@pytest.mark.parametrize("identity", ["", "abc", "000000000000", "medium"])
def test_an_alarm_that_is_not_there_cannot_be_cleared(run, store, calibration, identity: str) -> None:
    audit(store, calibration, BAD)
    run("status", *WIDE)
    result = run("status", *WIDE, "--clear-alarm", identity, "--note", "why")
    assert result.exit_code == 2
    assert "no alarm stands" in result.stderr
    assert len(store.alarms()) == 2


def test_without_a_calibration(run, store) -> None:
    store.add_record(record())
    result = run("status", "--days", "3650")
    assert result.exit_code == 0
    assert "no calibration" in result.stdout
    assert "uncalibrated: nothing is promised" in result.stdout
    assert "guardrail calibrate" in result.stdout


def test_refused_and_unlimited_thresholds_are_told_in_words(run, store, tmp_path) -> None:
    one = replace(
        promised(),
        tiers=(
            a_tier(Tier.LOW, a_threshold(None)),
            a_tier(Tier.MEDIUM, a_threshold(2.0, executed=150, wrong=1, errors=1)),
        ),
    )
    save_calibration(one, tmp_path / "calibration.json")
    result = run("status", *WIDE)
    assert "all wait for a human: too_few_labels" in result.stdout
    assert "run at any risk" in result.stdout


def test_names_of_tools_cannot_write_to_the_terminal(run, store, calibration) -> None:
    store.add_record(ran(calibration, "rec-000001", "mail\x1b[31m\nALARM"))
    audit(store, calibration, ".")
    store.add_label("rec-000001", said(True))
    result = run("status", *WIDE)
    assert "\x1b" not in result.stdout
    assert not any(line.startswith("ALARM") for line in result.stdout.splitlines())


def test_the_calibration_is_found_through_the_policy(run, store, tmp_path) -> None:
    Workplace(tmp_path).calibrate(a_threshold(0.3))
    result = run("status", "--policy", str(tmp_path / "policy.yaml"))
    assert result.exit_code == 0
    assert "run at a risk below 0.3" in result.stdout


def test_a_policy_without_a_calibration_promises_nothing(run, store, tmp_path) -> None:
    (tmp_path / "plain.yaml").write_text("default: {tier: high}\n")
    result = run("status", "--policy", str(tmp_path / "plain.yaml"))
    assert result.exit_code == 2
    assert "names no calibration" in result.stderr
    result = run("status", "--policy", str(tmp_path / "plain.yaml"), "--calibration", "FILE")
    assert "give one of them" in result.stderr


def test_watch_tells_and_says_so(run, store, calibration, tmp_path) -> None:
    kept = tmp_path / "told"
    line = f"{sys.executable} -c 'import sys; open(sys.argv[1], \"a\").write(sys.stdin.read())' {kept}"
    assert run("watch", "--calibration", "FILE", "--once", "--exec", line).exit_code == 0
    audit(store, calibration, BAD)
    result = run("watch", "--calibration", "FILE", "--once", "--exec", line)
    assert result.exit_code == 4
    assert result.stdout.count("told of alarm") == 2
    assert kept.read_text().count("audited calls") == 2
    again = run("watch", "--calibration", "FILE", "--once", "--exec", line)
    assert again.exit_code == 4
    assert again.stdout == ""


def test_watch_says_what_it_could_not_tell(run, store, calibration) -> None:
    audit(store, calibration, BAD)
    result = run("watch", "--calibration", "FILE", "--once", "--exec", "/does/not/exist")
    assert result.exit_code == 4
    assert "not told: nobody was told of the alarm" in result.stdout


def test_watch_goes_on_where_the_store_is_away_for_a_while(run, store, calibration, monkeypatch) -> None:
    looks = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", sleep)
    fails = iter([True, False, False])

    def look(*args):
        if next(fails):
            raise StoreError("locked")
        return real(*args)

    import guardrail.watching

    real = guardrail.watching.look
    monkeypatch.setattr(guardrail.watching, "look", look)
    audit(store, calibration, BAD)
    result = run("watch", "--calibration", "FILE", "--every", "5")
    assert result.exit_code == 4
    assert looks == [5, 5, 5]
    assert "not looked: locked" in result.stdout
    assert result.stdout.count("alarm ") >= 2


def test_watch_needs_a_promise(run) -> None:
    result = run("watch", "--once")
    assert result.exit_code == 2
    assert "no promise to watch" in result.stderr
