"""``guardrail report``: what it says, and that the page and the JSON say the same."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path
from typing import Any

import pytest

from guardrail.calibration import calibrate, calls_of, save_calibration
from guardrail.cli.report.building import Given, Prices, build
from guardrail.cli.report.content import Report
from guardrail.cli.report.page import page
from guardrail.codec import to_json
from guardrail.store import open_store
from guardrail.types import Alarm, LabelSource, RefusalCode, Tier
from tests.cli.reports import built, made, run, written
from tests.support.calibrated import a_policy, a_threshold, a_tier
from tests.support.labelled_calls import simulated

NO_PRICES = Prices()


def tier(report: Report, name: Tier) -> Any:
    return next(one for one in report.tiers if one.tier is name)


@cache
def html() -> str:
    return page(built())


def text(given: str) -> str:
    """What a reader sees, on one line."""
    return re.sub(r"\s+", " ", unescape(re.sub(r"<(style|title)>.*?</\1>|<[^>]+>", " ", given, flags=re.DOTALL)))


def test_every_tier_has_its_promise_and_evidence_in_plain_sentences() -> None:
    report = built()
    low = tier(report, Tier.LOW)
    assert low.says == (
        "At most 20 % of the low-stakes calls that run without a human are wrong; this is promised with 95 % "
        "confidence."
    )
    one = low.parts[0].threshold
    assert low.parts[0].says[0] == f"A call runs at a risk below {one.execute_below:.4g}."
    assert f"Of {one.n:,} labelled calls, {one.executed:,} lie below it" in low.parts[0].says[1]
    high = tier(report, Tier.HIGH)
    assert high.state == "review"
    assert high.says.startswith("Every high-stakes call goes to a human")
    assert high.parts[0].says[0].startswith("No threshold: ")
    assert high.parts[0].threshold.refusal.message.rstrip(".") in high.parts[0].says[0]
    assert tier(report, Tier.CRITICAL).says == "Every critical-stakes call goes to a human, always."


def test_the_curve_is_that_of_the_calls_the_threshold_was_tested_on() -> None:
    for one in built().tiers:
        for part in one.parts:
            last, threshold = part.curve[-1], part.threshold
            assert (last.executed, last.errors, last.coverage) == (threshold.n, threshold.errors, 1.0)
            assert all(point.low <= point.error <= point.high for point in part.curve)
            if threshold.execute_below is not None:
                at = [point for point in part.curve if point.execute_below <= threshold.execute_below][-1]
                assert abs(at.coverage - threshold.coverage) < 0.02
            assert part.after.n == threshold.n
            assert sum(one.n for one in part.after.bins) == threshold.n
            assert part.before.name == "disagreement of repeated plans"


def strings(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [one for inner in data.values() for one in strings(inner)]
    if isinstance(data, list):
        return [one for inner in data for one in strings(inner)]
    return [data] if isinstance(data, str) and " " in data else []


def test_the_page_says_every_sentence_of_the_json() -> None:
    report = built()
    seen = text(page(report)).lower()
    said = strings(to_json(report))
    assert len(said) > 40
    assert [one for one in said if re.sub(r"\s+", " ", one).lower() not in seen] == []


def test_the_page_has_every_tool_with_its_bounds_and_vetoes() -> None:
    seen = text(html())
    for one in made().policy.tiers:
        for tool in one.tools:
            assert tool.tool in seen
            assert tool.veto in seen


def test_equal_input_gives_equal_bytes_and_order_does_not_matter() -> None:
    given = made()
    other = build(
        given.policy,
        Given(calls=calls_of(reversed(given.rows))),
        prices=Prices(wrong={None: 20.0, Tier.HIGH: 200.0}, review=2.0, retry=0.1),
        most_reviews=60,
        calls_a_day=400,
    )
    assert to_json(other) == to_json(built())
    assert page(other) == html()


def test_costs_stand_beside_the_promise_and_say_what_they_assume() -> None:
    report = built()
    part = tier(report, Tier.MEDIUM).parts[0]
    assert part.costs.promised.executed == part.threshold.executed
    assert part.costs.cheapest.cost <= part.costs.advised.cost
    assert any("That advice is no promise" in line for line in part.cost_says)
    assert any("was measured on" in line for line in report.assumptions)
    assumed = made().report(prices=Prices(wrong={None: 20.0}, review=2.0, retry=0.1, settles=0.5))
    assert any(
        "50 % then run, none of them wrong, whatever their risk; this is assumed" in line
        for line in assumed.assumptions
    )
    assert all(part.costs is None for one in made().report(prices=NO_PRICES).tiers for part in one.parts)


def test_reviewers_are_told_what_their_number_promises() -> None:
    load = built().load
    assert load is not None
    assert load.reviews <= 60
    assert {*load.tiers} == {Tier.LOW, Tier.MEDIUM, Tier.HIGH}
    assert sum(one.calls for one in load.tiers.values()) == pytest.approx(400)
    assert "60 reviews" in text(html())
    assert made().report().load is None


def test_advice_ranks_by_gain_for_each_label_and_answers_that_are_due_come_first() -> None:
    rows = simulated(1500)
    due = [replace(row, correct=False) for row in rows[:9]]
    found = calibrate(rows[9:], unanswered=due)
    report = build(found.policy, Given(calls=calls_of(rows[9:]), unanswered=due), prices=NO_PRICES)
    assert report.same_labels
    waiting = [one for one in report.advice if one.what.startswith("Answer ")]
    assert sum(one.more for one in waiting) == 9
    assert report.advice[: len(waiting)] == tuple(waiting)
    rest = report.advice[len(waiting) :]
    gains = [(one.gain or 0) / one.more for one in rest]
    assert gains == sorted(gains, reverse=True)
    assert all(0 < one.gain < 1 for one in rest if one.gain is not None)


def test_a_tool_that_few_labels_keep_from_running_is_advised() -> None:
    rows = simulated(1500)
    rare = [replace(row, tool="rare") if number < 4 else row for number, row in enumerate(rows) if row.tier is Tier.LOW]
    found = calibrate(rare, target_error={"low": 0.2})
    report = build(found.policy, Given(calls=calls_of(rare)), prices=NO_PRICES)
    assert next(tool for tool in found.policy.tiers[0].tools if tool.tool == "rare").veto
    (advice,) = [one for one in report.advice if one.tool == "rare"]
    assert 0 < advice.more <= 17


def test_without_its_labels_a_report_keeps_to_promises_and_evidence() -> None:
    report = build(made().policy, None, prices=NO_PRICES)
    assert [one.says for one in report.tiers] == [one.says for one in built().tiers]
    assert any("no labelled calls" in line for line in report.warnings)
    seen = page(report)
    assert "<svg" not in seen
    assert "lie below it" in text(seen)


def test_labels_of_another_calibration_are_told_apart() -> None:
    other = build(made().policy, Given(calls=calls_of(made().rows[1:])), prices=NO_PRICES)
    assert other.same_labels is False
    assert any("are not those of the calibration" in line for line in other.warnings)


@pytest.mark.parametrize("code", list(RefusalCode))
def test_every_refusal_is_told_with_its_way_out(code: RefusalCode) -> None:
    refused = a_threshold(None)
    assert refused.refusal is not None
    refused = replace(refused, refusal=replace(refused.refusal, code=code, message="do this & that"))
    report = build(a_policy(a_tier(Tier.HIGH, refused)), None, prices=NO_PRICES)
    assert "No threshold: do this & that." in text(page(report))


def test_one_class_and_missing_risks_still_make_a_page() -> None:
    rows = [replace(row, correct=True) for row in simulated(60)]
    found = calibrate(rows)
    seen = page(build(found.policy, Given(calls=calls_of(rows)), prices=Prices(wrong={None: 5.0}, review=1.0)))
    assert "No threshold: all 60 labelled calls are right" in text(seen)


def test_the_command_writes_both_files(tmp_path: Path) -> None:
    labels, calibration = written(tmp_path, made())
    at, data = tmp_path / "report.html", tmp_path / "report.json"
    done = run(
        labels,
        *("--calibration", calibration, "--html", at, "--json", data),
        *("--cost-wrong", 20, "--cost-wrong", "high=200", "--cost-review", 2, "--cost-retry", 0.1),
        *("--max-reviews-per-day", 60, "--calls-per-day", 400),
    )
    assert done.exit_code == 0, done.output
    assert at.read_text("utf-8") == html()
    assert json.loads(data.read_text("utf-8")) == to_json(built())
    assert f"wrote {at}" in done.output.replace("\n", "")


def test_without_files_the_store_is_read_with_its_alarms(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'g.db'}"
    store = open_store(url)
    store.raise_alarm(
        Alarm(id="a1", at="2026-01-02", tier=Tier.LOW, alpha=0.2, delta=0.05, audits=40, wrong=20, e_value=30.0)
    )
    store.close()
    save_calibration(a_policy(), tmp_path / "c.json")
    done = run("--calibration", tmp_path / "c.json", "--html", tmp_path / "r.html", "--store", url)
    assert done.exit_code == 0, done.output
    assert "20 of 40 audited calls of low stakes were wrong" in text((tmp_path / "r.html").read_text("utf-8"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "say where the report goes"),
        (["--html", "r.html", "--cost-wrong", "5"], "costs take both"),
        (["--html", "r.html", "--cost-retry", "5"], "--cost-retry goes with"),
        (["--html", "r.html", "--retry-settles", "0.5"], "--retry-settles goes with"),
        (["--html", "r.html", "--max-reviews-per-day", "5"], "go together"),
        (["--html", "r.html", "--cost-wrong", "x", "--cost-review", "1"], "'x' is no cost"),
        (["--html", "r.html", "--cost-wrong", "none=1", "--cost-review", "1"], "'none=1' is no cost"),
        (["--html", "r.html", "--cost-wrong", "1", "--cost-wrong", "2", "--cost-review", "1"], "given twice"),
        (["--html", "r.html", "--cost-wrong", "0", "--cost-review", "1"], "a number above 0"),
        (["--html", "no/such/folder/r.html"], "cannot write"),
    ],
)
def test_what_cannot_be_done_is_said(tmp_path: Path, arguments: list[str], said: str) -> None:
    labels, calibration = written(tmp_path, made())
    done = run(labels, "--calibration", calibration, *arguments)
    assert done.exit_code == 2
    assert said in done.output


def test_sources_are_told_in_words() -> None:
    seen = text(html())
    assert "from audits of calls drawn at random" in seen
    assert {source.value for source in LabelSource} == {"review", "audit", "checker", "import"}
