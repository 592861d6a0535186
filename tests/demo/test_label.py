"""``guardrail demo --label`` from outside: records, labels, a promise, a guard that runs on it, another model, a page."""

import html

import click
import pytest
from click.testing import CliRunner

from guardrail.calibration import load_calibration
from guardrail.cli.main import main
from guardrail.policy import Policy
from guardrail.store import open_store
from guardrail.types import LabelSource, Route, Tier
from guardrail_langgraph.demo.labelled import command, course, truth
from guardrail_langgraph.demo.labelled.course import BY, Course, Settings
from guardrail_langgraph.demo.labelled.shown import Told
from guardrail_langgraph.demo.labelled.traffic import Request, requests


def records(folder, named):
    store = open_store(f"sqlite:///{folder / 'demo-label.db'}", create=False)
    try:
        found = [one for one in store.records(limit=500) if one.thread_id.startswith(named)]
    finally:
        store.close()
    return found


def verdicts(folder, named):
    return [verdict for record in records(folder, named) for verdict in record.verdict.verdicts]


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    """The whole demo, once: its folder and what it printed."""
    folder = tmp_path_factory.mktemp("label") / "run"
    result = CliRunner().invoke(main, ["demo", "--label", "--non-interactive", "--folder", str(folder)])
    assert result.exit_code == 0, result.output
    return folder, result.output


def test_every_call_is_labelled_by_the_checker_with_a_known_probability(ran):
    folder, output = ran
    by_text = {request.text: request for request in requests(400)}
    past = records(folder, "past-")
    assert len(past) > 80
    for record in past:
        request = by_text[record.conversation[-1].text]
        labels = {label.call_id: label for label in record.labels}
        for verdict in record.verdict.verdicts:
            label = labels[verdict.call.id]
            assert (label.source, label.by, label.probability) == (LabelSource.CHECKER, BY, 1.0)
            assert label.correct == request.judge(verdict.call).correct
    assert f"judged by {BY}" in output


def test_at_least_one_tier_is_promised_and_the_others_say_what_is_missing(ran):
    folder, output = ran
    calibration = load_calibration(folder / "calibration.json")
    promised = [tier.tier for tier in calibration.tiers if tier.thresholds[0].execute_below is not None]
    assert promised
    assert calibration.adopted_by == "demo"
    assert calibration.look == 1
    for tier in calibration.tiers:
        if tier.tier not in promised:
            assert tier.thresholds[0].refusal.message
            assert f"{tier.tier.value}, all calls: no threshold" in output


def test_the_guard_then_runs_on_it_and_says_so(ran):
    folder, output = ran
    calibration = load_calibration(folder / "calibration.json")
    found = verdicts(folder, "new-")
    calibrated = [verdict for verdict in found if verdict.calibrated]
    assert calibrated
    for verdict in calibrated:
        threshold = calibration.tier(verdict.tier).threshold(0)
        assert verdict.promise.n == threshold.n
        assert (verdict.route is Route.EXECUTE) == (verdict.risk < threshold.execute_below)
    assert any(verdict.route is Route.EXECUTE for verdict in calibrated)
    assert all(verdict.route is not Route.EXECUTE for verdict in found if not verdict.calibrated)
    assert "calibrated: true · " in output
    assert f"tier · n {calibrated[0].promise.n}" in output


def test_requests_that_were_held_back_have_no_labels_and_are_others(ran):
    folder, _ = ran
    past, new = records(folder, "past-"), records(folder, "new-")
    assert new
    assert not any(record.labels for record in new)
    assert not {one.conversation[-1].text for one in past} & {one.conversation[-1].text for one in new}


def test_the_measured_error_of_what_ran_is_the_checkers(ran):
    folder, output = ran
    by_text = {request.text: request for request in requests(400)}
    for tier in Tier:
        calls = [
            by_text[record.conversation[-1].text].judge(verdict.call).correct
            for record in records(folder, "new-")
            for verdict in record.verdict.verdicts
            if verdict.tier is tier and verdict.route is Route.EXECUTE
        ]
        if calls:
            wrong = calls.count(False)
            assert f"│ {len(calls):3} │" in output
            assert f"{wrong} ({wrong / len(calls):.0%})" in output


def test_another_model_is_uncalibrated_and_nothing_runs(ran):
    _, output = ran
    part = output.partition("Another model")[2]
    assert "calibrated: false" in part
    assert f"uncalibrated: the model is {course.ANOTHER}, calibrated for qwen" in " ".join(part.split())
    assert "0 of " in part
    assert " calls calibrated, 0 ran without a human" in part


def test_the_report_is_there_and_has_the_promise(ran):
    folder, output = ran
    page = " ".join(html.unescape((folder / "report.html").read_text("utf-8")).split())
    calibration = load_calibration(folder / "calibration.json")
    told = f"report: {folder / 'report.html'} (open it in a browser)"
    assert "".join(told.split()) in "".join(output.split())  # wherever a terminal breaks the path
    for tier in calibration.tiers:
        promise = (
            f"At most {100 * tier.alpha:g} % of the {tier.tier.value}-stakes calls that run without a human are wrong"
        )
        assert (promise in page) == (tier.thresholds[0].execute_below is not None)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert "95 % confidence" in page


def test_the_policy_that_is_left_can_be_used(ran):
    folder, _ = ran
    policy = Policy.load(folder / "policy.yaml")
    assert policy.calibration
    assert policy.settings[Tier.LOW].audit == pytest.approx(0.1)


def test_it_can_be_run_again_in_its_folder_and_in_no_other(tmp_path):
    (tmp_path / "mine.txt").write_text("mine", encoding="utf-8")
    result = CliRunner().invoke(main, ["demo", "--label", "--non-interactive", "--folder", str(tmp_path)])
    assert result.exit_code == 2
    assert "not empty" in result.output
    assert (tmp_path / "mine.txt").read_text("utf-8") == "mine"


def test_other_truths_give_another_result(tmp_path, monkeypatch):
    """A checker that finds everything wrong leaves nothing to promise: the labels are its, not the score's."""
    monkeypatch.setattr(Request, "judge", lambda *_: truth.Judged(correct=False, why="because"))
    result = few(tmp_path)
    assert not (tmp_path / "run" / "calibration.json").exists()
    assert "No tier can be promised anything" in result.output
    assert (tmp_path / "run" / "report.html").exists()
    labels = [label for record in records(tmp_path / "run", "past-") for label in record.labels]
    assert labels
    assert not any(label.correct for label in labels)


def few(tmp_path, *, most=40, text="", **given):
    """The course over the first requests only."""

    @click.command()
    def part():
        from rich.console import Console

        settings = Settings(
            folder=tmp_path / "run", report=tmp_path / "run" / "report.html", by="ann", most=most, **given
        )
        Course(settings, Told(Console(width=100)), command._command).run()

    result = CliRunner().invoke(part, input=text)
    assert result.exit_code == 0, result.output
    return result


def test_by_hand_a_person_judges_and_the_checker_the_rest(tmp_path):
    few(tmp_path, most=12, text="n\nq\n", ask=False, by_hand=True)
    labels = [record.labels for record in records(tmp_path / "run", "past-")]
    assert len(labels) > 2
    # one label a call, and no step of these has two calls
    assert all(len(one) == 1 for one in labels)
    people = [label for (label,) in labels if label.by == "ann"]
    assert [(label.correct, label.source is LabelSource.CHECKER) for label in people] == [(False, False)]
    assert {label.by for (label,) in labels} == {"ann", BY}


def test_whoever_does_not_adopt_keeps_the_guard_as_it_was(tmp_path):
    result = few(tmp_path, most=None, text="n\n")
    assert "Nobody adopted it" in result.output
    assert not (tmp_path / "run" / "calibration.json").exists()
    assert Policy.load(tmp_path / "run" / "policy.yaml").calibration is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--label", "--task", "delete"], "--task does not go with --label"),
        (["--label", "--model", "m"], "--model does not go with --label"),
        (["--label", "--by-hand", "--non-interactive"], "choose one"),
        (["--report", "x.html"], "go with --label"),
        (["--by-hand"], "go with --label"),
    ],
)
def test_what_cannot_work_is_said(arguments, message):
    result = CliRunner().invoke(main, ["demo", *arguments])
    assert result.exit_code == 2
    assert message in result.output
